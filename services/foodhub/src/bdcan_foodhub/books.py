"""The books of referrals, parcels and stock: what a transaction locks, and what a change brings with it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from bdcan_chassis.book import Book, Change
from bdcan_chassis.transaction import Tx
from bdcan_contracts.vocabulary import TaskKind
from bdcan_foodhub import store
from bdcan_foodhub.domain import stock as stocks
from bdcan_foodhub.domain.parcel import Parcel, State, stock_moves
from bdcan_foodhub.domain.referral import Referral
from bdcan_foodhub.domain.stock import Level, Move, Movement, Place

ALLOCATE = "allocate"
"""The planner that gives stock to parcels."""


class Referrals(Book[Referral]):
    """Referrals. Transactions that lock the same referral take turns."""

    table = store.referrals.REFERRAL


class Stock(Book[Level]):
    """Stock levels. The ledger records each movement, and freed stock wakes the allocation."""

    table = store.stock.LEVEL

    def __init__(self, tx: Tx) -> None:
        super().__init__(tx)
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

    async def follow(self, changes: Sequence[Change[Level]]) -> None:
        """Write the ledger, and note which places have more free stock than before."""
        await store.stock.MOVEMENT.insert(self.tx.connection, self._movements, self.tx.now)
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
