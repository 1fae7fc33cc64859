"""A resident moves out of the borough: no parcel is packed for them here, in whatever order the news comes."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from bdcan_chassis.ids import derived_id, new_id
from bdcan_chassis.testing.harness import Harness
from bdcan_contracts.models import ParcelCancelled, TaskAccepted, TaskCompleted, TaskFailed


async def state_of(foodhub: Harness, parcel_id: UUID) -> str:
    return (await foodhub.http.get(f"/v1/parcels/{parcel_id}")).json()["state"]


async def bring_to(foodhub: Harness, tell: Any, state: str) -> tuple[Any, UUID, UUID]:
    """A parcel in this state: its call, its id, and its delivery task."""
    call, need_id = tell.call_completed()
    parcel_id, task_id = derived_id(need_id, "parcel"), new_id()
    await foodhub.deliver(call)
    if state == "short":
        await foodhub.run("allocate")
    if state in {"requested", "short"}:
        return call, parcel_id, task_id
    await tell.received(foodhub, tell.asked_for(call))
    await foodhub.run("allocate")
    for step in {"reserved": (), "picking": ("picking",)}.get(state, ("picking", "packing")):
        assert (await foodhub.http.post(f"/v1/parcels/{parcel_id}/{step}", json={})).status_code == 200
    if state == "dispatched":
        await foodhub.deliver(tell.delivery_task(TaskAccepted, parcel_id, task_id))
    assert await state_of(foodhub, parcel_id) == state
    return call, parcel_id, task_id


@pytest.mark.parametrize("state", ["requested", "short", "reserved", "picking", "packed"])
async def test_parcel_of_somebody_who_moved_away_is_cancelled(foodhub: Harness, tell: Any, state: str):
    call, parcel_id, _ = await bring_to(foodhub, tell, state)
    record = foodhub.record(tell.out_of_area(call.referral_id))
    await foodhub.deliver(record)
    await foodhub.deliver(record)
    [cancelled] = await foodhub.emitted(ParcelCancelled)
    assert (cancelled.data.parcel_id, cancelled.data.reason) == (parcel_id, "out-of-area")
    assert await foodhub.deadlines() == {}


async def test_call_that_comes_after_the_move_makes_no_parcel(foodhub: Harness, tell: Any):
    call, need_id = tell.call_completed()
    await foodhub.deliver(tell.out_of_area(call.referral_id))
    await foodhub.deliver(call)
    answer = await foodhub.http.get(f"/v1/parcels/{derived_id(need_id, 'parcel')}")
    assert answer.status_code == 404


@pytest.mark.parametrize("moved_first", [True, False])
async def test_parcel_on_the_road_comes_back_and_is_unpacked(foodhub: Harness, tell: Any, moved_first: bool):
    call, parcel_id, task_id = await bring_to(foodhub, tell, "dispatched")
    news = [
        tell.out_of_area(call.referral_id),
        tell.delivery_task(TaskFailed, parcel_id, task_id),
    ]
    for event in news if moved_first else reversed(news):
        await foodhub.deliver(event)
    [cancelled] = await foodhub.emitted(ParcelCancelled)
    assert cancelled.data.reason == "out-of-area"


async def test_parcel_on_the_road_may_be_delivered_all_the_same(foodhub: Harness, tell: Any):
    call, parcel_id, task_id = await bring_to(foodhub, tell, "dispatched")
    await foodhub.deliver(tell.out_of_area(call.referral_id))
    assert await state_of(foodhub, parcel_id) == "dispatched"
    await foodhub.deliver(tell.delivery_task(TaskCompleted, parcel_id, task_id))
    assert await state_of(foodhub, parcel_id) == "delivered"


async def test_resident_who_is_back_in_the_borough_gets_a_new_parcel(foodhub: Harness, tell: Any):
    call, need_id = tell.call_completed()
    await foodhub.deliver(call)
    await foodhub.deliver(tell.out_of_area(call.referral_id, 2), tell.assigned(call.referral_id, "thames", 3))
    again, _ = tell.call_completed(referral_id=call.referral_id, need_id=need_id)
    await foodhub.deliver(again)
    second = derived_id(need_id, "parcel-2")
    shown = (await foodhub.http.get(f"/v1/parcels/{second}")).json()
    assert (shown["state"], shown["hub_id"], shown["site_id"]) == ("requested", "thames", "becontree")


async def test_older_news_of_a_move_changes_nothing(foodhub: Harness, tell: Any):
    call, parcel_id, _ = await bring_to(foodhub, tell, "requested")
    await foodhub.deliver(tell.reassigned(call.referral_id, "thames", 3))
    await foodhub.deliver(tell.out_of_area(call.referral_id, 2))
    assert await state_of(foodhub, parcel_id) == "requested"
