"""Goods that must leave the shelf: a lot that a supplier calls back, goods past their date, and goods that are not there."""

from __future__ import annotations

from collections import Counter

from bdcan_chassis.ids import new_id
from bdcan_chassis.transaction import Tx
from bdcan_contracts.vocabulary import Fact
from bdcan_foodhub import store
from bdcan_foodhub.books import Lots, Parcels, Recalls
from bdcan_foodhub.domain.lots import Lot, Recall, mark_recalled, open_recall, recall_id, widen
from bdcan_foodhub.domain.parcel import State, interrupt, lose_reservation, stop, warn
from bdcan_foodhub.domain.stock import Level, MoveKind, Movement, Place, recalled


async def recall(tx: Tx, place: Place, mark: str, quantity: int | None, reason: str) -> tuple[Recall, Level]:
    """Record the recall of a lot, always; returns it and the level afterwards.

    The lot leaves the shelf: `quantity` as counted, or what the books say. Reserved parcels lose their stock, the one due last first.
    Whatever may contain the lot stops, or its hub is warned. A recall that is sent again changes nothing.
    """
    recalls, parcels, lots = Recalls(tx), Parcels(tx), Lots(tx)
    key = recall_id(place, mark)
    await recalls.lock_keys([key])
    known = recalls.get(key) or recalls.put(open_recall(place, mark, reason, tx.now))
    first = await store.lots.FIRST_RECEIVED.value(tx.connection, **place._asdict(), mark=mark)
    found = await parcels.lock(store.parcels.LOCK_MAY_CONTAIN, **place._asdict(), since=first)
    new = [parcel for parcel in found if parcel.parcel_id not in known.parcels]
    for parcel in new:
        note = stop if parcel.state in {State.PICKING, State.PACKED} else warn
        parcels.put(note(parcel, (Fact.RECALL.value,), tx.now))
    await parcels.stock.lock_places([place])
    marked = await lots.lock(store.lots.LOCK_MARKED, **place._asdict(), mark=mark)
    booked = sum(lot.quantity_left for lot in marked)
    for lot in marked:
        lots.put(mark_recalled(lot))
    await lots.save()
    counted = max(known.quantity, booked if quantity is None else quantity)
    taken = await take_off_shelf(parcels, place, counted - known.quantity, mark, Fact.RECALL, reason)
    level = parcels.stock[place]
    if recalls.is_new(key) or taken or new:
        known = recalls.put(widen(known, counted, taken, (parcel.parcel_id for parcel in new)))
        level = parcels.stock.put(recalled(level, mark, reason, tx.now))
    await parcels.stock.save()
    await recalls.save()
    return known, level


async def take_off_shelf(
    parcels: Parcels, place: Place, quantity: int, mark: str | None, fact: Fact, reason: str
) -> int:
    """Throw goods away; returns how many there were. Reserved parcels lose theirs first, then those in picking, due last first.

    A picker has goods in hand, so such a parcel is stopped too.
    """
    if quantity <= 0:
        return 0
    tx, stock = parcels.tx, parcels.stock
    holding = await parcels.lock(store.parcels.LOCK_HOLDING, site_id=place.site_id, item_id=place.item_id)
    await stock.lock_places({place} | {Place(p.site_id, line.item_id) for p in holding for line in p.lines})
    free = stock[place].free
    holding.sort(key=lambda p: (p.state is State.RESERVED, p.due_at, p.parcel_id), reverse=True)
    for parcel in holding:
        if free >= quantity:
            break
        lost = (
            lose_reservation(parcel, tx.now)
            if parcel.state is State.RESERVED
            else interrupt(parcel, (fact.value,), tx.now)
        )
        parcels.put(lost)
        free += sum(line.quantity for line in parcel.lines if line.item_id == place.item_id)
    await parcels.save()
    taken = min(free, quantity)
    if taken:
        stock.move(Movement(*place, MoveKind.WASTED, taken, new_id(), mark, reason=reason))
        await stock.save()
    return taken


async def recount(tx: Tx, place: Place, counted: int, reason: str) -> Level:
    """Bring the books in line with what somebody counted; returns the level afterwards. To repeat it changes nothing."""
    parcels = Parcels(tx)
    holding = await parcels.lock(store.parcels.LOCK_HOLDING, site_id=place.site_id, item_id=place.item_id)
    stock = parcels.stock
    await stock.lock_places({place} | {Place(p.site_id, line.item_id) for p in holding for line in p.lines})
    more = counted - stock[place].on_hand
    if more > 0:
        lot = Lot(new_id(), *place, tx.now, more)
        stock.receive(
            lot, Movement(*place, MoveKind.RECEIVED, more, new_id(), lot_id=lot.lot_id, reason=reason)
        )
        await stock.save()
    await take_off_shelf(parcels, place, -more, None, Fact.MISCOUNT, reason)
    return stock[place]


async def discard_spoiled(parcels: Parcels) -> None:
    """Throw away what is past its date, and what came back of a recalled lot."""
    today = parcels.tx.calendar.local_date(parcels.tx.now)
    spoiled: Counter[tuple[Place, Fact]] = Counter()
    for lot in await store.lots.FIND_SPOILED.all(parcels.tx.connection, today=today):
        spoiled[lot.place, Fact.RECALL if lot.recalled else Fact.EXPIRED] += lot.quantity_left
    for (place, fact), quantity in spoiled.items():
        await take_off_shelf(parcels, place, quantity, None, fact, fact.value)
