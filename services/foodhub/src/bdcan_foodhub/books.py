"""The books of referrals, parcels and stock: what a transaction locks, and what a change brings with it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from prometheus_client import Counter

from bdcan_chassis.book import Book, Change
from bdcan_chassis.housekeeping import of_promise
from bdcan_chassis.ids import new_id
from bdcan_chassis.step import Step
from bdcan_chassis.transaction import Tx
from bdcan_contracts.vocabulary import TaskKind
from bdcan_foodhub import store
from bdcan_foodhub.domain import stock as stocks
from bdcan_foodhub.domain.lots import Lot, Recall, changed, from_lot, take, unmarked
from bdcan_foodhub.domain.parcel import Parcel, State, at_the_door, stock_moves
from bdcan_foodhub.domain.referral import Referral
from bdcan_foodhub.domain.stock import Level, Move, MoveKind, Movement, Place

ALLOCATE = "allocate"
"""The planner that gives stock to parcels."""


class Referrals(Book[Referral]):
    """Referrals. Transactions that lock the same referral take turns."""

    table = store.referrals.REFERRAL


class Recalls(Book[Recall]):
    """Recalls of lots."""

    table = store.lots.RECALL

    def is_new(self, recall_id: UUID) -> bool:
        """Whether this transaction makes it."""
        return recall_id not in self._before


class Lots(Book[Lot]):
    """Lots: whatever moves comes from one, or goes into one."""

    table = store.lots.LOT

    async def settle(self, movements: Sequence[Movement]) -> list[Movement]:
        """Take movements from their lots; returns them split by lot. Raises StockError if only spoiled goods are left."""
        today = self.tx.today
        places = sorted({Place(m.site_id, m.item_id) for m in movements})
        if any(m.kind in {MoveKind.ISSUED, MoveKind.WASTED} for m in movements):
            await self.lock(
                store.lots.LOCK_LEFT,
                site_ids=[place.site_id for place in places],
                item_ids=[place.item_id for place in places],
            )
        issued = await self._issued({m.cause for m in movements if m.kind is MoveKind.PUT_BACK})
        settled: list[Movement] = []
        for one in movements:
            match one.kind:
                case MoveKind.RECEIVED:
                    settled.append(one)
                case MoveKind.PUT_BACK:
                    settled += self._put_back(one, issued.get((one.cause, one.item_id), []))
                case _:
                    mine = [lot for lot in self if lot.place == Place(one.site_id, one.item_id)]
                    for lot, quantity in take(mine, one, today):
                        self.put(changed(lot, -quantity))
                        settled.append(from_lot(one, lot, quantity))
        await self.save()
        return settled

    async def _issued(self, causes: set[UUID]) -> dict[tuple[UUID, str], list[store.lots.Issued]]:
        found: dict[tuple[UUID, str], list[store.lots.Issued]] = {}
        if causes:
            rows = await store.lots.ISSUED.all(self.tx.connection, causes=causes)
            await self.lock_keys(row.lot_id for row in rows)
            for row in rows:
                found.setdefault((row.cause, row.item_id), []).append(row)
        return found

    def _put_back(self, one: Movement, issued: Sequence[store.lots.Issued]) -> list[Movement]:
        settled, left = list[Movement](), one.quantity
        for row in issued:
            if quantity := min(left, row.quantity):
                lot = self.put(changed(self[row.lot_id], quantity))
                settled.append(from_lot(one, lot, quantity))
                left -= quantity
        if left:
            lot = self.put(unmarked(one, left, new_id(), self.tx.now))
            settled.append(from_lot(one, lot, left))
        return settled


class Stock(Book[Level]):
    """Stock levels. The ledger records each movement by lot, and freed stock wakes the allocation."""

    table = store.stock.LEVEL

    def __init__(self, tx: Tx) -> None:
        super().__init__(tx)
        self.lots = Lots(tx)
        self._movements: list[Movement] = []

    async def lock_places(self, places: Iterable[Place]) -> None:
        """Add the levels of some places. A place without a row gets one, so that it can be locked."""
        wanted = sorted(set(places))
        await self.table.insert_missing(self.tx.connection, map(stocks.empty, wanted), self.tx.now)
        await self.lock(
            store.stock.LOCK_PLACES,
            site_ids=[place.site_id for place in wanted],
            item_ids=[place.item_id for place in wanted],
        )

    def move(self, *moves: Move) -> None:
        """Accept moves. Raises StockError if a move takes more than is there, or more than is free."""
        for one in moves:
            self.put(stocks.move(self[one.site_id, one.item_id], one))
            if isinstance(one, Movement):
                self._movements.append(one)

    def receive(self, lot: Lot, receipt: Movement) -> None:
        """Accept goods of a new lot."""
        self.lots.put(Step(lot))
        self.move(receipt)

    async def follow(self, changes: Sequence[Change[Level]]) -> None:
        """Write the ledger, and note which places have more free stock than before."""
        if self._movements:
            moved = await self.lots.settle(self._movements)
            await store.stock.MOVEMENT.insert(self.tx.connection, moved, self.tx.now)
            self._movements.clear()
        more = [change.after.place for change in changes if _has_more(change)]
        await store.stock.REPLENISHMENT.insert(
            self.tx.connection, [store.stock.Replenishment(*place) for place in more], self.tx.now
        )

    def wakes(self, change: Change[Level]) -> Iterable[str]:
        """The allocation, if stock became free."""
        return (ALLOCATE,) if _has_more(change) else ()


class Parcels(Book[Parcel]):
    """Parcels. Stock follows a parcel's state, and a parcel that needs stock wakes the allocation."""

    table = store.parcels.PARCEL
    parent = "referral_id"

    def __init__(self, tx: Tx) -> None:
        super().__init__(tx)
        self.stock = Stock(tx)

    def counts(self, change: Change[Parcel]) -> Iterable[Counter]:
        """A parcel that came to the door in time, or whose time has passed."""
        in_time = at_the_door(change.before, change.after, self.tx.now)
        return of_promise("parcels", None if in_time is None else (change.after.hub_id, in_time))

    def of_need(self, referral_id: UUID, need_id: UUID) -> list[Parcel]:
        """The need's parcels, the oldest first. At most one of them is not cancelled."""
        mine = [parcel for parcel in self.of(referral_id) if parcel.need_id == need_id]
        return sorted(mine, key=lambda parcel: parcel.requested_at)

    def of_delivery(self, kind: str, parcel_id: UUID | None) -> Parcel | None:
        """The parcel that a task delivers; None for other tasks."""
        return self.get(parcel_id) if kind == TaskKind.PARCEL_DELIVERY else None

    async def follow(self, changes: Sequence[Change[Parcel]]) -> None:
        """Move the stock that the changed parcels reserve, free or issue."""
        moves = [move for change in changes for move in stock_moves(change.before, change.after)]
        if moves:
            await self.stock.lock_places(Place(move.site_id, move.item_id) for move in moves)
            self.stock.move(*moves)
        await self.stock.save()

    def wakes(self, change: Change[Parcel]) -> Iterable[str]:
        """The allocation, for a parcel that needs stock."""
        return (ALLOCATE,) if change.after.state is State.REQUESTED else ()


async def of_referrals(tx: Tx, referral_ids: Iterable[UUID]) -> tuple[Referrals, Parcels]:
    """Referrals and all their parcels, locked in this order."""
    referrals, parcels = Referrals(tx), Parcels(tx)
    ids = set(referral_ids)
    await referrals.ensure(ids)
    await parcels.lock(store.parcels.LOCK_OF_REFERRALS, referral_ids=ids)
    return referrals, parcels


def _has_more(change: Change[Level]) -> bool:
    return change.after.free > (change.before.free if change.before else 0)
