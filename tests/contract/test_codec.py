"""The codec reads what it wrote, and names the fault of any other record without repeating it."""

from __future__ import annotations

import contextlib
import json
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4, uuid5

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bdcan_contract_tools.sources import SCHEMAS
from bdcan_contracts.catalogue import CATALOGUE, HUBS, INBOUND_REFERRALS, REFERRALS
from bdcan_contracts.envelope import (
    BodyError,
    EnvelopeError,
    HeaderError,
    MisplacedError,
    UnknownTypeError,
    UnknownVersionError,
    decode,
    event_key,
    type_of,
)

TYPE = "bdcan.intake.inbound-referral.submitted.v1"
BODY = json.loads((SCHEMAS / "examples" / TYPE / "full.json").read_text())
SUBJECT = f"{BODY['source']}:{BODY['reference']}"
SECRET = "Zebedee-Quince"


class Record:
    """A good record of the inbound topic, for a test to spoil."""

    def __init__(self) -> None:
        self.topic = INBOUND_REFERRALS.name
        self.key: bytes | None = SUBJECT.encode()
        self.headers: list[tuple[str, Any]] = [
            ("content-type", b"application/json; charset=utf-8"),
            ("ce_specversion", b"1.0"),
            ("ce_id", b"41"),
            ("ce_type", TYPE.encode()),
            ("ce_source", b"riverside-surgery"),
            ("ce_subject", SUBJECT.encode()),
            ("ce_time", b"2020-03-23T10:12:00+01:00"),
        ]
        self.value: bytes | None = json.dumps(BODY).encode()

    def header(self, name: str, value: bytes | None) -> Record:
        self.headers = [(n, value if n == name else v) for n, v in self.headers]
        if name not in dict(self.headers):
            self.headers.append((name, value))
        return self

    def without(self, name: str) -> Record:
        self.headers = [(n, v) for n, v in self.headers if n != name]
        return self

    def again(self, name: str) -> Record:
        self.headers.append((name, b"twice"))
        return self

    def on(self, topic: str) -> Record:
        self.topic = topic
        return self

    def keyed(self, key: bytes | None) -> Record:
        self.key = key
        return self

    def body(self, value: bytes | None) -> Record:
        self.value = value
        return self

    def with_fields(self, **fields: Any) -> Record:
        return self.body(json.dumps(BODY | fields).encode())

    def read(self):
        return decode(CATALOGUE, self.topic, self.key, self.headers, self.value)


def test_upstream_record_is_read_with_its_time_in_utc():
    event = Record().read()

    assert event.data.person.name == BODY["person"]["name"]
    assert event.time == datetime(2020, 3, 23, 9, 12, tzinfo=UTC)
    assert event.time.utcoffset() == timedelta(0)
    assert (event.source, event.id, event.subject) == ("riverside-surgery", "41", SUBJECT)


REQUIRED = ["ce_specversion", "ce_id", "ce_type", "ce_source", "ce_subject", "ce_time"]
BAD: list[tuple[str, type[EnvelopeError], Callable[[Record], Record]]] = [
    *((f"no {name}", HeaderError, lambda r, n=name: r.without(n)) for name in REQUIRED),
    *((f"empty {name}", HeaderError, lambda r, n=name: r.header(n, b"")) for name in REQUIRED),
    *((f"null {name}", HeaderError, lambda r, n=name: r.header(n, None)) for name in REQUIRED),
    *((f"{name} twice", HeaderError, lambda r, n=name: r.again(n)) for name in REQUIRED),
    *((f"{name} not UTF-8", HeaderError, lambda r, n=name: r.header(n, b"\xff\xfe")) for name in REQUIRED),
    *((f"{name} over-long", HeaderError, lambda r, n=name: r.header(n, b"9" * 1025)) for name in REQUIRED),
    *(
        (f"NUL in {n}", HeaderError, lambda r, n=n: r.header(n, b"a\0b"))
        for n in ("ce_id", "ce_source", "ce_subject")
    ),
    ("another CloudEvents version", HeaderError, lambda r: r.header("ce_specversion", b"0.3")),
    ("another content type", HeaderError, lambda r: r.header("content-type", b"application/avro")),
    ("structured mode", HeaderError, lambda r: r.header("content-type", b"application/cloudevents+json")),
    ("a time that is none", HeaderError, lambda r: r.header("ce_time", b"yesterday")),
    ("a time without offset", HeaderError, lambda r: r.header("ce_time", b"2020-03-23T10:12:00")),
    ("a time before time", HeaderError, lambda r: r.header("ce_time", b"0001-01-01T00:00:00+14:00")),
    ("an unknown type", UnknownTypeError, lambda r: r.header("ce_type", b"bdcan.intake.moon.landed.v1")),
    (
        "a type without version",
        UnknownTypeError,
        lambda r: r.header("ce_type", TYPE.removesuffix(".v1").encode()),
    ),
    (
        "an unknown version",
        UnknownVersionError,
        lambda r: r.header("ce_type", TYPE.replace(".v1", ".v2").encode()),
    ),
    ("another topic", MisplacedError, lambda r: r.on(REFERRALS.name)),
    ("a type of another topic", MisplacedError, lambda r: r.header("ce_type", HUBS.event_types[0].encode())),
    ("no key", MisplacedError, lambda r: r.keyed(None)),
    ("another key", MisplacedError, lambda r: r.keyed(b"other")),
    ("another subject", MisplacedError, lambda r: r.header("ce_subject", b"a:b").keyed(b"a:b")),
    ("no body", BodyError, lambda r: r.body(None)),
    ("an empty body", BodyError, lambda r: r.body(b"")),
    ("a body not UTF-8", BodyError, lambda r: r.body(b'{"source": "\xff"}')),
    ("a body in UTF-16", BodyError, lambda r: r.body(json.dumps(BODY).encode("utf-16"))),
    ("a body not JSON", BodyError, lambda r: r.body(b"source=riverside-surgery")),
    ("half a body", BodyError, lambda r: r.body(json.dumps(BODY).encode()[:-1])),
    ("two bodies", BodyError, lambda r: r.body(json.dumps(BODY).encode() * 2)),
    ("a lone surrogate", BodyError, lambda r: r.body(b'{"source": "\\ud800"}')),
    ("a list", BodyError, lambda r: r.body(b"[]")),
    ("null", BodyError, lambda r: r.body(b"null")),
    ("nested beyond reason", BodyError, lambda r: r.body(b'{"x":' + b"[" * 100_000)),
    ("a missing field", BodyError, lambda r: r.body(b'{"source": "riverside-surgery"}')),
    ("a need that is no code", BodyError, lambda r: r.with_fields(needs=["a helicopter"])),
    ("a number as text", BodyError, lambda r: r.with_fields(household={"adults": "2"})),
    ("not a number", BodyError, lambda r: r.with_fields(household={"adults": float("nan")})),
    ("a flag as text", BodyError, lambda r: r.with_fields(consent="yes")),
    ("a list without end", BodyError, lambda r: r.with_fields(needs=["food-parcel"] * 51)),
    ("a text without end", BodyError, lambda r: r.with_fields(notes="x" * 2001)),
    ("NUL in a text", BodyError, lambda r: r.with_fields(notes="a\0b")),
    ("a day that is none", BodyError, lambda r: r.with_fields(person={"birth_date": "1948-02-30"})),
]


@pytest.mark.parametrize(("error", "spoil"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_bad_record_is_refused_for_its_own_reason(
    error: type[EnvelopeError], spoil: Callable[[Record], Record]
):
    with pytest.raises(EnvelopeError) as caught:
        spoil(Record()).read()

    assert type(caught.value) is error


def test_each_error_has_its_own_reason():
    kinds = [HeaderError, UnknownTypeError, UnknownVersionError, MisplacedError, BodyError]

    assert len({kind.reason for kind in kinds}) == len(kinds)


def test_each_fault_in_a_body_is_named_by_its_path():
    bad = Record().with_fields(needs=["food-parcel", "a helicopter"], household={"adults": -1}, channel=None)

    with pytest.raises(BodyError) as caught:
        bad.read()

    assert {problem.field for problem in caught.value.problems} == {"needs.1", "household.adults", "channel"}
    assert all(problem.message and problem.code for problem in caught.value.problems)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda r: r.with_fields(channel=SECRET),
        lambda r: r.with_fields(needs=[SECRET]),
        lambda r: r.with_fields(person={"birth_date": SECRET, "phone": SECRET * 9}),
        lambda r: r.with_fields(source=SECRET),
        lambda r: r.with_fields(person=SECRET),
        lambda r: r.body(SECRET.encode()),
        lambda r: r.header("ce_type", SECRET.encode()),
        lambda r: r.header("ce_time", SECRET.encode()),
        lambda r: r.header("ce_subject", SECRET.encode()),
        lambda r: r.header("ce_source", SECRET.encode() + b"\0"),
        lambda r: r.keyed(SECRET.encode()),
    ],
)
def test_errors_never_repeat_what_was_sent(spoil: Callable[[Record], Record]):
    with pytest.raises(EnvelopeError) as caught:
        spoil(Record()).read()

    said = "".join(traceback.format_exception(caught.value)) + repr(caught.value.problems)
    assert SECRET not in said


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("traceparent", b"nonsense"),
        ("traceparent", b"\xff\xfe"),
        ("traceparent", None),
        ("__value_schema_id", b"\x00\x00\x00\x01\xff"),
        ("x-unknown", None),
        ("ce_tomorrow", b"\xff" * 2000),
    ],
)
def test_foreign_headers_and_unreadable_traces_are_ignored(name: str, value: bytes | None):
    event = Record().header(name, value).read()

    assert event.traceparent is None


def test_unknown_field_is_ignored_at_every_depth():
    record = Record().with_fields(tomorrow=1, household={"adults": 1, "cats": 9}, person={"pronouns": "they"})

    assert record.read().data.household.adults == 1


def test_null_in_an_optional_field_counts_as_absent():
    assert Record().with_fields(household=None, notes=None).read().data.household is None


def test_trace_survives_the_codec():
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    assert Record().header("traceparent", trace.encode()).read().traceparent == trace


def test_type_is_read_from_headers_without_checks():
    assert type_of(Record().headers) == TYPE
    assert type_of([("ce_type", b"\xff")]) == "\ufffd"
    assert type_of([]) is None


def test_equal_ids_of_two_senders_are_different_events():
    keys = {event_key(source, "1", "bdcan.intake") for source in ("gp", "pharmacy", "bdcan.intake")}

    assert len(keys) == 3
    own = uuid4()
    assert event_key("bdcan.intake", str(own), "bdcan.intake") == own
    assert event_key("elsewhere", str(own), "bdcan.intake") != own


def test_namespace_of_foreign_ids_never_changes():
    namespace = UUID("6f2f6a4e-52b4-5a0c-9f0a-0d2b8e6f4c11")

    assert event_key("gp", "1", "bdcan.intake") == uuid5(namespace, "gp\n1")


@settings(max_examples=300, deadline=None)
@given(
    key=st.none() | st.binary(max_size=50) | st.just(SUBJECT.encode()),
    extra=st.lists(
        st.tuples(
            st.sampled_from([*REQUIRED, "content-type", "traceparent"]), st.none() | st.binary(max_size=60)
        )
    ),
    value=st.none()
    | st.binary(max_size=200)
    | st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(list(BODY)), inner, max_size=5)
        ),
    ).map(lambda body: json.dumps(body).encode()),
)
def test_any_bytes_are_read_or_refused_with_a_reason(key, extra, value):
    record = Record().keyed(key).body(value)
    for name, content in extra:
        record.header(name, content)

    with contextlib.suppress(EnvelopeError):
        record.read()
