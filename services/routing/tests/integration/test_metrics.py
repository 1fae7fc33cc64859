"""What operations sees of triage and hubs: a fault shows in the right series, and goes away with it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from prometheus_client import REGISTRY

from bdcan_chassis.housekeeping import sample
from bdcan_contracts.models import Priority, ReferralAssigned
from bdcan_routing.metrics import SAMPLES, TRIAGE_LATE

NOBODY = {"promise": "triage", "hub": "none"}


def read(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, labels)


def counted(outcome: str) -> float:
    return read("bdcan_promises_total", **NOBODY, outcome=outcome) or 0


@pytest.fixture
async def looked(routing):
    async def look(**span: float) -> None:
        routing.clock.advance(timedelta(**span))
        await sample(routing.transactions, SAMPLES)

    await look()
    return look


async def test_triage_that_nobody_does_stays_late_until_somebody_decides(routing, referral, looked):
    held = referral(None, priority=Priority.URGENT)
    await routing.deliver(held)
    await looked(minutes=10)
    where = {"reason": "no-postcode", "priority": "urgent"}
    assert read("bdcan_triage_held", **where) == 1
    assert read("bdcan_triage_held", reason="no-postcode", priority="routine") == 0
    assert read("bdcan_triage_oldest_seconds", **where) == 600
    assert read("bdcan_triage_next_due_seconds", **where) == 1200
    assert read("bdcan_promises_late", **NOBODY) == 0
    assert read("bdcan_promises_due_soon", **NOBODY, within="1h") == 1

    missed, late = counted("missed"), TRIAGE_LATE._value.get()
    for _ in range(3):  # each look sets a new deadline, and the promise stays broken
        routing.clock.advance(timedelta(minutes=31))
        await routing.fire()
        await looked()
        assert read("bdcan_promises_late", **NOBODY) == 1
    assert counted("missed") == missed + 1
    assert TRIAGE_LATE._value.get() == late + 3
    assert read("bdcan_promise_latest_seconds", **NOBODY) == (10 + 93 - 30) * 60

    decided = await routing.http.post(
        f"/v1/triage/{held.referral_id}/decision", json={"hub_id": "hub-1", "reason": "rang"}
    )
    assert decided.status_code == 200, decided.text
    await looked()
    assert read("bdcan_promises_late", **NOBODY) == 0
    assert read("bdcan_promise_latest_seconds", **NOBODY) is None
    assert read("bdcan_triage_held", **where) == 0
    assert counted("missed") == missed + 1


async def test_decision_in_time_is_kept(routing, referral):
    held, kept = referral(None), counted("kept")
    await routing.deliver(held)
    answer = await routing.http.post(
        f"/v1/triage/{held.referral_id}/decision", json={"hub_id": "hub-1", "reason": "rang"}
    )
    assert answer.status_code == 200, answer.text
    assert counted("kept") == kept + 1


async def test_hub_that_pauses_shows_and_wards_are_counted(routing, referral, looked):
    given = referral("IG11 7NB")
    before = wards()
    await routing.deliver(given)
    [event] = await routing.emitted(ReferralAssigned)
    ward, hub = event.data.ward.gss, event.data.hub_id
    assert wards()[ward, hub] == before.get((ward, hub), 0) + 1
    await looked()
    assert read("bdcan_hub_open_referrals", hub=hub) == 1
    assert read("bdcan_hub_paused", hub=hub) == 0
    paused = await routing.http.post(f"/v1/hubs/{hub}/pause", json={"reason": "flood", "open_work": "keep"})
    assert paused.status_code == 200, paused.text
    await looked()
    assert read("bdcan_hub_paused", hub=hub) == 1
    assert read("bdcan_hubs_paused") == 1


def wards():
    return {
        (sample.labels["ward"], sample.labels["hub"]): sample.value
        for family in REGISTRY.collect()
        if family.name == "bdcan_requests_by_ward"
        for sample in family.samples
    }
