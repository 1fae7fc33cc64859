"""Each thing that comes through a door of intake begins a trace of its own, and no sender decides what is sampled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any

import pytest

from bdcan_chassis.testing.collector import Collector, collector
from bdcan_chassis.testing.harness import Harness
from bdcan_chassis.tracing import Context, parse
from bdcan_contracts import models as m
from bdcan_contracts.vocabulary import Channel, NeedCode

Start = Callable[..., AbstractAsyncContextManager[Harness]]
SENT = Context(0xBAD, 0xBAD, sampled=True)
FILE = "reference,name,postcode,needs\nA-1,Zebedee,RM10 8XX,food-parcel\nA-2,Ottoline,RM10 8XX,food-parcel\n"


@pytest.fixture
def seen() -> Iterator[Collector]:
    with collector() as running:
        yield running


def submitted(reference: str, need: str) -> m.InboundReferralSubmitted:
    return m.InboundReferralSubmitted(
        source="riverside-surgery",
        reference=reference,
        channel=Channel.GP,
        person=m.Person(name="Zebedee Quillfeather", phone="07700900461", postcode="RM10 8XX"),
        needs=(need,),
    )


async def deliver(given: Harness, *needs: str) -> list[Context]:
    """Deliver submissions whose sender asks for samples; returns the contexts of what follows from them."""
    records = [
        given.record(submitted(f"R-{n}", need), source="riverside-surgery") for n, need in enumerate(needs)
    ]
    sent = ("traceparent", SENT.traceparent.encode())
    await given.deliver(*[replace(record, headers=[*record.headers, sent]) for record in records])
    received = await given.emitted(m.ReferralReceived)
    return [context for event in received if (context := parse(event.traceparent))]


async def exported(given: Harness) -> None:
    """Everything that is sampled has reached the collector."""
    assert given.transactions.tracer is not None
    await given.transactions.tracer.close()


async def test_rows_of_a_list_have_traces_of_their_own(start: Start, seen: Collector) -> None:
    async with start("intake", otlp_endpoint=seen.url, trace_ratio=1.0) as given:
        answer = await given.http.post("/v1/referral-imports?source=shielding-list", content=FILE)
        assert answer.is_success, answer.text
        received = await given.emitted(m.ReferralReceived)
        await exported(given)
    rows, [request] = seen.named("row"), seen.named("POST /v1/referral-imports")
    assert len({span.trace for span in (*rows, request)}) == 3
    assert {str(event.traceparent)[3:52] for event in received} == {f"{s.trace}-{s.span}" for s in rows}
    assert set(request.links) == {(span.trace, span.span) for span in rows}
    assert b"Zebedee" not in seen.received


async def test_submission_is_linked_with_its_senders_trace(start: Start, seen: Collector) -> None:
    async with start("intake", otlp_endpoint=seen.url, trace_ratio=1.0) as given:
        contexts = await deliver(given, NeedCode.FOOD_PARCEL, NeedCode.PRESCRIPTION)
        await exported(given)
    spans = seen.named("submitted")
    assert {span.span for span in spans} == {f"{context.span:016x}" for context in contexts}
    assert all((f"{SENT.trace:032x}", f"{SENT.span:016x}") in span.links for span in spans)
    assert {span.trace for span in seen.spans}.isdisjoint({f"{SENT.trace:032x}"})
    assert b"Quillfeather" not in seen.received
    assert b"7700900461" not in seen.received


async def test_sender_cannot_have_its_submissions_sampled(start: Start, seen: Collector) -> None:
    async with start("intake", otlp_endpoint=seen.url, trace_ratio=0.0) as given:
        contexts = await deliver(given, NeedCode.FOOD_PARCEL, NeedCode.SAFEGUARDING_ADULT)
        await exported(given)
    assert [context.sampled for context in contexts] == [False, True]
    [span] = seen.spans
    assert (span.span, span.attributes["bdcan.lane"]) == (f"{contexts[1].span:016x}", "safeguarding")


async def test_events_before_the_concern_are_sampled_with_it(start: Start, seen: Collector) -> None:
    async with start("intake", otlp_endpoint=seen.url, trace_ratio=0.0) as given:
        form: dict[str, Any] = {
            "channel": "phone",
            "person": {"name": "Zebedee", "phone": "07700900461", "postcode": "RM10 8XX"},
            "needs": ["food-parcel", "safeguarding-child"],
        }
        assert (await given.http.post("/v1/referrals", json=form)).is_success
        events = await given.emitted()
        await exported(given)
    assert {str(event.traceparent)[-2:] for event in events} == {"01"}
    [span] = seen.spans
    assert span.name == "POST /v1/referrals"


async def test_nothing_is_traced_without_a_collector(start: Start) -> None:
    async with start("intake") as given:
        assert given.transactions.tracer is None
        answer = await given.http.post("/v1/referral-imports?source=shielding-list", content=FILE)
        assert answer.is_success
        assert {str(e.traceparent)[-2:] for e in await given.emitted(m.ReferralReceived)} == {"00"}
        assert await given.fetch("SELECT FROM chassis.trace") == []
