"""The planners: one reserves stock for parcels, one publishes stock levels."""

from __future__ import annotations

from datetime import timedelta

from bdcan_chassis.passes import Planner
from bdcan_chassis.transaction import Tx
from bdcan_foodhub import store
from bdcan_foodhub.books import ALLOCATE, Parcels, Stock
from bdcan_foodhub.domain.allocation import allocate
from bdcan_foodhub.domain.parcel import Parcel, fall_short, look_again, reserve, wait_for_decision
from bdcan_foodhub.domain.stock import Place, announce

PARCELS_A_PASS = 2000
"""Enough for the largest outreach list in a few passes; one pass stays well below the statement time-out."""


async def allocate_stock(tx: Tx) -> int:
    """Reserve stock for waiting parcels in due order, or record what they lack."""
    parcels = Parcels(tx)
    await _wake_short(parcels)
    waiting = await parcels.lock(store.parcels.LOCK_WAITING, limit=PARCELS_A_PASS)
    waiting.sort(key=lambda parcel: (parcel.due_at, parcel.parcel_id))
    for parcel in waiting:
        if parcel.undecided or parcel.stopped:
            parcels.put(wait_for_decision(parcel, tx.now))
    ready = [parcel for parcel in waiting if not (parcel.undecided or parcel.stopped)]
    stock = parcels.stock
    await stock.lock_places(Place(p.site_id, line.item_id) for p in ready for line in p.lines)
    plan = allocate({level.place: level.free for level in stock}, ready)
    for parcel_id in plan.reserved:
        parcels.put(reserve(parcels[parcel_id], tx.now))
    for parcel_id, missing in plan.short.items():
        parcels.put(fall_short(parcels[parcel_id], missing, tx.now))
    await parcels.save()
    return len(waiting)


async def announce_stock(tx: Tx) -> int:
    """Publish each item that changed, once a pass, however often it changed.

    Always returns 0, so that the next pass comes only after the interval. This keeps the events few.
    """
    stock = Stock(tx)
    for level in await stock.lock(store.stock.LOCK_UNANNOUNCED):
        stock.put(announce(level, tx.now))
    await stock.save()
    return 0


PLANNERS = (
    Planner(ALLOCATE, allocate_stock),
    Planner("announce-stock", announce_stock, timedelta(seconds=5)),
)
"""What the worker runs."""


async def _wake_short(parcels: Parcels) -> None:
    """Look again at short parcels that lack something which has become free."""
    free = await store.stock.TAKE_REPLENISHED.all(parcels.tx.connection)
    lacking: list[Parcel] = await parcels.lock(
        store.parcels.LOCK_LACKING,
        site_ids=[place.site_id for place in free],
        item_ids=[place.item_id for place in free],
    )
    for parcel in lacking:
        parcels.put(look_again(parcel))
    await parcels.save()
