"""A recall: the lot leaves the shelf now, and reserved parcels lose their stock, the one due last first."""

from __future__ import annotations

from bdcan_chassis.ids import new_id
from bdcan_chassis.transaction import Tx
from bdcan_foodhub import store
from bdcan_foodhub.books import Parcels
from bdcan_foodhub.domain.errors import StockError
from bdcan_foodhub.domain.parcel import lose_reservation
from bdcan_foodhub.domain.stock import Level, MoveKind, Movement, Place, recalled


async def recall(tx: Tx, place: Place, lot: str, quantity: int, reason: str) -> Level:
    """Take a quantity of a lot off the shelf; returns the level afterwards. Raises StockError if there is not enough.

    Parcels in picking keep their goods: a picker has them in hand, and a person must tell the picker.
    """
    parcels = Parcels(tx)
    stock = parcels.stock
    holding = await parcels.lock(store.parcels.LOCK_HOLDING, site_id=place.site_id, item_id=place.item_id)
    await stock.lock_places({place} | {Place(p.site_id, line.item_id) for p in holding for line in p.lines})
    free = stock[place].free
    for parcel in sorted(holding, key=lambda p: (p.due_at, p.parcel_id), reverse=True):
        if free >= quantity:
            break
        parcels.put(lose_reservation(parcel, tx.now))
        free += sum(line.quantity for line in parcel.lines if line.item_id == place.item_id)
    if free < quantity:
        raise StockError(f"{place.item_id} at {place.site_id}: only {free} can be taken off the shelf.")
    await parcels.save()
    stock.move(Movement(*place, MoveKind.WASTED, quantity, new_id(), lot))
    level = stock.put(recalled(stock[place], lot, reason, tx.now))
    await stock.save()
    return level
