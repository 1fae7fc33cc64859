"""The planners: one reserves stock for parcels, one publishes stock levels."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from bdcan_chassis.passes import Planner
from bdcan_chassis.transaction import Tx
from bdcan_foodhub import store
from bdcan_foodhub.books import ALLOCATE, Parcels, Stock
from bdcan_foodhub.domain.allocation import Turn, allocate, turn
from bdcan_foodhub.domain.parcel import Parcel, fall_short, fill, look_again, reserve, wait_for_decision
from bdcan_foodhub.domain.stock import Place, announce
from bdcan_foodhub.recall import discard_spoiled

PARCELS_A_PASS = 2000
"""Enough for the largest outreach list in a few passes; one pass stays well below the statement time-out."""


async def allocate_stock(tx: Tx) -> int:
    """Throw away what is past its date, then reserve stock for waiting parcels in due order, or record what they lack."""
    parcels = Parcels(tx)
    await discard_spoiled(parcels)
    owing = await _wake_short(parcels)
    waiting = await parcels.lock(store.parcels.LOCK_WAITING, limit=PARCELS_A_PASS)
    for parcel in waiting:
        if parcel.undecided or parcel.stopped:
            parcels.put(wait_for_decision(parcel, tx.now))
    ready = [parcel for parcel in waiting if not (parcel.undecided or parcel.stopped)]
    stock = parcels.stock
    await stock.lock_places(
        Place(p.site_id, x.item_id) for p in ready + owing for x in (*p.lines, *p.back_order)
    )
    queue = sorted([*ready, *owing], key=turn)
    plan = allocate(
        {level.place: level.free for level in stock},
        queue,
        ahead=await _ahead(tx, queue),
        owing=frozenset(parcel.parcel_id for parcel in owing),
    )
    for parcel_id in plan.reserved:
        parcels.put(reserve(parcels[parcel_id], tx.now, plan.later.get(parcel_id, ())))
    for parcel_id, missing in plan.short.items():
        parcels.put(fall_short(parcels[parcel_id], missing, tx.now))
    for parcel_id, lines in plan.filled.items():
        parcels.put(fill(parcels[parcel_id], lines, tx.now))
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


async def _wake_short(parcels: Parcels) -> list[Parcel]:
    """Look again at short parcels that lack something which has become free; returns those that it is to follow."""
    free = await store.stock.TAKE_REPLENISHED.all(parcels.tx.connection)
    places = {"site_ids": [place.site_id for place in free], "item_ids": [place.item_id for place in free]}
    lacking: list[Parcel] = await parcels.lock(store.parcels.LOCK_LACKING, **places)
    for parcel in lacking:
        parcels.put(look_again(parcel))
    owing = await parcels.lock(store.parcels.LOCK_OWING, **places)
    await parcels.save()
    return owing


async def _ahead(tx: Tx, queue: Sequence[Parcel]) -> dict[Place, Turn]:
    """Who waits first for each item and is not in the queue."""
    here = {parcel.parcel_id for parcel in queue}
    first = await store.parcels.FIRST_WAITING.all(
        tx.connection,
        site_ids={parcel.site_id for parcel in queue},
        item_ids={x.item_id for parcel in queue for x in (*parcel.lines, *parcel.back_order)},
        parcel_ids=here,
    )
    return {Place(one.site_id, one.item_id): (one.due_at, one.parcel_id) for one in first}
