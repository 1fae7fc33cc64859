"""What operations sees of referrals and needs: a fault shows in the right series, and goes away with it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from prometheus_client import REGISTRY

from bdcan_chassis.housekeeping import sample
from bdcan_chassis.testing.harness import Harness
from bdcan_intake.metrics import SAMPLES


def read(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, labels)


async def after(given: Harness, **span: float) -> None:
    given.clock.advance(timedelta(**span))
    await sample(given.transactions, SAMPLES)


async def handed_in(given: Harness, *needs: str, **more: Any) -> str:
    body = {"channel": "phone", "person": {"name": "Amina Example", "phone": "07700 900417"}, "needs": needs}
    answer = await given.http.post("/v1/referrals", json=body | more)
    assert answer.status_code == 201, answer.text
    return answer.json()["referral_id"]


async def test_referral_that_routing_never_places_shows(given: Harness) -> None:
    await after(given)
    assert read("bdcan_referrals", state="received") == 0
    assert read("bdcan_stage_oldest_seconds", stage="received") is None
    received = read("bdcan_referrals_received_total", channel="phone") or 0
    await handed_in(given, "shopping")
    assert read("bdcan_referrals_received_total", channel="phone") == received + 1
    await after(given, minutes=30)
    assert read("bdcan_referrals", state="received") == 1
    assert read("bdcan_stage_oldest_seconds", stage="received") == 1800
    assert read("bdcan_referrals_unplaced") == 0
    assert read("bdcan_needs_open", kind="shopping", owner_kind="routing", age="<1h") == 1
    given.clock.advance(timedelta(minutes=31))
    await given.fire()
    await after(given)
    assert read("bdcan_referrals_unplaced") == 1
    await after(given, hours=3)
    assert read("bdcan_needs_overdue", owner="intake") == 1
    assert read("bdcan_needs_open", kind="shopping", owner_kind="intake", age="<1d") == 1
    assert read("bdcan_needs_open", kind="shopping", owner_kind="routing", age="<1h") is None


async def test_stage_says_how_long_half_of_its_referrals_have_waited(given: Harness) -> None:
    await handed_in(given, "shopping")
    given.clock.advance(timedelta(hours=2))
    await handed_in(given, "errand")
    given.clock.advance(timedelta(minutes=10))
    await handed_in(given, "prescription")
    await after(given, minutes=10)
    assert read("bdcan_stage_oldest_seconds", stage="received") == 2 * 3600 + 1200
    assert read("bdcan_stage_median_seconds", stage="received") == 1200
    assert read("bdcan_stage_median_seconds", stage="assigned") is None


def closings() -> list[float]:
    families = [family for family in REGISTRY.collect() if family.name == "bdcan_referrals_closed"]
    return [sample.value for family in families for sample in family.samples]


async def test_closed_referral_is_counted_by_outcome(given: Harness) -> None:
    referral_id = await handed_in(given, "shopping")
    before = sum(closings())
    answer = await given.http.post(f"/v1/referrals/{referral_id}/withdrawal", json={"reason": "declined"})
    assert answer.status_code == 200, answer.text
    assert sum(closings()) == before + 1
    await after(given)
    assert read("bdcan_referrals", state="closed") == 1
    assert read("bdcan_needs", lane="community", state="withdrawn") == 1
    assert read("bdcan_needs", lane="community", state="open") == 0


async def test_few_needs_of_a_sensitive_lane_are_not_counted(given: Harness) -> None:
    for number in range(4):
        await handed_in(given, "debt", reference=f"R-{number}")
    await after(given)
    assert read("bdcan_needs", lane="complex", state="open") is None
    assert read("bdcan_needs_open", kind="complex", owner_kind="routing", age="<1h") is None
    await handed_in(given, "debt", reference="R-4")
    await after(given)
    assert read("bdcan_needs", lane="complex", state="open") == 5
    assert read("bdcan_needs_open", kind="complex", owner_kind="routing", age="<1h") == 5
