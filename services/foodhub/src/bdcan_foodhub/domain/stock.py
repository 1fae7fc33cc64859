"""Stock: what came in is on the shelf, was issued, or was wasted; and nothing is promised twice.

For each item at each site, always: received = on hand + issued + wasted, and 0 ≤ reserved ≤ on hand. The
database checks the same. `Shelf` is the only way to change it, and writes the ledger as it goes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from bdcan_contracts.models import StockUnit
from bdcan_foodhub.domain.contents import Line
from bdcan_foodhub.domain.errors import StockError
from bdcan_foodhub.domain.items import ITEMS


class Place(NamedTuple):
    """An item at a site."""

    site_id: str
    item_id: str


class Level(Struct, frozen=True):
    """How much of an item a site has, in the item's unit. `issued` is net of what came back unpacked."""

    place: Place
    unit: StockUnit
    received: int = 0
    issued: int = 0
    wasted: int = 0
    reserved: int = 0
    version: int = 0

    @property
    def on_hand(self) -> int:
        """On the shelf."""
        return self.received - self.issued - self.wasted

    @property
    def free(self) -> int:
        """On the shelf and not promised."""
        return self.on_hand - self.reserved

    def moved(self, *, received: int = 0, issued: int = 0, wasted: int = 0, reserved: int = 0) -> Level:
        """The level after a move. Raises StockError if it would break what is always true."""
        after = replace(
            self,
            received=self.received + received,
            issued=self.issued + issued,
            wasted=self.wasted + wasted,
            reserved=self.reserved + reserved,
            version=self.version + 1,
        )
        if min(after.received, after.issued, after.wasted, after.reserved, after.free) < 0:
            raise StockError(f"{self.place.item_id} at {self.place.site_id}: not so much there")
        return after


class MoveKind(StrEnum):
    """What a ledger entry says: goods came in, went out, came back unpacked, or were thrown away."""

    RECEIVED = "received"
    ISSUED = "issued"
    PUT_BACK = "put-back"
    WASTED = "wasted"


class Movement(Struct, frozen=True):
    """One entry of the ledger. `cause` is the receipt, the write-off or the parcel."""

    place: Place
    kind: MoveKind
    quantity: int
    cause: UUID
    lot: str | None = None
    best_before: date | None = None


@dataclass(slots=True)
class Shelf:
    """Levels that are locked for a change, and what changed."""

    levels: dict[Place, Level]
    movements: list[Movement] = field(default_factory=list)
    changed: set[Place] = field(default_factory=set)
    replenished: set[Place] = field(default_factory=set)

    def level(self, place: Place) -> Level:
        """The level of a place; empty where nothing ever came in."""
        return self.levels.get(place) or Level(place, ITEMS[place.item_id].unit)

    def receive(
        self,
        place: Place,
        quantity: int,
        receipt: UUID,
        lot: str | None = None,
        best_before: date | None = None,
    ) -> None:
        """Goods came in."""
        self._put(self.level(place).moved(received=quantity))
        self.movements.append(Movement(place, MoveKind.RECEIVED, quantity, receipt, lot, best_before))
        self.replenished.add(place)

    def waste(self, place: Place, quantity: int, cause: UUID, lot: str | None = None) -> None:
        """Free goods are thrown away. Raises StockError if that is more than is free."""
        self._put(self.level(place).moved(wasted=quantity))
        self.movements.append(Movement(place, MoveKind.WASTED, quantity, cause, lot))

    def reserve(self, site_id: str, lines: Iterable[Line]) -> None:
        """Promise the lines to a parcel. Raises StockError if any of them is not free."""
        for line in lines:
            self._put(self.level(Place(site_id, line.item_id)).moved(reserved=line.quantity))

    def release(self, site_id: str, lines: Iterable[Line]) -> None:
        """Take a promise back."""
        for line in lines:
            place = Place(site_id, line.item_id)
            self._put(self.level(place).moved(reserved=-line.quantity))
            self.replenished.add(place)

    def issue(self, site_id: str, lines: Iterable[Line], parcel_id: UUID) -> None:
        """What was promised goes into the bags."""
        for line in lines:
            place = Place(site_id, line.item_id)
            self._put(self.level(place).moved(issued=line.quantity, reserved=-line.quantity))
            self.movements.append(Movement(place, MoveKind.ISSUED, line.quantity, parcel_id))

    def put_back(self, site_id: str, lines: Iterable[Line], parcel_id: UUID) -> None:
        """A packed parcel that nobody wants any more goes back on the shelf."""
        for line in lines:
            place = Place(site_id, line.item_id)
            self._put(self.level(place).moved(issued=-line.quantity))
            self.movements.append(Movement(place, MoveKind.PUT_BACK, line.quantity, parcel_id))
            self.replenished.add(place)

    def _put(self, level: Level) -> None:
        self.levels[level.place] = level
        self.changed.add(level.place)
