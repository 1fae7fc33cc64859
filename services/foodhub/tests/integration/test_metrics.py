"""What operations sees of parcels and stock: a fault shows in the right series, and goes away with it."""

from __future__ import annotations

from datetime import timedelta

from prometheus_client import REGISTRY

from bdcan_chassis.housekeeping import sample
from bdcan_chassis.ids import derived_id
from bdcan_contracts.models import TaskAccepted, TaskCompleted
from bdcan_foodhub.domain.items import ITEMS


def read(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, labels)


async def after(foodhub, **span: float) -> None:
    foodhub.clock.advance(timedelta(**span))
    await sample(foodhub.transactions, foodhub.service.samples)


async def test_site_without_any_stock_is_low_of_everything(foodhub, tell):
    await after(foodhub)
    assert read("bdcan_stock_low_items", site="central") == len(ITEMS)
    assert read("bdcan_stock_low_items", site="becontree") == len(ITEMS), "it serves a hub"
    assert read("bdcan_stock_low_items", site="dagenham-east") is None, "it serves nobody"
    assert read("bdcan_stock_free", site="central", item="egg") == 0
    await tell.received(foodhub, dict.fromkeys(ITEMS, 10000000))
    await after(foodhub)
    assert read("bdcan_stock_low_items", site="central") == 0
    assert read("bdcan_stock_free", site="central", item="egg") == 10_000_000


async def test_parcel_without_stock_is_short_and_then_late(foodhub, tell):
    call, need_id = tell.call_completed()
    await foodhub.deliver(call)
    await foodhub.run("allocate")
    await after(foodhub, hours=1)
    lacking = next(iter(tell.asked_for(call)))
    assert read("bdcan_parcels", site="central", state="short") == 1
    assert read("bdcan_parcels", site="central", state="packed") == 0
    assert read("bdcan_parcels_short", item=lacking) == 1
    assert read("bdcan_parcel_oldest_seconds", state="short") == 3600
    assert read("bdcan_promises_late", promise="parcels", hub="northbury") == 0

    where = {"promise": "parcels", "hub": "northbury"}
    missed = read("bdcan_promises_total", **where, outcome="missed") or 0
    foodhub.clock.advance(timedelta(hours=72))
    await foodhub.fire()
    await after(foodhub)
    assert read("bdcan_promises_late", **where) == 1
    assert read("bdcan_promise_latest_seconds", **where) == 3600
    assert read("bdcan_promises_total", **where, outcome="missed") == missed + 1
    assert read("bdcan_parcels_overdue") == 1

    await tell.received(foodhub, tell.asked_for(call))
    await foodhub.run("allocate")
    await after(foodhub)
    assert read("bdcan_parcels", site="central", state="short") == 0
    assert read("bdcan_parcels_short", item=lacking) == 0
    assert read("bdcan_stock_reserved", site="central", item=lacking) == tell.asked_for(call)[lacking]

    parcel_id = derived_id(need_id, "parcel")
    for step in ("picking", "packing"):
        assert (await foodhub.http.post(f"/v1/parcels/{parcel_id}/{step}")).status_code == 200
    await foodhub.deliver(
        tell.delivery_task(TaskAccepted, parcel_id), tell.delivery_task(TaskCompleted, parcel_id)
    )
    await after(foodhub)
    assert read("bdcan_promises_late", **where) == 0
    assert read("bdcan_promises_total", **where, outcome="missed") == missed + 1, "once"
    assert read("bdcan_stock_moved", site="central", item=lacking, move="issued")
    cover = read("bdcan_stock_days_of_cover", site="central", item=lacking)
    assert cover == 0, "nothing is left"
