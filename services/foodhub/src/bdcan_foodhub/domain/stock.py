"""Stock: received goods are on the shelf, issued or wasted, and no goods are reserved twice.

For each item at each site, always: received = on hand + issued + wasted, and 0 ≤ reserved ≤ on hand. The
database checks the same. A level changes by a `Movement`, which the ledger keeps, or by a `Promise`.
"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any, NamedTuple, TypeAlias, assert_never
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from bdcan_chassis.step import Step
from bdcan_contracts.models import StockChanged, StockFellLow, StockRecalled, StockUnit
from bdcan_foodhub.domain.errors import StockError
from bdcan_foodhub.domain.items import ITEMS


class Place(NamedTuple):
    """An item at a site."""

    site_id: str
    item_id: str


class Level(Struct, frozen=True):
    """How much of an item a site has, in the item's unit. `issued` is net of what came back unpacked.

    `announced_version` is the version that was last published. `low`: the last event said that the item is low.
    """

    site_id: str
    item_id: str
    unit: StockUnit
    received: int = 0
    issued: int = 0
    wasted: int = 0
    reserved: int = 0
    version: int = 0
    announced_version: int = 0
    low: bool = False

    @property
    def place(self) -> Place:
        """Where it is."""
        return Place(self.site_id, self.item_id)

    @property
    def on_hand(self) -> int:
        """On the shelf."""
        return self.received - self.issued - self.wasted

    @property
    def free(self) -> int:
        """On the shelf and not reserved."""
        return self.on_hand - self.reserved

    @property
    def low_below(self) -> int:
        """The item is low with fewer free units than this."""
        return ITEMS[self.item_id].low_below if self.item_id in ITEMS else 0


class MoveKind(StrEnum):
    """The kind of a ledger entry: goods came in, went out, came back unpacked, or were thrown away."""

    RECEIVED = "received"
    ISSUED = "issued"
    PUT_BACK = "put-back"
    WASTED = "wasted"


class Movement(Struct, frozen=True):
    """One entry of the ledger. `cause` is the id of the receipt, of the write-off or of the parcel.

    `reason`: why a person or a rule corrected the books, as a code.
    """

    site_id: str
    item_id: str
    kind: MoveKind
    quantity: int
    cause: UUID
    lot: str | None = None
    best_before: date | None = None
    lot_id: UUID | None = None
    reason: str | None = None


class Promise(Struct, frozen=True):
    """A quantity that is reserved for a parcel. A negative quantity frees it."""

    site_id: str
    item_id: str
    quantity: int


Move: TypeAlias = Movement | Promise
"""What can happen to a level."""


def empty(place: Place) -> Level:
    """The level of a place that never received anything."""
    return Level(place.site_id, place.item_id, ITEMS[place.item_id].unit)


def move(level: Level, happened: Move) -> Step[Level]:
    """The level after a move. Raises StockError if the move takes more than is there, or more than is free."""
    quantity = happened.quantity
    if isinstance(happened, Promise):
        return _moved(level, reserved=quantity)
    match happened.kind:
        case MoveKind.RECEIVED:
            return _moved(level, received=quantity)
        case MoveKind.ISSUED:  # the reserved goods go into the bags
            return _moved(level, issued=quantity, reserved=-quantity)
        case MoveKind.PUT_BACK:
            return _moved(level, issued=-quantity)
        case MoveKind.WASTED:
            return _moved(level, wasted=quantity)
        case _:
            assert_never(happened.kind)


def recalled(level: Level, lot: str, reason: str, now: datetime) -> Step[Level]:
    """Emit that a lot was recalled and is off the shelf."""
    after = replace(level, version=level.version + 1)  # also where nothing of it was on the shelf
    event = StockRecalled(**_about(after), lot=lot, reason=reason, recalled_at=now)
    return Step(after, (event,))


def announce(level: Level, now: datetime) -> Step[Level]:
    """Publish the level, once for each version. An item that falls low is published as low once until it recovers."""
    low = level.free < level.low_below
    after = replace(level, announced_version=level.version, low=low)
    if low and not level.low:
        return Step(after, (StockFellLow(**_about(level), threshold=level.low_below, fell_low_at=now),))
    return Step(after, (StockChanged(**_about(level), changed_at=now),))


def _moved(
    level: Level, *, received: int = 0, issued: int = 0, wasted: int = 0, reserved: int = 0
) -> Step[Level]:
    after = replace(
        level,
        received=level.received + received,
        issued=level.issued + issued,
        wasted=level.wasted + wasted,
        reserved=level.reserved + reserved,
        version=level.version + 1,
    )
    if min(after.received, after.issued, after.wasted, after.reserved, after.free) < 0:
        raise StockError(f"{level.item_id} at {level.site_id}: there is not enough free stock for that")
    return Step(after)


def _about(level: Level) -> dict[str, Any]:
    """What every event of a level says."""
    return {
        "site_id": level.site_id,
        "item_id": level.item_id,
        "version": level.version,
        "unit": level.unit,
        "on_hand": level.on_hand,
        "reserved": level.reserved,
        "free": level.free,
    }
