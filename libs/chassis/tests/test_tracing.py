"""Traces: what a collector sees of requests, batches and deadlines, and what it must never see."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st
from ledger import SQL, Added, Faults, Written, ledger_catalogue, ledger_service
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from toy_api import ToyError, toy_router
from waiting import until_true

from bdcan_chassis import metrics, trace_export
from bdcan_chassis.logs import configure_logging
from bdcan_chassis.service import Service
from bdcan_chassis.settings import ServiceSettings
from bdcan_chassis.testing.collector import Collector, Seen, collector
from bdcan_chassis.testing.harness import FakeRecord, Harness, harness
from bdcan_chassis.trace_export import Export, allowed
from bdcan_chassis.tracing import ALLOWED, CONTINUES, Context, Span, Tracer, parse

SAMPLED = Context(0xA0B1, 0xC2, sampled=True)
UNSAMPLED = Context(0xA0B2, 0xC3, sampled=False)


@pytest.fixture(scope="module")
def seen_all() -> Iterator[Collector]:
    with collector() as running:
        yield running


@pytest.fixture(scope="module")
async def traced_ledger(postgres_server: Any, seen_all: Collector) -> AsyncIterator[Harness]:
    catalogue, faults = ledger_catalogue(), Faults(poison={666})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Service, "migration_packages", property(lambda _: ["bdcan_chassis"]))

        def build(settings: ServiceSettings) -> Service:
            of_ledger = ledger_service(settings, catalogue, faults)
            return replace(of_ledger, routers=(toy_router(),), domain_errors={ToyError: 409})

        async with harness(
            postgres_server, build, ServiceSettings, otlp_endpoint=seen_all.url, trace_ratio=1.0
        ) as running:
            await running.owner.execute(SQL)
            await running.grant()
            yield running


@pytest.fixture
def seen(seen_all: Collector) -> Collector:
    seen_all.spans.clear()
    return seen_all


def with_trace(record: FakeRecord, context: Context) -> FakeRecord:
    return replace(record, headers=[*record.headers, ("traceparent", context.traceparent.encode())])


def numbers(given: Harness, *contexts: Context, first: int = 1) -> list[FakeRecord]:
    return [
        with_trace(given.record(Added(account_id=uuid4(), number=first + place)), context)
        for place, context in enumerate(contexts)
    ]


async def spans(seen: Collector, name: str, count: int = 1) -> list[Seen]:
    await until_true(lambda: len(seen.named(name)) >= count)
    return seen.named(name)


PROCESS = "process bdcan.feeder.number.added.v1"


async def test_one_record_is_a_child_of_its_event(traced_ledger: Harness, seen: Collector) -> None:
    await traced_ledger.deliver(*numbers(traced_ledger, SAMPLED))
    [span] = await spans(seen, PROCESS)
    assert (span.trace, span.parent) == (f"{SAMPLED.trace:032x}", f"{SAMPLED.span:016x}")
    [written] = await traced_ledger.emitted()
    assert written.traceparent == f"00-{span.trace}-{span.span}-01"
    assert seen.named("batch numbers") == []


async def test_batch_is_linked_with_each_of_its_records(traced_ledger: Harness, seen: Collector) -> None:
    others = [Context(1000 + n, 7, sampled=True) for n in range(3)]
    await traced_ledger.deliver(*numbers(traced_ledger, *others, UNSAMPLED))
    [batch] = await spans(seen, "batch numbers")
    handled = await spans(seen, PROCESS, 3)
    assert {span.trace for span in handled} == {f"{other.trace:032x}" for other in others}
    assert set(batch.links) == {(span.trace, span.span) for span in handled}
    assert all(span.links == ((batch.trace, batch.span),) for span in handled)
    assert {event.traceparent and event.traceparent[-2:] for event in await traced_ledger.emitted()} == {
        "00",
        "01",
    }


async def test_failed_record_says_so_and_its_message_stays_here(
    traced_ledger: Harness, seen: Collector, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging("ledger", "test", "WARNING", ())
    await traced_ledger.deliver(*numbers(traced_ledger, SAMPLED, Context(9, 9, sampled=True), first=666))
    await until_true(lambda: any(s.attributes.get("bdcan.outcome") for s in seen.named(PROCESS)))
    [parked] = [s for s in seen.named(PROCESS) if s.attributes.get("bdcan.outcome") == "handler-failed"]
    assert parked.error
    assert parked.attributes["error.type"] == "handler-failed"
    assert b"a bug in a handler" not in seen.received
    [line] = [said for said in capsys.readouterr().out.splitlines() if "consumer.parked" in said]
    assert json.loads(line)["trace"] == parked.trace


async def test_request_begins_a_trace_of_its_own(traced_ledger: Harness, seen: Collector) -> None:
    sent = Context(0xBAD, 0xBAD, sampled=True)
    answer = await traced_ledger.http.post(
        "/toy/people", json={"name": "bear"}, headers={"traceparent": sent.traceparent}
    )
    [span] = await spans(seen, "POST /toy/people")
    assert span.trace != f"{sent.trace:032x}"
    assert span.links == ((f"{sent.trace:032x}", f"{sent.span:016x}"),)
    assert span.attributes == {
        "http.request.method": "POST",
        "http.route": "/toy/people",
        "http.response.status_code": answer.status_code,
    }


async def test_trace_of_a_stranger_is_ignored(traced_ledger: Harness, seen: Collector) -> None:
    sent = Context(0xBAD, 0xBAD, sampled=True)
    async with httpx.AsyncClient(base_url=traced_ledger.url) as stranger:
        await stranger.post("/toy/people", json={}, headers={"traceparent": sent.traceparent})
    [span] = await spans(seen, "POST /toy/people")
    assert (span.trace != f"{sent.trace:032x}", span.links) == (True, ())


async def test_trace_of_our_own_service_goes_on(traced_ledger: Harness, seen: Collector) -> None:
    sent = Context(0xF00D, 0xBEEF, sampled=True)
    ours = traced_ledger.client([CONTINUES, "tasks:write"])
    await ours.post("/toy/people", json={"name": "bear"}, headers={"traceparent": sent.traceparent})
    [span] = await spans(seen, "POST /toy/people")
    assert (span.trace, span.parent) == (f"{sent.trace:032x}", f"{sent.span:016x}")


async def test_unmatched_route_and_odd_method_are_not_quoted(traced_ledger: Harness, seen: Collector) -> None:
    await traced_ledger.http.request("TRACE", "/v1/07700900123?name=Amina")
    [span] = await spans(seen, "_OTHER unmatched")
    assert span.attributes["http.request.method"] == "_OTHER"
    assert b"07700900123" not in seen.received
    assert b"Amina" not in seen.received


async def test_metrics_show_a_trace_beside_a_time(traced_ledger: Harness, seen: Collector) -> None:
    await traced_ledger.http.get(f"/toy/accounts/{uuid4()}")
    [span] = (await spans(seen, "GET /toy/accounts/{account}"))[-1:]
    accept = {"Accept": "application/openmetrics-text;version=1.0.0"}
    page = (await traced_ledger.http.get("/metrics", headers=accept)).text
    found = {
        sample.exemplar.labels["trace_id"]
        for family in text_string_to_metric_families(page)
        if family.name == "bdcan_http_request_seconds"
        for sample in family.samples
        if sample.exemplar
    }
    assert span.trace in found
    plain = await traced_ledger.http.get("/metrics", headers={"Accept": "text/plain"})
    assert "trace_id" not in plain.text


async def test_rows_trace_goes_on_in_a_later_unit(traced_ledger: Harness, seen: Collector) -> None:
    """A deadline, a planner or a person acts on a row that a traced event has changed."""
    row, tracer = uuid4(), traced_ledger.transactions.tracer
    assert tracer is not None
    await traced_ledger.emitted()
    await leave_trace(traced_ledger, tracer, row, SAMPLED)
    with tracer.work("deadline ring", "internal"):
        async with traced_ledger.transactions.begin() as tx:
            assert tx.unit is not None
            await tx.unit.look_up(tx.connection, [row, uuid4()])
            cause = tx.follow(tx.unit, row, None)
            tx.emit(Written(account_id=row, number=1), cause=cause)
    [span] = await spans(seen, "deadline ring")
    assert (span.trace, span.attributes["bdcan.subject"]) == (f"{SAMPLED.trace:032x}", str(row))
    [event] = await traced_ledger.emitted()
    assert event.traceparent == f"00-{span.trace}-{span.span}-01"


async def test_events_before_the_first_of_a_lane_are_sampled_with_it(
    traced_ledger: Harness, seen: Collector
) -> None:
    account, tracer = uuid4(), traced_ledger.transactions.tracer
    assert tracer is not None
    await traced_ledger.emitted()
    with tracer.work("handler", "internal"):
        async with traced_ledger.transactions.begin() as tx:
            cause = Span.of("handler", "internal", UNSAMPLED)
            tx.emit(Written(account_id=account, number=1), cause=cause)
            tx.emit(Written(account_id=account, number=2, lane="safeguarding"), cause=cause)
    assert [str(event.traceparent)[-2:] for event in await traced_ledger.emitted()] == ["01", "01"]


async def test_savepoint_that_is_rolled_back_leaves_no_trace(traced_ledger: Harness, seen: Collector) -> None:
    row, tracer = uuid4(), traced_ledger.transactions.tracer
    assert tracer is not None
    with tracer.work("pass x", "internal") as unit:
        async with traced_ledger.transactions.begin() as tx:
            mark = tx.mark()
            tx.follow(unit, row, Span.of("x", "internal", SAMPLED))
            tx.rewind(mark)
    assert await traced_ledger.fetch("SELECT FROM chassis.trace WHERE subject = $1", row) == []


async def leave_trace(given: Harness, tracer: Tracer, row: UUID, context: Context) -> None:
    with tracer.work("handler", "internal") as unit:
        async with given.transactions.begin() as tx:
            tx.follow(unit, row, Span.of("handler", "internal", context))


def urgent(lane: str) -> Any:
    class Need:
        def __init__(self) -> None:
            self.lane = lane

    class Said:
        needs = (Need(), Need())

    return Said()


@pytest.mark.parametrize(("lane", "sampled"), [("safeguarding", True), ("food", False)])
def test_lane_decides_what_is_always_sampled(lane: str, sampled: bool) -> None:
    tracer = Tracer(export_to_nowhere(), 0.0, {"safeguarding"})
    span = Span.of("x", "internal", None)
    assert tracer.look_at(span, urgent(lane)) is sampled
    assert (span.sampled, span.attributes["bdcan.lane"]) == (sampled, lane)


async def test_hanging_collector_delays_and_fails_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """All is written, and the process leaves, while the collector has answered nothing."""
    monkeypatch.setattr(trace_export, "MOST_WAITING", 100)
    monkeypatch.setattr(trace_export, "_AT_ONCE", 10)
    with collector() as hanging:
        hanging.answers.clear()
        export = Export(hanging.url, {"service.name": "toy"})
        before = dropped("too-many")
        for _ in range(120):
            export.write(Span.of("x", "internal", SAMPLED), time.time_ns())
        assert dropped("too-many") - before == 20
        await export.close()
        assert "spans-close" in {thread.name for thread in threading.enumerate()}


async def test_dead_collector_is_counted() -> None:
    export, before = export_to_nowhere(), dropped("no-collector")
    export.write(Span.of("x", "internal", SAMPLED), time.time_ns())
    await until_true(lambda: dropped("no-collector") > before)
    await export.close()


def export_to_nowhere() -> Export:
    return Export("http://127.0.0.1:9", {"service.name": "toy"})


def dropped(reason: str) -> float:
    return metrics.SPANS_DROPPED.labels(reason)._value.get()


@for_all(st.sampled_from([*ALLOWED, "db.statement", "person.name"]), st.text() | st.integers())
def test_only_allowed_attributes_leave(name: str, value: str | int) -> None:
    for left, said in allowed({name: value}).items():
        assert left in ALLOWED
        assert str(said).isascii()
        assert not re.search(r"[\s@+,]", str(said))


@for_all(st.text() | st.from_regex(r"[\da-f]{2}-[\da-f]{32}-[\da-f]{16}-[\da-f]{2}", fullmatch=True))
def test_header_that_says_nothing_is_no_trace(said: str) -> None:
    context = parse(said)
    if context is not None:
        assert context.trace
        assert context.span
        assert context.traceparent[3:52] == said[3:52]


@pytest.mark.parametrize(
    "said",
    [
        None,
        "",
        "nonsense",
        f"00-{'0' * 32}-{'b' * 16}-01",
        f"00-{'a' * 32}-{'0' * 16}-01",
        f"ff-{'a' * 32}-{'b' * 16}-01",
        f"00-{'A' * 32}-{'b' * 16}-01",
        "00-" + "\N{ARABIC-INDIC DIGIT ONE}" * 32 + f"-{'b' * 16}-01",
        f"00-{'a' * 32}-{'b' * 16}-01-more",
    ],
)
def test_malformed_header_is_ignored(said: str | None) -> None:
    assert parse(said) is None
