"""Dates are those of the borough's clock, and an office's promises run in working time."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from bdcan_chassis.testing.harness import Harness
from bdcan_contracts import models as m
from bdcan_contracts import vocabulary

SUMMER_NIGHT = datetime(2026, 6, 14, 23, 30, tzinfo=UTC)
"""15 June, half past midnight in London."""


async def by_form(given: Harness, born: str) -> None:
    body = {"channel": "phone", "person": {"name": "Baby Example", "birth_date": born}}
    assert (await given.http.post("/v1/referrals", json=body)).status_code == 201


async def by_file(given: Harness, born: str) -> None:
    content = f"reference,name,birth_date\nR-1,Baby Example,{born}\n"
    done = await given.http.post("/v1/referral-imports?source=midwives", content=content)
    assert done.json()["accepted"] == 1


async def by_topic(given: Harness, born: str) -> None:
    person = m.Person(name="Baby Example", birth_date=date.fromisoformat(born))
    channel = vocabulary.Channel.GP
    await given.deliver(
        m.InboundReferralSubmitted(source="midwives", reference="R-1", channel=channel, person=person)
    )


async def by_amendment(given: Harness, born: str) -> None:
    body = {"channel": "phone", "person": {"name": "Baby Example"}, "needs": ["baby-supplies"]}
    made = (await given.http.post("/v1/referrals", json=body)).json()["referral_id"]
    amended = await given.http.post(f"/v1/referrals/{made}/amendments", json={"person": {"birth_date": born}})
    assert amended.status_code == 200


@pytest.mark.parametrize("door", [by_form, by_file, by_topic, by_amendment])
@pytest.mark.parametrize(("born", "kept"), [("2026-06-15", "2026-06-15"), ("2026-06-16", None)])
async def test_birth_today_is_read_by_the_local_date(given: Harness, door: Any, born: str, kept: str | None):
    given.clock.instant = SUMMER_NIGHT
    await door(given, born)
    [row] = await given.fetch("SELECT birth_date::text, unclear->>'birth_date' AS typed FROM resident")
    assert tuple(row) == (kept, None if kept else born)


async def test_a_call_leaves_the_birth_of_today_as_it_is(given: Harness):
    given.clock.instant = SUMMER_NIGHT
    await by_form(given, "2026-06-15")
    [received] = await given.emitted(m.ReferralReceived)
    await given.deliver(_called(received.data.referral_id, given.clock.now(), notes=True))
    [row] = await given.fetch("SELECT birth_date::text, unclear FROM resident")
    assert row["birth_date"] == "2026-06-15"


def _called(referral_id: UUID, at: datetime, *codes: tuple[str, m.Lane], notes: bool = False) -> Any:
    return m.WelfareCallCompleted(
        referral_id=referral_id,
        call_id=uuid4(),
        hub_id="thames-ward",
        attempt=1,
        priority=m.Priority.STANDARD,
        needs=tuple(
            m.CalledNeed(need_id=uuid4(), code=code, lane=lane, result=m.CallNeedResult.FOUND)
            for code, lane in codes
        ),
        completed_at=at,
        corrections=m.CallCorrections(household=m.Household(adults=2)) if notes else None,
    )


CHRISTMAS_EVE = datetime(2020, 12, 24, 16, 0, tzinfo=UTC)
NEXT_OPEN = datetime(2020, 12, 29, 16, 0, tzinfo=UTC)
"""25 and 28 December 2020 were bank holidays, and a weekend lay between them."""


async def _due(given: Harness, referral_id: UUID) -> dict[str, datetime]:
    shown = (await given.http.get(f"/v1/referrals/{referral_id}")).json()
    return {need["code"]: datetime.fromisoformat(need["due_at"]) for need in shown["needs"]}


async def test_councils_acknowledgement_is_due_on_a_working_day(given: Harness):
    given.clock.instant = CHRISTMAS_EVE
    body = {"channel": "phone", "person": {"name": "Amina Example"}, "needs": ["debt", "safeguarding-adult"]}
    made = UUID((await given.http.post("/v1/referrals", json=body)).json()["referral_id"])
    [received] = await given.emitted(m.ReferralReceived)
    exhausted = m.WelfareCallExhausted(
        referral_id=made,
        call_id=uuid4(),
        hub_id="thames-ward",
        attempts=4,
        needs=received.data.needs,
        exhausted_at=CHRISTMAS_EVE,
    )
    await given.deliver(exhausted)
    due = await _due(given, made)
    assert due["debt"] == NEXT_OPEN
    assert due["safeguarding-adult"] == CHRISTMAS_EVE + timedelta(hours=1)


async def test_what_a_call_hands_to_the_council_is_due_on_a_working_day(given: Harness):
    given.clock.instant = CHRISTMAS_EVE
    body = {"channel": "phone", "person": {"name": "Amina Example"}, "needs": ["shopping"]}
    made = UUID((await given.http.post("/v1/referrals", json=body)).json()["referral_id"])
    found = (
        ("debt", m.Lane.COMPLEX),
        ("safeguarding-child", m.Lane.SAFEGUARDING),
        ("food-parcel", m.Lane.FOOD),
    )
    await given.deliver(_called(made, CHRISTMAS_EVE, *found))
    due = await _due(given, made)
    assert due["debt"] == NEXT_OPEN
    assert due["safeguarding-child"] == CHRISTMAS_EVE + timedelta(hours=1)
    assert due["food-parcel"] == CHRISTMAS_EVE + timedelta(hours=48)
