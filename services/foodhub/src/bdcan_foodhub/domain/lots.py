"""Lots: goods of one receipt, with their date. Whoever packs takes the goods with the earliest date first.

*Use-by* is absolute. Goods past their *best-before* date may go out for a while after a person has checked them: how long
depends on the item (guidance of WRAP, FSA and Defra, November 2024). For each place, always: the lots add up to what is on hand.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from uuid import UUID, uuid5

from msgspec import Struct
from msgspec.structs import replace

from bdcan_chassis.step import Step
from bdcan_contracts.envelope import Problem
from bdcan_foodhub.domain.errors import StockError
from bdcan_foodhub.domain.items import ITEMS
from bdcan_foodhub.domain.stock import MoveKind, Movement, Place

LONGEST = timedelta(days=20 * 365)
"""No goods keep longer: a later date is a slip of the pen, and so is one that is as long ago."""

_RECALLS = UUID("5b1f5c5e-8f0b-5d0c-9d2e-0d5a0f3f7a11")
"""The namespace of the ids of recalls."""


class Lot(Struct, frozen=True):
    """Goods of one line of a receipt. `mark`: what the supplier printed. They may be packed until `usable_until`."""

    lot_id: UUID
    site_id: str
    item_id: str
    received_at: datetime
    quantity_left: int
    mark: str | None = None
    usable_until: date | None = None
    recalled: bool = False

    @property
    def place(self) -> Place:
        """Where it is."""
        return Place(self.site_id, self.item_id)

    def spoiled(self, today: date) -> bool:
        """Whether nobody may pack it any more."""
        return self.recalled or (self.usable_until is not None and self.usable_until < today)


class Recall(Struct, frozen=True):
    """A lot that a supplier called back. `quantity`: how much of it was counted; `taken`: how much left the shelf.

    `parcels` may contain the lot.
    """

    recall_id: UUID
    site_id: str
    item_id: str
    lot: str
    reason: str
    recalled_at: datetime
    quantity: int = 0
    taken: int = 0
    parcels: tuple[UUID, ...] = ()


def recall_id(place: Place, mark: str) -> UUID:
    """The id of the recall of a lot: there is one for each."""
    return uuid5(_RECALLS, f"{place.site_id}:{place.item_id}:{mark}")


def open_recall(place: Place, mark: str, reason: str, now: datetime) -> Step[Recall]:
    """A recall that nothing was done about yet."""
    return Step(Recall(recall_id(place, mark), *place, mark, reason, now))


def widen(recall: Recall, quantity: int, taken: int, parcels: Iterable[UUID]) -> Step[Recall]:
    """More of it was counted, or more parcels were found."""
    found = tuple(dict.fromkeys((*recall.parcels, *parcels)))
    return Step(replace(recall, quantity=quantity, taken=recall.taken + taken, parcels=found))


def mark_recalled(lot: Lot) -> Step[Lot]:
    """Nobody may pack it any more."""
    return Step(replace(lot, recalled=True))


def date_problem(
    item_id: str, use_by: date | None, best_before: date | None, checked: bool, today: date
) -> Problem | None:
    """What is wrong with the dates of a receipt, if anything. `checked`: a person looked at goods past best-before."""
    for field, day in (("use_by", use_by), ("best_before", best_before)):
        if day is not None and abs(day - today) > LONGEST:
            return Problem(field, "impossible-date", "No goods have such a date. Look at the label again.")
    if use_by is not None and use_by < today:
        return Problem("use_by", "past-its-date", "The use-by date is past. Throw these goods away.")
    if best_before is None or best_before >= today:
        return None
    if not checked:
        text = "The best-before date is past. Check the goods, and say in date_check why they are good."
        return Problem("best_before", "past-its-date", text)
    if best_before + ITEMS[item_id].good_after < today:
        return Problem("best_before", "past-its-date", "The date is too long past, even for checked goods.")
    return None


def usable_until(
    item_id: str, use_by: date | None, best_before: date | None, checked: bool, today: date
) -> date | None:
    """The last day on which goods may be packed. Checked goods keep longer than their best-before date."""
    best = best_before
    if best is not None and checked and best < today:
        best += ITEMS[item_id].good_after
    days = [day for day in (use_by, best) if day is not None]
    return min(days) if days else None


def take(lots: Sequence[Lot], happened: Movement, today: date) -> list[tuple[Lot, int]]:
    """From which lots a movement takes how much. Raises StockError if only goods past their date are left.

    Goods for a parcel: the earliest date first. Goods that are thrown away: those of the lot, then those past their date.
    """

    def order(lot: Lot) -> tuple[object, ...]:
        dated = lot.usable_until is None, lot.usable_until or today, lot.received_at, lot.lot_id
        if happened.kind is MoveKind.ISSUED:
            return dated
        mine = happened.lot is not None and lot.mark == happened.lot
        return not mine, lot.mark is not None and happened.lot is not None, not lot.spoiled(today), *dated

    issued, wanted = happened.kind is MoveKind.ISSUED, happened.quantity
    found: list[tuple[Lot, int]] = []
    for lot in sorted(lots, key=order):
        quantity = min(wanted, lot.quantity_left)
        if quantity and not (issued and lot.spoiled(today)):
            found.append((lot, quantity))
            wanted -= quantity
    if wanted:
        raise StockError(
            f"{happened.item_id} at {happened.site_id}: only goods past their date, or recalled, are left."
        )
    return found


def from_lot(happened: Movement, lot: Lot, quantity: int) -> Movement:
    """The part of a movement that one lot has."""
    return replace(happened, quantity=quantity, lot=lot.mark or happened.lot, lot_id=lot.lot_id)


def unmarked(happened: Movement, quantity: int, lot_id: UUID, now: datetime) -> Step[Lot]:
    """Goods that came back, and of which nobody knows the lot."""
    return Step(Lot(lot_id, happened.site_id, happened.item_id, now, quantity))


def changed(lot: Lot, quantity: int) -> Step[Lot]:
    """So much came in, or left."""
    return Step(replace(lot, quantity_left=lot.quantity_left + quantity))
