"""Food never waits for what is no food, and nobody overtakes on an item that is short, not even across passes."""

from __future__ import annotations

from datetime import timedelta

from bdcan_chassis.ids import derived_id
from bdcan_contracts.models import Household, ParcelReserved, Priority
from bdcan_contracts.vocabulary import NeedCode
from bdcan_foodhub import store
from bdcan_foodhub.domain.parcel import OWED_WITHIN


async def seen(foodhub, need_id):
    return (await foodhub.http.get(f"/v1/parcels/{derived_id(need_id, 'parcel')}")).json()


async def test_food_goes_out_when_only_toilet_rolls_are_missing(foodhub, tell):
    calls = [tell.call_completed() for _ in range(3)]
    food = tell.asked_for(calls[0][0], times=3)
    food["toilet-roll"] -= 1
    await tell.received(foodhub, food)
    await foodhub.deliver(*(call for call, _ in calls))
    await foodhub.run("allocate")
    assert len(await foodhub.emitted(ParcelReserved)) == 3
    owing = (await foodhub.http.get("/v1/back-orders")).json()["items"]
    assert len(owing) == 1
    (owed,) = owing[0]["owed"]
    assert (owed["item_id"], owed["quantity"], owed["ready"]) == ("toilet-roll", 2, False)
    assert owing[0]["owed_due_at"] is not None
    assert "toilet-roll" not in {line["item_id"] for line in owing[0]["lines"]}
    async with foodhub.transactions.pool.acquire() as connection:
        assert await store.stock.DRIFTED.all(connection) == []


async def test_baby_food_does_not_wait_for_nappies(foodhub, tell):
    call, need_id = tell.call_completed(NeedCode.BABY_SUPPLIES, household=Household(adults=1, infants=1))
    await tell.received(foodhub, {"baby-food-pouch": 6})
    await foodhub.deliver(call)
    await foodhub.run("allocate")
    parcel = await seen(foodhub, need_id)
    assert (parcel["state"], [x["item_id"] for x in parcel["lines"]]) == ("reserved", ["baby-food-pouch"])


async def test_parcel_without_food_waits_until_it_is_whole(foodhub, tell):
    call, need_id = tell.call_completed(NeedCode.HYGIENE_SUPPLIES)
    await tell.received(foodhub, {"soap-bar": 9})
    await foodhub.deliver(call)
    await foodhub.run("allocate")
    assert (await seen(foodhub, need_id))["state"] == "short"


async def test_missing_rolls_join_the_parcel_while_nobody_picks_it(foodhub, tell):
    call, need_id = tell.call_completed()
    wanted = tell.asked_for(call)
    await tell.received(foodhub, {item: n for item, n in wanted.items() if item != "toilet-roll"})
    await foodhub.deliver(call)
    await foodhub.run("allocate")
    await tell.received(foodhub, {"toilet-roll": 2})
    await foodhub.run("allocate")
    parcel = await seen(foodhub, need_id)
    assert {x["item_id"]: x["quantity"] for x in parcel["lines"]} == wanted
    assert (await foodhub.http.get("/v1/back-orders")).json()["items"] == []


async def test_missing_rolls_follow_a_parcel_that_has_left(foodhub, tell):
    call, need_id = tell.call_completed()
    path = f"/v1/parcels/{derived_id(need_id, 'parcel')}"
    wanted = tell.asked_for(call)
    await tell.received(foodhub, {item: n for item, n in wanted.items() if item != "toilet-roll"})
    await foodhub.deliver(call)
    await foodhub.run("allocate")
    for step in ("picking", "packing"):
        assert (await foodhub.http.post(f"{path}/{step}")).status_code == 200
    body = {"outcome": "sent", "reason": "with-the-next-parcel"}
    early = await foodhub.http.post(f"{path}/back-order", json=body)
    assert early.status_code == 409
    late = foodhub.clock.now() + OWED_WITHIN
    assert (await seen(foodhub, need_id))["owed_due_at"] == late.isoformat().replace("+00:00", "Z")
    await tell.received(foodhub, {"toilet-roll": 2})
    await foodhub.run("allocate")
    (owed,) = (await seen(foodhub, need_id))["owed"]
    assert owed["ready"]
    sent = await foodhub.http.post(f"{path}/back-order", json=body)
    assert (sent.status_code, sent.json()["owed"]) == (200, [])
    stock = (await foodhub.http.get("/v1/summary")).json()["stock"]
    assert (stock["on_hand"], stock["reserved"], stock["balanced"]) == (0, 0, True)
    async with foodhub.transactions.pool.acquire() as connection:
        assert await store.stock.DRIFTED.all(connection) == []


async def test_rolls_that_nobody_needs_any_more_are_freed(foodhub, tell):
    call, need_id = tell.call_completed()
    path = f"/v1/parcels/{derived_id(need_id, 'parcel')}"
    await tell.received(foodhub, {i: n for i, n in tell.asked_for(call).items() if i != "toilet-roll"})
    await foodhub.deliver(call)
    await foodhub.run("allocate")
    done = await foodhub.http.post(f"{path}/back-order", json={"outcome": "not-needed", "reason": "has-some"})
    assert done.json()["owed"] == []
    await tell.received(foodhub, {"toilet-roll": 2})
    await foodhub.run("allocate")
    assert (await foodhub.http.get("/v1/summary")).json()["stock"]["reserved"] == sum(
        x["quantity"] for x in done.json()["lines"]
    )


async def test_later_small_parcel_does_not_overtake_across_passes(foodhub, tell):
    large, large_need = tell.call_completed(household=Household(adults=8))
    stock = tell.asked_for(large, times=2)
    stock["soup-tin"] = tell.asked_for(large)["soup-tin"] - 1
    await tell.received(foodhub, stock)
    await foodhub.deliver(large)
    await foodhub.run("allocate")
    assert (await seen(foodhub, large_need))["state"] == "short"
    foodhub.clock.advance(timedelta(minutes=30))
    small, small_need = tell.call_completed(household=Household(adults=1))
    await foodhub.deliver(small)
    await foodhub.run("allocate")
    assert (await seen(foodhub, small_need))["state"] == "short"
    await tell.received(foodhub, {"soup-tin": 1})
    await foodhub.run("allocate")
    assert (await seen(foodhub, large_need))["state"] == "reserved"


async def test_parcel_that_is_due_earlier_still_goes_first(foodhub, tell):
    large, large_need = tell.call_completed(household=Household(adults=8))
    stock = tell.asked_for(large, times=2)
    stock["soup-tin"] = tell.asked_for(large)["soup-tin"] - 1
    await tell.received(foodhub, stock)
    await foodhub.deliver(large)
    await foodhub.run("allocate")
    urgent, urgent_need = tell.call_completed(household=Household(adults=1), priority=Priority.URGENT)
    await foodhub.deliver(urgent)
    await foodhub.run("allocate")
    assert (await seen(foodhub, urgent_need))["state"] == "reserved"
    assert (await seen(foodhub, large_need))["state"] == "short"


async def test_rolls_go_first_to_who_waited_first(foodhub, tell):
    first, first_need = tell.call_completed(household=Household(adults=8))
    food = tell.asked_for(first, times=3)
    food["toilet-roll"] = 2
    await tell.received(foodhub, food)
    await foodhub.deliver(first)
    await foodhub.run("allocate")
    foodhub.clock.advance(timedelta(minutes=30))
    second, second_need = tell.call_completed(household=Household(adults=1))
    await foodhub.deliver(second)
    await foodhub.run("allocate")
    assert [o["item_id"] for o in (await seen(foodhub, second_need))["owed"]] == ["toilet-roll"]
    await tell.received(foodhub, {"toilet-roll": 1})
    await foodhub.run("allocate")
    assert (await seen(foodhub, first_need))["owed"] == []
    assert len((await seen(foodhub, second_need))["owed"]) == 1


async def test_urgent_parcel_goes_out_though_two_supplies_are_missing(foodhub, tell):
    call, need_id = tell.call_completed(
        NeedCode.BABY_SUPPLIES, household=Household(adults=1, infants=1), priority=Priority.URGENT
    )
    food, _ = tell.call_completed()
    await tell.received(foodhub, {"baby-food-pouch": 6})
    await foodhub.deliver(food, call)
    await foodhub.run("allocate")
    parcel = await seen(foodhub, need_id)
    assert (parcel["state"], parcel["priority"]) == ("reserved", "urgent")
    assert {o["item_id"] for o in parcel["owed"]} == {"nappies-pack", "baby-wipes-pack"}
    assert (parcel["owed_by"], parcel["owed_due_at"] is None) == ("site:central", False)
    for step in ("picking", "packing"):
        assert (await foodhub.http.post(f"/v1/parcels/{parcel['parcel_id']}/{step}")).status_code == 200
    await tell.received(foodhub, {"nappies-pack": 1})
    await foodhub.run("allocate")
    [listed] = (await foodhub.http.get("/v1/back-orders")).json()["items"]
    assert {o["item_id"]: o["ready"] for o in listed["owed"]} == {
        "nappies-pack": True,
        "baby-wipes-pack": False,
    }
    sent = await foodhub.http.post(
        f"/v1/parcels/{parcel['parcel_id']}/back-order", json={"outcome": "sent", "reason": "by-bicycle"}
    )
    assert [o["item_id"] for o in sent.json()["owed"]] == ["baby-wipes-pack"]
    assert (sent.json()["owed_by"], sent.json()["owed_due_at"]) == ("site:central", parcel["owed_due_at"])


async def test_nothing_is_owed_to_somebody_who_moved_away(foodhub, tell):
    call, need_id = tell.call_completed()
    await tell.received(foodhub, {i: n for i, n in tell.asked_for(call).items() if i != "toilet-roll"})
    await foodhub.deliver(call)
    await foodhub.run("allocate")
    assert (await seen(foodhub, need_id))["owed_by"] == "site:central"
    await foodhub.deliver(tell.out_of_area(call.referral_id))
    parcel = await seen(foodhub, need_id)
    assert (parcel["state"], parcel["owed"], parcel["owed_by"]) == ("cancelled", [], None)
