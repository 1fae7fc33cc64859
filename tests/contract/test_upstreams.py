"""The file of upstream systems: what it says is read as it was written, and what must not be is refused."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bdcan_contracts import upstreams
from bdcan_contracts.upstreams import Upstream, Upstreams

SURGERY = Upstream("river-surgery", inbound_topic="in.river-surgery", receipts_topic="out.river-surgery")
CHARITY = Upstream(
    "faith-forum", sources=("forum-east", "forum-west"), contact="Amina Example, 020 7946 0000"
)

names = st.from_regex(r"[a-z0-9]{3,10}(-[a-z0-9]{1,9}){0,2}", fullmatch=True)
instants = st.datetimes(min_value=datetime(2020, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@st.composite
def registries(draw: st.DrawFn) -> Upstreams:
    found = draw(st.lists(names, unique=True, max_size=5))
    return Upstreams(
        tuple(
            Upstream(
                name,
                inbound_topic=f"in.{name}" if kafka else None,
                receipts_topic=f"out.{name}" if kafka else None,
                sandbox=draw(st.booleans()),
                revoked_at=draw(st.none() | instants),
                contact=draw(st.text()),
            )
            for name in found
            for kafka in [draw(st.booleans())]
        )
    )


@given(registries())
def test_what_is_dumped_is_parsed_again(registry: Upstreams):
    assert upstreams.parse(upstreams.dump(registry)) == registry


def test_found_by_name_source_and_topic():
    registry = Upstreams((SURGERY, CHARITY))

    assert registry.named("faith-forum") is CHARITY
    assert registry.of_source("forum-west") is CHARITY
    assert registry.of_source("river-surgery") is SURGERY  # its own name, where it names no source
    assert registry.of_source("faith-forum") is None
    assert registry.of_inbound_topic("in.river-surgery") is SURGERY
    assert registry.inbound_topics == {"in.river-surgery"}


def test_empty_file_is_no_upstream_system_but_must_be_a_list():
    assert upstreams.parse(b"[]") == Upstreams()
    for content in (b"", b"{}", b"[", b"null", b"\xff", b'[{"name": "ab"}]', b'[{"name": "River"}]', b"[{}]"):
        with pytest.raises(ValueError, match="no list"):
            upstreams.parse(content)


def test_field_of_a_later_release_is_ignored():
    assert upstreams.parse(b'[{"name": "river-surgery", "colour": "blue"}]') == Upstreams(
        (Upstream("river-surgery"),)
    )


def test_instant_without_an_offset_is_refused():
    with pytest.raises(ValueError, match="no list"):
        upstreams.parse(b'[{"name": "river-surgery", "revoked_at": "2026-11-27T10:00:00"}]')


@pytest.mark.parametrize(
    "second",
    [
        Upstream("river-surgery", sources=("other-source",)),
        Upstream("other-name", sources=("river-surgery",)),
        Upstream("other-name", inbound_topic="in.river-surgery", receipts_topic="out.other-name"),
        Upstream("other-name", inbound_topic="in.other-name", receipts_topic="out.river-surgery"),
        Upstream("other-name", sources=("twice-named", "twice-named")),
    ],
)
def test_nothing_is_shared_not_even_with_a_revoked_one(second: Upstream):
    revoked = Upstream(
        SURGERY.name,
        inbound_topic=SURGERY.inbound_topic,
        receipts_topic=SURGERY.receipts_topic,
        revoked_at=datetime(2026, 11, 27, tzinfo=UTC),
    )
    with pytest.raises(ValueError, match="same"):
        Upstreams((revoked, second))


def test_one_is_put_in_its_place():
    revoked = Upstream("river-surgery", revoked_at=datetime(2026, 11, 27, tzinfo=UTC))

    assert Upstreams((SURGERY, CHARITY)).put(revoked).all == (revoked, CHARITY)
    assert Upstreams((SURGERY,)).put(CHARITY).all == (SURGERY, CHARITY)


@pytest.mark.parametrize("text", ["river-surgery", "abc", "a1-2b", "a" * 40])
def test_name_is_words_with_hyphens(text: str):
    assert upstreams.is_name(text)
    assert upstreams.parse(upstreams.dump([Upstream(text)])).named(text)


@pytest.mark.parametrize(
    "text",
    ["", "ab", "River", "a--b", "-abc", "abc-", "a.b.c", "abc\n", "ab c", "a_bc", "é-é", "a" * 41, "*"],
)
def test_other_names_are_refused(text: str):
    assert not upstreams.is_name(text)
    with pytest.raises(ValueError, match="no list"):
        upstreams.parse(upstreams.dump([Upstream(text)]))
