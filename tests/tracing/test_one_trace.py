"""One safeguarding referral is one trace, from the clerk's request to the council's answer, over all five services."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from bdcan_chassis.testing.collector import Collector, Seen, collector
from bdcan_local import runner
from bdcan_local.processes import SERVICES, System
from bdcan_local.root import Root
from bdcan_local.settings import read_settings

SECONDS = 60.0

PLANTED = {
    "name": "Zebedee Quillfeather",
    "phone": "07700 900461",
    "postcode": "RM10 8XX",
    "address": "14 Quillfeather Mews",
    "notes": "The neighbour Ottoline is worried",
}
WORDS = (b"Zebedee", b"Quillfeather", b"900461", b"RM10", b"Ottoline")


@dataclass
class Traced:
    """A running system, and what its collector has seen."""

    system: System
    seen: Collector
    logs: Path

    def api(self, service: str) -> httpx.AsyncClient:
        """As the simulator, who may do everything."""
        key = self.system.secrets.get("api-keys", "simulator")
        return httpx.AsyncClient(base_url=self.system.url(f"{service}-api"), headers={"X-API-Key": key})

    async def refer(self, *needs: str) -> str:
        """Refer the planted resident; returns the referral's id."""
        person = {name: PLANTED[name] for name in ("name", "phone", "postcode")}
        form = {"channel": "phone", "person": person, "needs": list(needs), "notes": PLANTED["notes"]}
        async with self.api("intake") as intake:
            answer = await intake.post("/v1/referrals", json={**form, "household": {"adults": 1}})
        assert answer.status_code == httpx.codes.CREATED, answer.text
        return answer.json()["referral_id"]

    def logged(self, process: str) -> str:
        """What a process has logged."""
        return "".join(path.read_text() for path in self.logs.glob(f"{process}*"))


@pytest.fixture(scope="module")
def seen() -> Iterator[Collector]:
    with collector() as running:
        yield running


@pytest.fixture(scope="module")
async def traced(seen: Collector, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Traced]:
    """Only what is always sampled is sampled."""
    environment = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": seen.url, "OTEL_TRACES_SAMPLER_ARG": "0"}
    root = Root(tmp_path_factory.mktemp("traced"))
    plan = runner.Plan(usual_ports=False)
    async with runner.running(root, read_settings(environment), plan, print) as running:
        yield Traced(running.system, seen, root.logs)


async def until(look: Callable[[], Awaitable[Any]]) -> Any:
    end = time.monotonic() + SECONDS
    while not (found := await look()):
        assert time.monotonic() < end, look
    return found


async def span_of(traced: Traced, service: str, name: str) -> Seen:
    async def look() -> Any:
        await asyncio.sleep(0.05)
        return [span for span in traced.seen.spans if (span.service, span.name) == (service, name)]

    return (await until(look))[0]


@pytest.mark.timeout(300)
async def test_referral_is_one_trace_over_all_services(traced: Traced) -> None:
    other = await traced.refer("food-parcel")
    referral_id = await traced.refer("safeguarding-adult", "food-parcel")
    answered = await span_of(traced, "escalation", "POST /v1/call-backs")
    await ring(traced, referral_id)
    await span_of(traced, "foodhub", "process bdcan.volunteer-match.welfare-call.completed.v1")
    await span_of(traced, "intake", "process bdcan.escalation.escalation.acknowledged.v1")
    whole = await until(lambda: complete(traced, answered))
    by_id = {span.span: span for span in whole}

    def parent(span: Seen) -> tuple[str, str]:
        return by_id[span.parent].service, by_id[span.parent].name

    def named(service: str, name: str) -> Seen:
        return next(span for span in whole if (span.service, span.name) == (service, name))

    assert {span.service for span in whole} == set(SERVICES)
    [root] = [span for span in whole if not span.parent]
    assert (root.service, root.name) == ("intake", "POST /v1/referrals")
    for span in traced.seen.spans:
        if span.trace != root.trace:  # a batch that handled several records of it
            assert span.name.startswith("batch ")
            assert {trace for trace, _ in span.links} == {root.trace}
    raised = named("escalation", "process bdcan.intake.safeguarding-concern.raised.v1")
    assert parent(raised) == ("intake", "POST /v1/referrals")
    assert parent(named("intake", "send bdcan.intake.safeguarding.v1")) == ("intake", "POST /v1/referrals")
    assert parent(named("escalation", "pass forward-safeguarding")) == ("escalation", raised.name)
    assert parent(named("intake", "POST /v1/disclosures")) == ("escalation", "disclose")
    for step in ("disclose", "forward"):
        assert parent(named("escalation", step)) == ("escalation", "pass forward-safeguarding")
    assert parent(answered)[0] == "escalation"
    assert {s.attributes.get("bdcan.subject") for s in whole} >= {referral_id}
    assert other not in {s.attributes.get("bdcan.subject") for s in traced.seen.spans}
    for word in WORDS:
        assert word not in traced.seen.received
    assert root.trace in traced.logged("intake-api")


async def complete(traced: Traced, span: Seen) -> list[Seen]:
    """The trace of a span, once no span of it has a parent that is still on its way."""
    await asyncio.sleep(0.05)
    whole = traced.seen.trace_of(span)
    lost = {other.parent for other in whole} - {other.span for other in whole} - {""}
    return [] if lost else whole


async def ring(traced: Traced, referral_id: str) -> None:
    """The welfare call about the other need."""
    async with traced.api("volunteer-match") as calls:

        async def due() -> Any:
            listed = (await calls.get("/v1/welfare-calls")).json()["items"]
            return [call["call_id"] for call in listed if call["referral_id"] == referral_id]

        [call_id] = await until(due)
        for step in ("claim", "outcome"):
            body = {"outcome": "answered"} if step == "outcome" else None
            answer = await calls.post(f"/v1/welfare-calls/{call_id}/{step}", json=body)
            assert answer.is_success, answer.text
