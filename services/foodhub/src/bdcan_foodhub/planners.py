"""Passes over many things at once: stock for parcels, and news of the stock."""

from __future__ import annotations

from datetime import timedelta

from bdcan_chassis.passes import Planner
from bdcan_chassis.transaction import Tx
from bdcan_contracts.models import StockChanged, StockFellLow
from bdcan_foodhub import store
from bdcan_foodhub.domain import parcel as parcels
from bdcan_foodhub.domain.allocation import allocate
from bdcan_foodhub.domain.items import ITEMS
from bdcan_foodhub.domain.stock import Level, Place
from bdcan_foodhub.parcel_book import ALLOCATE, ParcelBook

PARCELS_A_PASS = 2000
"""Enough for the largest outreach list in a few passes; one pass stays well below the statement time-out."""


async def allocate_stock(tx: Tx) -> int:
    """Reserve stock for waiting parcels in due order, or say what they lack."""
    await store.parcels.wake_short(tx.connection)
    waiting = await store.parcels.lock_waiting(tx.connection, PARCELS_A_PASS)
    if not waiting:
        return 0
    shelf = await store.stock.lock(
        tx.connection, {Place(p.site_id, line.item_id) for p in waiting for line in p.lines}
    )
    plan = allocate({place: level.free for place, level in shelf.levels.items()}, waiting)
    book = ParcelBook.of_locked(tx, waiting)
    for parcel_id in plan.reserved:
        book.put(parcels.reserve(book.parcels[parcel_id], tx.now))
    for parcel_id, missing in plan.short.items():
        book.put(parcels.fall_short(book.parcels[parcel_id], missing, tx.now))
    await book.save()
    return len(waiting)


async def announce_stock(tx: Tx) -> int:
    """Tell the world about each item that changed, once a pass however often it changed.

    Returns 0 always: the next pass comes after the interval, which is what keeps the news few.
    """
    changed = await store.stock.take_unannounced(tx.connection)
    announced: list[tuple[Level, bool]] = []
    for news in changed:
        level = news.level
        threshold = ITEMS[level.place.item_id].low_below if level.place.item_id in ITEMS else 0
        low = level.free < threshold
        announced.append((level, low))
        tx.emit(_fell_low(level, threshold, tx) if low and not news.was_low else _changed(level, tx))
    await store.stock.mark_announced(tx.connection, announced)
    return 0


PLANNERS = (
    Planner(ALLOCATE, allocate_stock),
    Planner("announce-stock", announce_stock, timedelta(seconds=5)),
)
"""What the worker runs."""


def _changed(level: Level, tx: Tx) -> StockChanged:
    return StockChanged(
        site_id=level.place.site_id,
        item_id=level.place.item_id,
        version=level.version,
        unit=level.unit,
        on_hand=level.on_hand,
        reserved=level.reserved,
        free=level.free,
        changed_at=tx.now,
    )


def _fell_low(level: Level, threshold: int, tx: Tx) -> StockFellLow:
    return StockFellLow(
        site_id=level.place.site_id,
        item_id=level.place.item_id,
        version=level.version,
        unit=level.unit,
        on_hand=level.on_hand,
        reserved=level.reserved,
        free=level.free,
        threshold=threshold,
        fell_low_at=tx.now,
    )
