"""A repeated request: while the referral is open it is a duplicate, once it is closed the person needs help again."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))  # intake_story.py is shared by all tests

import intake_story as s  # pyright: ignore[reportMissingImports] # found by the line above

from bdcan_chassis.testing.harness import Harness
from bdcan_contracts import models as m
from bdcan_contracts import vocabulary

BODY = {
    "channel": "phone",
    "reference": "week-12",
    "person": {"name": "Amina Example", "phone": "07700 900417"},
    "needs": ["shopping"],
}


async def hand_in(given: Harness, **more: Any) -> Any:
    return await given.http.post("/v1/referrals", json=BODY | more)


async def close(given: Harness, referral_id: str) -> None:
    path = f"/v1/referrals/{referral_id}/withdrawal"
    answer = await given.http.post(path, json={"reason": "no-longer-needed"})
    assert answer.json()["state"] == "closed"


@pytest.mark.parametrize("notes", [None, "She has moved."])
async def test_closed_referral_is_followed_by_a_new_one(given: Harness, notes: str | None):
    first = (await hand_in(given)).json()["referral_id"]
    await close(given, first)
    given.clock.advance(timedelta(days=7))
    await given.emitted()
    again = await hand_in(given, **({"notes": notes} if notes else {}))
    assert again.status_code == 201
    assert (again.json()["previous_referral_id"], again.json()["reference"]) == (first, "week-12")
    [received] = await given.emitted()
    assert received.data.previous_referral_id == UUID(first)
    old = (await given.http.get(f"/v1/referrals/{first}")).json()
    assert (old["next_referral_id"], old["reference"]) == (again.json()["referral_id"], "week-12")
    listed = (await given.http.get("/v1/referrals?reference=week-12")).json()["items"]
    assert [one["referral_id"] for one in listed] == [first, again.json()["referral_id"]]


async def test_open_referral_answers_its_repetition(given: Harness):
    first = await hand_in(given)
    again = await hand_in(given)
    assert (again.status_code, again.json()["referral_id"]) == (200, first.json()["referral_id"])
    other = await hand_in(given, notes="She has moved.")
    assert other.status_code == 409
    assert first.json()["referral_id"] in other.json()["detail"]


async def test_third_request_follows_the_second(given: Harness):
    chain = []
    for _ in range(3):
        answer = await hand_in(given)
        assert answer.status_code == 201
        chain.append(answer.json())
        await close(given, answer.json()["referral_id"])
    assert [one.get("previous_referral_id") for one in chain] == [
        None,
        chain[0]["referral_id"],
        chain[1]["referral_id"],
    ]


async def test_followed_referral_can_be_reopened(given: Harness):
    first = (await hand_in(given)).json()["referral_id"]
    await close(given, first)
    second = (await hand_in(given)).json()["referral_id"]
    r = s.referral()
    concern = s.escalation(m.EscalationOpened, r, uuid4(), code=vocabulary.NeedCode.SAFEGUARDING_ADULT)
    await given.deliver(concern.model_copy(update={"referral_id": UUID(first)}))
    assert (await given.http.get(f"/v1/referrals/{first}")).json()["state"] == "being-helped"
    assert (await hand_in(given)).json()["referral_id"] == second


async def test_repeated_requests_at_once_open_one_new_referral(given: Harness):
    first = (await hand_in(given)).json()["referral_id"]
    await close(given, first)
    answers = await asyncio.gather(*(hand_in(given) for _ in range(8)))
    assert sorted(a.status_code for a in answers) == [200] * 7 + [201]
    assert len({a.json()["referral_id"] for a in answers}) == 1


async def test_receipt_names_the_referral_that_the_new_one_follows(given: Harness):
    submitted = m.InboundReferralSubmitted(
        source="riverside-surgery",
        reference="week-12",
        channel=vocabulary.Channel.GP,
        needs=(vocabulary.NeedCode.SHOPPING,),
    )
    await given.deliver(submitted)
    [first] = await given.emitted(m.InboundReferralAccepted)
    await close(given, str(first.data.referral_id))
    await given.emitted()
    await given.deliver(submitted, submitted)
    again, duplicate = await given.emitted(m.InboundReferralAccepted)
    assert (again.data.duplicate, again.data.previous_referral_id) == (False, first.data.referral_id)
    assert (duplicate.data.duplicate, duplicate.data.referral_id) == (True, again.data.referral_id)
