"""A home that routing finds out of area, and one that was found so by a slip: calls and tasks follow, in any order."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from volunteer_match_story import (
    assigned,
    closed,
    held_for_triage,
    need,
    only_call,
    out_of_area,
    packed,
    reopened,
    report,
    task,
)

from bdcan_chassis.testing.harness import Harness
from bdcan_contracts.models import NeedState, ReferralAssigned
from bdcan_contracts.vocabulary import NeedCode


async def calls(given: Harness) -> list[dict[str, Any]]:
    return (await given.http.get("/v1/welfare-calls?state=due")).json()["items"]


def outside(event: ReferralAssigned) -> Any:
    """What intake says when it closes a referral that is out of area."""
    ids = [n.need_id for n in event.needs]
    return closed(event.referral_id, *ids, state=NeedState.UNMET, reason="out-of-area")


async def test_nobody_rings_out_of_area(given: Harness) -> None:
    event = assigned()
    await given.deliver(event, out_of_area(event))
    assert await calls(given) == []


async def test_tasks_end_although_the_council_keeps_the_referral_open(given: Harness) -> None:
    event = assigned(needs=(need(NeedCode.ERRAND), need(NeedCode.SAFEGUARDING_ADULT)))
    await given.deliver(event)
    [task_id] = (await report(given, (await only_call(given))["call_id"], outcome="answered"))["task_ids"]
    await given.deliver(out_of_area(event))
    found = await task(given, task_id)
    assert found["state"] == "cancelled"


@pytest.mark.parametrize("says", [out_of_area, outside])
async def test_late_parcel_is_not_brought_out_of_area(given: Harness, says: Any) -> None:
    event = assigned(needs=(need(NeedCode.FOOD_PARCEL),))
    await given.deliver(event)
    await given.deliver(says(event))
    await given.deliver(packed(event.referral_id, need_id=event.needs[0].need_id))
    assert (await given.http.get("/v1/tasks")).json()["items"] == []


@pytest.mark.parametrize("order", list(permutations(range(2))))
@pytest.mark.parametrize("late", [False, True])
async def test_a_slip_that_is_undone_leads_to_a_call(
    given: Harness, order: tuple[int, ...], late: bool
) -> None:
    first = assigned()
    slip, again = out_of_area(first), assigned(first.referral_id, needs=first.needs, version=3)
    routings = [slip, again]
    intakes = [outside(first), reopened(first)]
    batches = [routings, intakes]
    if not late:
        await given.deliver(first)
    for place in order:
        for event in batches[place]:
            await given.deliver(event)
    [call] = await calls(given)
    assert (call["hub_id"], len(call["needs"])) == ("thames", 1)
    assert (await report(given, call["call_id"], outcome="answered"))["state"] == "answered"


async def test_a_closing_that_crossed_with_the_undoing_does_not_end_the_call(given: Harness) -> None:
    first = assigned()
    again = assigned(first.referral_id, needs=first.needs, version=3)
    await given.deliver(first, out_of_area(first), again)
    await given.deliver(outside(first))
    await given.deliver(reopened(first))
    assert len(await calls(given)) == 1


async def test_a_placement_that_is_undone_takes_the_call_from_the_hub(given: Harness) -> None:
    first = assigned()
    await given.deliver(first, held_for_triage(first))
    assert await calls(given) == []
    await given.deliver(assigned(first.referral_id, needs=first.needs, version=3, hub_id="heath"))
    [call] = await calls(given)
    assert (call["hub_id"], call["needs"][0]["need_id"]) == ("heath", str(first.needs[0].need_id))
