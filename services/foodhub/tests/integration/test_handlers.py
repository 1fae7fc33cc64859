"""What the foodhub does with events: once, twice, and in any order across topics."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from bdcan_chassis.ids import derived_id, new_id
from bdcan_chassis.testing.harness import START, Harness
from bdcan_contracts.models import (
    CallNeedResult,
    Household,
    ParcelCancelled,
    ParcelDelivered,
    ParcelDispatched,
    ParcelRequested,
    ParcelReturned,
    Priority,
    TaskAccepted,
    TaskCancelled,
    TaskCompleted,
    TaskFailed,
)
from bdcan_contracts.vocabulary import Diet, NeedCode, TaskKind


async def the_parcel(foodhub: Harness, parcel_id: UUID) -> dict[str, Any]:
    answer = await foodhub.http.get(f"/v1/parcels/{parcel_id}")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def told(foodhub: Harness) -> list[str]:
    return [e.type.split(".")[-2] for e in await foodhub.emitted() if ".parcel." in e.type]


async def packed(foodhub: Harness, tell: Any, call: Any, need_id: UUID) -> UUID:
    parcel_id = derived_id(need_id, "parcel")
    await tell.received(foodhub, tell.asked_for(call))
    await foodhub.deliver(call)
    await foodhub.run("allocate")
    for step in ("picking", "packing"):
        assert (await foodhub.http.post(f"/v1/parcels/{parcel_id}/{step}")).status_code == 200
    await foodhub.emitted()
    return parcel_id


async def test_repeated_call_makes_one_parcel(foodhub, tell):
    call, need_id = tell.call_completed()
    record = foodhub.record(call)
    await foodhub.deliver(record, record)
    await foodhub.deliver(record)
    await foodhub.deliver(call)  # a second event that says the same
    assert await told(foodhub) == ["requested"]
    assert len((await foodhub.http.get("/v1/parcels")).json()["items"]) == 1
    assert set(await foodhub.deadlines()) == {("parcel-due", derived_id(need_id, "parcel"))}


async def test_call_about_other_needs_makes_no_parcel(foodhub, tell):
    declined, _ = tell.call_completed(result=CallNeedResult.DECLINED)
    housing, _ = tell.call_completed(NeedCode.HOUSING)
    await foodhub.deliver(declined, housing)
    assert await told(foodhub) == []


async def test_unknown_food_need_of_a_newer_release_gets_the_parcel_of_its_lane(foodhub, tell):
    call, need_id = tell.call_completed()
    unknown = call.needs[0].model_copy(update={"code": "easter-eggs"})
    await foodhub.deliver(call.model_copy(update={"needs": (unknown,)}))
    parcel = await the_parcel(foodhub, derived_id(need_id, "parcel"))
    assert parcel["code"] == "easter-eggs"
    assert {line["item_id"] for line in parcel["lines"]} == set(tell.asked_for(call))


async def test_food_need_found_at_the_call_becomes_a_parcel(foodhub, tell):
    call, _ = tell.call_completed(
        NeedCode.BABY_SUPPLIES,
        CallNeedResult.FOUND,
        household=Household(adults=1, infants=1),
        hub_id="thames",
    )
    await foodhub.deliver(call)
    (event,) = await foodhub.emitted(ParcelRequested)
    assert (event.data.code, event.data.site_id, event.data.items) == (NeedCode.BABY_SUPPLIES, "becontree", 9)


async def test_withdrawal_before_the_call_makes_no_parcel(foodhub, tell):
    call, _ = tell.call_completed()
    await foodhub.deliver(tell.withdrawn(call.referral_id))
    await foodhub.deliver(call)
    assert await told(foodhub) == []


async def test_withdrawal_frees_reserved_stock(foodhub, tell):
    call, _need_id = tell.call_completed()
    await tell.received(foodhub, tell.asked_for(call))
    await foodhub.deliver(call)
    await foodhub.run("allocate")
    record = foodhub.record(tell.withdrawn(call.referral_id), traffic_class="bulk")
    await foodhub.deliver(record)
    await foodhub.deliver(record)
    assert await told(foodhub) == ["requested", "reserved", "cancelled"]
    stock = (await foodhub.http.get("/v1/summary")).json()["stock"]
    assert (stock["reserved"], stock["on_hand"], stock["balanced"]) == (0, stock["received"], True)
    assert await foodhub.deadlines() == {}


async def test_withdrawal_returns_a_packed_parcel_to_stock(foodhub, tell):
    call, need_id = tell.call_completed()
    await packed(foodhub, tell, call, need_id)
    await foodhub.deliver(tell.withdrawn(call.referral_id))
    stock = (await foodhub.http.get("/v1/summary")).json()["stock"]
    assert (stock["issued"], stock["on_hand"]) == (0, stock["received"])
    moves = await foodhub.fetch("SELECT kind, sum(quantity) AS n FROM movement GROUP BY kind ORDER BY kind")
    sums = {r["kind"]: r["n"] for r in moves}
    assert sums["issued"] == sums["put-back"] == sums["received"]


async def test_parcel_withdrawn_on_the_road_is_unpacked_when_it_returns(foodhub, tell):
    call, need_id = tell.call_completed()
    parcel_id = await packed(foodhub, tell, call, need_id)
    await foodhub.deliver(tell.delivery_task(TaskAccepted, parcel_id))
    await foodhub.deliver(tell.withdrawn(call.referral_id))
    assert (await the_parcel(foodhub, parcel_id))["state"] == "dispatched"
    await foodhub.deliver(tell.delivery_task(TaskFailed, parcel_id))
    kinds = [type(e.data) for e in await foodhub.emitted()]
    assert kinds == [ParcelDispatched, ParcelReturned, ParcelCancelled]
    assert (await foodhub.http.get("/v1/summary")).json()["stock"]["issued"] == 0


async def test_parcel_with_a_cancelled_delivery_returns_and_is_unpacked(foodhub, tell):
    call, need_id = tell.call_completed()
    parcel_id, task_id = await packed(foodhub, tell, call, need_id), new_id()
    cancelled = foodhub.record(tell.delivery_task(TaskCancelled, parcel_id, task_id))
    await foodhub.deliver(tell.delivery_task(TaskAccepted, parcel_id, task_id))
    await foodhub.deliver(cancelled)
    await foodhub.deliver(cancelled)
    kinds = [type(e.data) for e in await foodhub.emitted()]
    assert kinds == [ParcelDispatched, ParcelReturned, ParcelCancelled]
    stock = (await foodhub.http.get("/v1/summary")).json()["stock"]
    assert (stock["issued"], stock["on_hand"]) == (0, stock["received"])
    assert await foodhub.deadlines() == {}


@pytest.mark.parametrize("traffic_class", [None, "bulk"])
async def test_need_withdrawn_by_amendment_has_no_parcel_in_any_order(foodhub, tell, traffic_class):
    before, gone = tell.call_completed()
    kept, staying = tell.call_completed(referral_id=before.referral_id)
    await foodhub.deliver(before, kept)
    await foodhub.deliver(tell.amended(before.referral_id, gone), traffic_class=traffic_class)
    late, late_need = tell.call_completed()
    await foodhub.deliver(tell.amended(late.referral_id, late_need), traffic_class=traffic_class)
    await foodhub.deliver(late)
    events = [
        (e.type.split(".")[-2], e.data.need_id) for e in await foodhub.emitted() if ".parcel." in e.type
    ]
    assert events == [("requested", gone), ("requested", staying), ("cancelled", gone)]


async def test_failed_delivery_is_completed_by_the_next_volunteer(foodhub, tell):
    call, need_id = tell.call_completed()
    parcel_id = await packed(foodhub, tell, call, need_id)
    task_id = new_id()
    await foodhub.deliver(
        tell.delivery_task(TaskAccepted, parcel_id, task_id),
        tell.delivery_task(TaskFailed, parcel_id, task_id),
        tell.delivery_task(TaskAccepted, parcel_id, task_id),
        tell.delivery_task(TaskCompleted, parcel_id, task_id),
    )
    kinds = [type(e.data) for e in await foodhub.emitted()]
    assert kinds == [ParcelDispatched, ParcelReturned, ParcelDispatched, ParcelDelivered]


async def test_late_acceptance_leaves_a_delivered_parcel_delivered(foodhub, tell):
    call, need_id = tell.call_completed()
    parcel_id = await packed(foodhub, tell, call, need_id)
    await foodhub.deliver(tell.delivery_task(TaskCompleted, parcel_id))
    await foodhub.deliver(tell.delivery_task(TaskAccepted, parcel_id))
    await foodhub.deliver(tell.delivery_task(TaskFailed, parcel_id))
    assert (await the_parcel(foodhub, parcel_id))["state"] == "delivered"
    assert [type(e.data) for e in await foodhub.emitted()] == [ParcelDelivered]


async def test_other_tasks_and_unknown_parcels_are_ignored(foodhub, tell):
    shopping = TaskCompleted(
        task_id=new_id(), referral_id=new_id(), need_id=new_id(), kind=TaskKind.SHOPPING, completed_at=START
    )
    outcome = await foodhub.deliver(shopping, tell.delivery_task(TaskAccepted, new_id()))
    assert outcome["handled"] == 2
    assert await foodhub.emitted() == []


async def test_waiting_parcel_moves_to_the_new_hub_and_site(foodhub, tell):
    call, need_id = tell.call_completed()
    await foodhub.deliver(call)
    await foodhub.deliver(tell.reassigned(call.referral_id, "thames", 3))
    await foodhub.deliver(tell.reassigned(call.referral_id, "heath", 2), traffic_class="bulk")  # old news
    parcel = await the_parcel(foodhub, derived_id(need_id, "parcel"))
    assert (parcel["hub_id"], parcel["site_id"]) == ("thames", "becontree")


async def test_newest_hub_counts_when_reassignment_precedes_the_call(foodhub, tell):
    call, need_id = tell.call_completed()
    await foodhub.deliver(tell.reassigned(call.referral_id, "thames"))
    await foodhub.deliver(call)
    parcel = await the_parcel(foodhub, derived_id(need_id, "parcel"))
    assert (parcel["hub_id"], parcel["site_id"]) == ("thames", "becontree")


async def test_reserved_parcel_changes_when_a_second_call_finds_an_allergy(foodhub, tell):
    call, need_id = tell.call_completed()
    await tell.received(foodhub, tell.asked_for(call))
    await foodhub.deliver(call)
    await foodhub.run("allocate")
    again, _ = tell.call_completed(
        result=CallNeedResult.CHANGED,
        need_id=need_id,
        referral_id=call.referral_id,
        diets=(Diet.SEAFOOD_ALLERGY,),
    )
    await foodhub.deliver(again)
    stock = {s["item_id"]: s for s in (await foodhub.http.get("/v1/stock")).json()["items"]}
    assert stock["fish-tin"]["reserved"] == 0
    await tell.received(foodhub, {"chickpeas-tin": 3})
    await foodhub.run("allocate")
    parcel = await the_parcel(foodhub, derived_id(need_id, "parcel"))
    assert parcel["state"] == "reserved"
    assert {"item_id": "chickpeas-tin", "unit": "each", "quantity": 3, "instead_of": "fish-tin"} in parcel[
        "lines"
    ]


async def test_cancelled_parcel_is_replaced_when_a_later_call_confirms_the_need(foodhub, tell):
    call, need_id = tell.call_completed()
    same = {"need_id": need_id, "referral_id": call.referral_id}
    await foodhub.deliver(call)
    await foodhub.deliver(tell.call_completed(result=CallNeedResult.DECLINED, **same)[0])
    await foodhub.deliver(tell.call_completed(**same)[0])
    await foodhub.deliver(tell.call_completed(**same)[0])
    assert await told(foodhub) == ["requested", "cancelled", "requested"]
    assert (await the_parcel(foodhub, derived_id(need_id, "parcel-2")))["state"] == "requested"


async def test_late_parcel_is_overdue_until_it_arrives(foodhub, tell):
    call, need_id = tell.call_completed(priority=Priority.URGENT)
    await foodhub.deliver(call)
    parcel_id = derived_id(need_id, "parcel")
    foodhub.clock.advance(timedelta(hours=23))
    assert await foodhub.fire() == 0
    foodhub.clock.advance(timedelta(hours=1))
    assert await foodhub.fire() == 1
    assert (await the_parcel(foodhub, parcel_id))["overdue"]
    assert (await foodhub.http.get("/v1/summary")).json()["overdue"] == 1
    assert (await foodhub.deadlines())["parcel-due", parcel_id] == START + timedelta(hours=48)
