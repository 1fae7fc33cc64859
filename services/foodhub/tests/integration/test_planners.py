"""The planners: stock for parcels, and events of stock levels."""

from __future__ import annotations

from datetime import timedelta

from bdcan_chassis.ids import derived_id
from bdcan_chassis.testing.harness import START
from bdcan_contracts.models import ParcelReserved, ParcelShort, Priority, StockChanged, StockFellLow
from bdcan_foodhub import store
from bdcan_foodhub.domain.parcel import RETRY_AFTER


async def test_scarce_stock_goes_to_the_parcel_due_first(foodhub, tell):
    standard, need_a = tell.call_completed()
    urgent, need_b = tell.call_completed(priority=Priority.URGENT)
    await tell.received(foodhub, tell.asked_for(standard))
    await foodhub.deliver(standard, urgent)
    assert await foodhub.run("allocate") == 2
    (reserved,) = await foodhub.emitted(ParcelReserved)
    assert reserved.data.parcel_id == derived_id(need_b, "parcel")
    (short,) = (await foodhub.http.get("/v1/parcels", params={"state": "short"})).json()["items"]
    assert short["parcel_id"] == str(derived_id(need_a, "parcel"))
    assert len(short["missing"]) == len(short["lines"])


async def test_short_parcel_is_reserved_when_stock_arrives(foodhub, tell):
    call, need_id = tell.call_completed()
    await foodhub.deliver(call)
    await foodhub.run("allocate")
    (short,) = await foodhub.emitted(ParcelShort)
    assert short.data.retry_at == START + RETRY_AFTER
    await tell.received(foodhub, {"nappies-pack": 1})
    assert await foodhub.run("allocate") == 0, "what came in is not what it lacks"
    await tell.received(foodhub, tell.asked_for(call))
    assert await foodhub.run("allocate") == 1
    assert len(await foodhub.emitted(ParcelReserved)) == 1
    assert ("parcel-retry", derived_id(need_id, "parcel")) not in await foodhub.deadlines()


async def test_partial_stock_emits_nothing_for_a_short_parcel(foodhub, tell):
    call, _ = tell.call_completed()
    await foodhub.deliver(call)
    await foodhub.run("allocate")
    await foodhub.emitted()
    await tell.received(foodhub, {"soup-tin": 50})
    assert await foodhub.run("allocate") == 1
    assert await foodhub.emitted(ParcelShort) == []
    (short,) = (await foodhub.http.get("/v1/parcels", params={"state": "short"})).json()["items"]
    assert "soup-tin" not in {m["item_id"] for m in short["missing"]}


async def test_short_parcel_is_tried_again_at_its_deadline(foodhub, tell):
    call, need_id = tell.call_completed()
    await foodhub.deliver(call)
    await foodhub.run("allocate")
    await foodhub.emitted()
    foodhub.clock.advance(RETRY_AFTER)
    assert await foodhub.fire() == 1
    assert await foodhub.run("allocate") == 1
    (short,) = await foodhub.emitted(ParcelShort)
    assert short.data.retry_at == START + 2 * RETRY_AFTER
    assert (await foodhub.deadlines())["parcel-retry", derived_id(need_id, "parcel")] == short.data.retry_at


async def test_many_stock_changes_publish_each_item_once(foodhub, tell):
    for _ in range(5):
        await tell.received(foodhub, {"soup-tin": 20, "fish-tin": 1})
    assert await foodhub.run("announce-stock") == 0
    events = {e.data.item_id: e.data for e in await foodhub.emitted()}
    assert isinstance(events["soup-tin"], StockChanged)
    assert (events["soup-tin"].on_hand, events["soup-tin"].version) == (100, 5)
    assert isinstance(events["fish-tin"], StockFellLow)
    await foodhub.run("announce-stock")
    assert await foodhub.emitted() == []


async def test_low_item_is_reported_once_until_it_recovers(foodhub, tell):
    seen = []
    for quantity in (1, 1, 100, 1):
        await tell.received(foodhub, {"soup-tin": quantity})
        await foodhub.run("announce-stock")
        seen += [type(e.data) for e in await foodhub.emitted()]
    assert seen == [StockFellLow, StockChanged, StockChanged, StockChanged]


async def test_two_passes_reserve_three_thousand_parcels(foodhub, tell):
    calls = [tell.call_completed()[0] for _ in range(3000)]
    await tell.received(foodhub, tell.asked_for(calls[0], times=len(calls)))
    for start in range(0, len(calls), 500):
        await foodhub.deliver(*calls[start : start + 500])
    assert [await foodhub.run("allocate") for _ in range(3)] == [2000, 1000, 0]
    summary = (await foodhub.http.get("/v1/summary")).json()
    assert summary["by_state"] == {"reserved": 3000}
    assert summary["stock"]["reserved"] == summary["stock"]["on_hand"]
    async with foodhub.transactions.pool.acquire() as connection:
        assert await store.stock.DRIFTED.all(connection) == []


async def test_stock_check_names_a_tampered_level(foodhub, tell, capsys):
    await tell.received(foodhub, {"soup-tin": 5, "egg": 5})
    check = foodhub.service.commands["check-stock"]
    assert await check(foodhub.transactions, []) == 0
    await foodhub.transactions.pool.execute("UPDATE stock SET received = 6 WHERE item_id = 'egg'")
    assert await check(foodhub.transactions, []) == 1
    assert "central egg" in capsys.readouterr().out


async def test_late_allocation_uses_the_clock_of_its_transaction(foodhub, tell):
    call, _ = tell.call_completed()
    await tell.received(foodhub, tell.asked_for(call))
    await foodhub.deliver(call)
    foodhub.clock.advance(timedelta(minutes=7))
    await foodhub.run("allocate")
    (event,) = await foodhub.emitted(ParcelReserved)
    assert event.data.reserved_at == START + timedelta(minutes=7)


async def test_parcel_with_an_unknown_diet_waits_for_a_person(foodhub, tell):
    call, need_id = tell.call_completed(diets=("halal", "celery-allergy"))  # a word of a newer release
    parcel_id = derived_id(need_id, "parcel")
    await tell.received(foodhub, tell.asked_for(call, times=2))
    await foodhub.deliver(call)
    await foodhub.run("allocate")
    foodhub.clock.advance(RETRY_AFTER)
    await foodhub.fire()
    await foodhub.run("allocate")
    assert await foodhub.emitted(ParcelReserved) == []
    waiting = (await foodhub.http.get(f"/v1/parcels/{parcel_id}")).json()
    assert (waiting["state"], waiting["undecided"]) == ("short", ["celery-allergy"])
    assert {kind for kind, _ in await foodhub.deadlines()} == {"parcel-due", "parcel-retry"}

    path = f"/v1/parcels/{parcel_id}/diet-decision"
    refused = await foodhub.http.post(path, json={"diets": ["celery-allergy"]})
    assert refused.status_code == 422, "a person names diets that are known"
    decided = await foodhub.http.post(path, json={"diets": ["halal", "vegan"]})
    assert (decided.json()["state"], decided.json()["undecided"]) == ("requested", [])
    await tell.received(foodhub, {x["item_id"]: x["quantity"] for x in decided.json()["lines"]})
    await foodhub.run("allocate")
    assert len(await foodhub.emitted(ParcelReserved)) == 1
    assert (await foodhub.http.post(path, json={"diets": []})).status_code == 409


async def test_reserved_parcel_loses_its_stock_when_a_call_finds_an_unknown_diet(foodhub, tell):
    call, need_id = tell.call_completed()
    await tell.received(foodhub, tell.asked_for(call))
    await foodhub.deliver(call)
    await foodhub.run("allocate")
    again, _ = tell.call_completed(need_id=need_id, referral_id=call.referral_id, diets=("celery-allergy",))
    await foodhub.deliver(again)
    await foodhub.run("allocate")
    parcel = (await foodhub.http.get(f"/v1/parcels/{derived_id(need_id, 'parcel')}")).json()
    assert (parcel["state"], parcel["undecided"]) == ("short", ["celery-allergy"])
    assert (await foodhub.http.get("/v1/summary")).json()["stock"]["reserved"] == 0
