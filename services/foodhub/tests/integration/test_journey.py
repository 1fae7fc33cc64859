"""A confirmed food need becomes a parcel at the door."""

from __future__ import annotations

from bdcan_chassis.ids import derived_id
from bdcan_chassis.testing.harness import Harness
from bdcan_contracts.models import (
    ParcelDelivered,
    ParcelDispatched,
    ParcelPacked,
    ParcelRequested,
    ParcelReserved,
    StockChanged,
    TaskAccepted,
    TaskCompleted,
)


async def test_confirmed_food_need_travels_to_the_door(foodhub: Harness, tell):
    call, need_id = tell.call_completed()
    parcel_id = derived_id(need_id, "parcel")
    await tell.received(foodhub, tell.asked_for(call))

    await foodhub.deliver(call)
    assert await foodhub.run("allocate") == 1
    assert (await foodhub.http.post(f"/v1/parcels/{parcel_id}/picking")).json()["state"] == "picking"
    packed = (await foodhub.http.post(f"/v1/parcels/{parcel_id}/packing", json={"bags": 3})).json()
    await foodhub.deliver(tell.delivery_task(TaskAccepted, parcel_id))
    await foodhub.deliver(tell.delivery_task(TaskCompleted, parcel_id))

    assert (packed["state"], packed["bags"]) == ("packed", 3)
    told = [type(e.data) for e in await foodhub.emitted() if not isinstance(e.data, StockChanged)]
    assert told == [ParcelRequested, ParcelReserved, ParcelPacked, ParcelDispatched, ParcelDelivered]
    assert await foodhub.deadlines() == {}
    summary = (await foodhub.http.get("/v1/summary")).json()
    assert summary["by_state"] == {"delivered": 1}
    assert summary["stock"]["balanced"]
    assert summary["stock"]["on_hand"] == summary["stock"]["reserved"] == 0
