"""Whatever an outsider writes is a request, or problems in words from a closed list; nothing is ever raised."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

from hypothesis import example
from hypothesis import given as for_all
from hypothesis import strategies as st

from bdcan_contracts.catalogue import CATALOGUE, INBOUND_REFERRALS
from bdcan_contracts.inbound import CODES, examine_submission, read
from bdcan_contracts.inbound.check import Written
from bdcan_contracts.inbound.reading import Reading
from bdcan_contracts.models import FieldProblem, InboundReferralRefused, InboundReferralSubmitted
from bdcan_contracts.upstreams import Upstream

SENDER = Upstream(name="riverside-surgery", sources=("riverside-surgery", "midwives"))
TODAY = date(2020, 3, 23)
SUBMITTED = "bdcan.intake.inbound-referral.submitted.v1"
EVENT = {"specversion": "1.0", "id": "1", "source": "/x", "type": SUBMITTED}
BODY: dict[str, Any] = {"source": "midwives", "reference": "R-1", "channel": "gp", "needs": ["errand"]}

text = st.text(st.characters(codec=None), max_size=20)  # half characters too
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=12,
)
bodies = st.dictionaries(st.sampled_from([*InboundReferralSubmitted.model_fields, "x"]), json_values).map(
    lambda more: BODY | more
)
names = st.sampled_from(
    [*(f"ce_{name}" for name in EVENT), "ce_time", "ce_subject", "ce_dryrun", "content-type"]
)
media = st.sampled_from(
    [b"application/json", b"application/cloudevents+json", b"application/cloudevents-batch+json"]
)
values = st.binary(max_size=40) | st.sampled_from([v.encode() for v in EVENT.values()]) | media | st.none()


def reading_of(headers: Any, value: bytes | None, key: bytes | None = None) -> Reading:
    record = Written(value, headers, key, INBOUND_REFERRALS.name, 3, 14)
    return read(record, SENDER, CATALOGUE)


def holds(reading: Reading) -> None:
    assert (reading.body is None) == bool(reading.problems)
    problems = reading.problems
    if isinstance(reading.body, InboundReferralSubmitted):
        problems = examine_submission(reading.body, SENDER, TODAY).problems
    assert {problem.code for problem in problems} <= CODES.keys()
    told = [FieldProblem(field=p.field[:200], code=p.code, message=p.message[:300]) for p in problems[:100]]
    refused = InboundReferralRefused(
        source=reading.source,
        reference=reading.reference,
        problems=tuple(told),
        refused_at=datetime(2020, 3, 23, tzinfo=UTC),
        record=reading.record,
    )
    json.loads(refused.model_dump_json())
    assert (reading.record.partition, reading.record.offset) == (3, 14)


@for_all(
    st.lists(st.tuples(names, values), max_size=10),
    st.binary(max_size=60) | st.none(),
    st.binary(max_size=30),
)
def test_any_headers_and_bytes_are_answered(headers: Any, value: bytes | None, key: bytes) -> None:
    holds(reading_of(headers, value, key))


@example(BODY | {"household": {"adults": float("nan")}}, True)
@example(BODY | {"reference": float("inf")}, False)
@for_all(bodies | json_values, st.booleans())
def test_any_body_is_answered_in_both_modes(body: Any, structured: bool) -> None:
    if structured:
        headers = [("content-type", b"application/cloudevents+json")]
        value = json.dumps(EVENT | {"data": body}).encode()
    else:
        headers = [(f"ce_{name}", said.encode()) for name, said in EVENT.items()]
        value = json.dumps(body).encode()
    holds(reading_of(headers, value))


@for_all(
    st.dictionaries(
        st.sampled_from([*EVENT, "time", "subject", "dryrun", "data", "data_base64"]), json_values
    )
)
def test_any_structured_event_is_answered(event: dict[str, Any]) -> None:
    value = json.dumps(EVENT | {"data": BODY} | event).encode()
    holds(reading_of([("content-type", b"application/cloudevents+json")], value))


def test_order_of_keys_and_nulls_say_nothing_and_other_words_do() -> None:
    headers = [(f"ce_{name}", said.encode()) for name, said in EVENT.items()]
    first = reading_of(headers, json.dumps(BODY).encode())
    same = reading_of(headers, json.dumps(dict(reversed(BODY.items())) | {"notes": None}, indent=1).encode())
    other = reading_of(headers, json.dumps(BODY | {"notes": "Moved."}).encode())
    assert first.event_key == same.event_key == other.event_key
    assert first.content == same.content != other.content
