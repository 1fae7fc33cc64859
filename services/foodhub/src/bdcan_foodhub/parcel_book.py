"""Parcels that are open for change in a unit of work, and what a change of theirs brings with it.

Whoever changes a parcel puts the step here: its events are emitted, its stock follows its state, its deadlines
are set or cancelled, and the allocation is woken. So no caller can forget one of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from bdcan_chassis.transaction import Tx
from bdcan_contracts.envelope import Event
from bdcan_contracts.models import TaskKind
from bdcan_foodhub import store
from bdcan_foodhub.domain.parcel import FINAL, HOLDING, Parcel, State, Step
from bdcan_foodhub.domain.stock import Place, Shelf

DUE = "parcel-due"
"""Deadline: the parcel should be at the door by now."""

RETRY = "parcel-retry"
"""Deadline: a short parcel is looked at again."""

ALLOCATE = "allocate"
"""The planner that gives stock to parcels."""


@dataclass(slots=True)
class ParcelBook:
    """Locked parcels by id, before and after the change."""

    tx: Tx
    parcels: dict[UUID, Parcel] = field(default_factory=dict)
    _before: dict[UUID, Parcel] = field(default_factory=dict)
    _withdrawn: frozenset[UUID] = frozenset()

    @classmethod
    async def of_referrals(cls, tx: Tx, referral_ids: Iterable[UUID]) -> ParcelBook:
        """All parcels of some referrals, which the caller has locked."""
        return cls._open(tx, await store.parcels.lock_of_referrals(tx.connection, referral_ids))

    @classmethod
    async def of_parcels(cls, tx: Tx, parcel_ids: Iterable[UUID]) -> ParcelBook:
        """Some parcels; one that does not exist is absent."""
        found = list((await store.parcels.lock(tx.connection, parcel_ids)).values())
        withdrawn = await store.referrals.withdrawn(tx.connection, [p.referral_id for p in found])
        return cls._open(tx, found, withdrawn)

    @classmethod
    def of_locked(cls, tx: Tx, found: Iterable[Parcel]) -> ParcelBook:
        """Parcels that the caller has locked."""
        return cls._open(tx, found)

    @classmethod
    def _open(cls, tx: Tx, found: Iterable[Parcel], withdrawn: frozenset[UUID] = frozenset()) -> ParcelBook:
        parcels = {p.parcel_id: p for p in found}
        # time goes on from where theirs stands, whichever process told it
        tx.not_before(*[p.changed_at for p in parcels.values()])
        return cls(tx, parcels, dict(parcels), withdrawn)

    def of_referral(self, referral_id: UUID) -> list[Parcel]:
        """The referral's parcels, as they are now."""
        return [p for p in self.parcels.values() if p.referral_id == referral_id]

    def of_need(self, need_id: UUID) -> tuple[Parcel | None, int]:
        """The need's parcel that counts, and how many it has had: at most one of them is not cancelled."""
        mine = [p for p in self.parcels.values() if p.need_id == need_id]
        alive = [p for p in mine if p.state is not State.CANCELLED]
        return (alive[0] if alive else mine[-1] if mine else None), len(mine)

    def of_delivery(self, kind: TaskKind, parcel_id: UUID | None) -> Parcel | None:
        """The parcel that a task delivers; None for other tasks."""
        if kind is not TaskKind.PARCEL_DELIVERY or parcel_id is None:
            return None
        return self.parcels.get(parcel_id)

    def withdrawn(self, referral_id: UUID) -> bool:
        """Whether the referral was withdrawn; known where parcels were loaded by their ids."""
        return referral_id in self._withdrawn

    def put(self, step: Step, cause: Event[Any] | None = None) -> Parcel:
        """Take a step over: the parcel as it is now, and its events."""
        parcel, events = step
        self.parcels[parcel.parcel_id] = parcel
        for event in events:
            self.tx.emit(event, cause=cause)
        return parcel

    async def save(self) -> None:
        """Write what changed, and all that follows from it."""
        changed = [p for i, p in self.parcels.items() if p != self._before.get(i)]
        if not changed:
            return
        await store.parcels.save(self.tx.connection, changed)
        await self._move_stock(changed)
        for parcel in changed:
            self._promise(parcel)

    async def _move_stock(self, changed: list[Parcel]) -> None:
        """Stock follows the parcel: promised while it is held, issued once it is packed."""
        affected = [
            (before, after)
            for after in changed
            for before in [self._before.get(after.parcel_id)]
            if _stake(before) != _stake(after)
        ]
        if not affected:
            return
        places = {
            Place(p.site_id, line.item_id)
            for pair in affected
            for p in pair
            if p is not None
            for line in p.lines
        }
        shelf = await store.stock.lock(self.tx.connection, places)
        for before, after in affected:
            _move(shelf, before, after)
        await store.stock.save(self.tx.connection, shelf, self.tx.now)
        if shelf.replenished:
            self.tx.wake(ALLOCATE)

    def _promise(self, parcel: Parcel) -> None:
        tx, before = self.tx, self._before.get(parcel.parcel_id)
        if parcel.state in FINAL:
            tx.cancel_deadline(DUE, parcel.parcel_id)
        elif before is None:
            tx.set_deadline(DUE, parcel.parcel_id, parcel.due_at)
        if parcel.state is State.SHORT and parcel.retry_at is not None:
            tx.set_deadline(RETRY, parcel.parcel_id, parcel.retry_at)
        elif before is not None and before.retry_at is not None and parcel.retry_at is None:
            tx.cancel_deadline(RETRY, parcel.parcel_id)
        if parcel.state is State.REQUESTED:
            tx.wake(ALLOCATE)


def _stake(parcel: Parcel | None) -> str | None:
    """What a parcel has of the stock: nothing, a promise, or the goods themselves."""
    if parcel is None or parcel.state in {State.REQUESTED, State.SHORT, State.CANCELLED}:
        return None
    return "promise" if parcel.state in HOLDING else "goods"


def _move(shelf: Shelf, before: Parcel | None, after: Parcel) -> None:
    match _stake(before), _stake(after):
        case None, "promise":
            shelf.reserve(after.site_id, after.lines)
        case "promise", None if before:
            shelf.release(before.site_id, before.lines)
        case "promise", "goods":
            shelf.issue(after.site_id, after.lines, after.parcel_id)
        case "goods", None:
            shelf.put_back(after.site_id, after.lines, after.parcel_id)
        case had, has:
            raise AssertionError(f"no parcel goes from {had} to {has}")
