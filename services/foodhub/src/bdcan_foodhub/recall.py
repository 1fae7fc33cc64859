"""A lot is called back: it leaves the shelf now, and parcels that counted on it give way, the last due first."""

from __future__ import annotations

from bdcan_chassis.ids import new_id
from bdcan_chassis.transaction import Tx
from bdcan_contracts.models import StockRecalled
from bdcan_foodhub import store
from bdcan_foodhub.domain import parcel as parcels
from bdcan_foodhub.domain.errors import StockError
from bdcan_foodhub.domain.stock import Level, Place
from bdcan_foodhub.parcel_book import ParcelBook


async def recall(tx: Tx, place: Place, lot: str, quantity: int, reason: str) -> Level:
    """Take so much of a lot off the shelf; returns the level after it. Raises StockError if there is not so much.

    Parcels in picking keep what they hold: somebody has it in hand, and must be told by a person.
    """
    holding = await store.parcels.lock_of_site(tx.connection, place.site_id, place.item_id)
    everything = {place} | {Place(p.site_id, line.item_id) for p in holding for line in p.lines}
    level = (await store.stock.lock(tx.connection, everything)).level(place)
    book = ParcelBook.of_locked(tx, holding)
    free = level.free
    for parcel in holding:
        if free >= quantity:
            break
        book.put(parcels.lose_reservation(parcel, tx.now))
        free += sum(line.quantity for line in parcel.lines if line.item_id == place.item_id)
    if free < quantity:
        raise StockError(f"{place.item_id} at {place.site_id}: only {free} can be taken off the shelf.")
    await book.save()
    shelf = await store.stock.lock(tx.connection, [place])
    shelf.waste(place, quantity, new_id(), lot)
    await store.stock.save(tx.connection, shelf, tx.now)
    after = shelf.level(place)
    tx.emit(
        StockRecalled(
            site_id=place.site_id,
            item_id=place.item_id,
            version=after.version,
            unit=after.unit,
            on_hand=after.on_hand,
            reserved=after.reserved,
            free=after.free,
            lot=lot,
            reason=reason,
            recalled_at=tx.now,
        )
    )
    return after
