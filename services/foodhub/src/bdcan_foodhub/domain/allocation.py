"""Which parcel gets stock first: the one that is due first. No parcel overtakes on an item that is short.

A parcel is reserved as a whole or not at all, with one exception: food does not wait for what is no food. Such items follow
later, and their stock goes first to whoever waited first. Stock that a short parcel waits for is kept for it, also when it
takes no part in this pass. If smaller parcels could overtake, a large household could wait for ever.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import TypeAlias
from uuid import UUID

from msgspec import Struct

from bdcan_contracts.models import MissingItem
from bdcan_foodhub.domain.contents import Line
from bdcan_foodhub.domain.items import ITEMS
from bdcan_foodhub.domain.parcel import Parcel
from bdcan_foodhub.domain.stock import Place

Turn: TypeAlias = tuple[datetime, UUID]
"""Where a parcel is in the queue: its due time, and its id among those that are due at the same time."""


class Plan(Struct, frozen=True):
    """The result for each parcel: all of its lines, or what it lacks.

    `later`: the lines of a reserved parcel that follow later. `filled`: lines that a parcel was owed and gets now.
    """

    reserved: tuple[UUID, ...]
    short: Mapping[UUID, tuple[MissingItem, ...]]
    later: Mapping[UUID, tuple[Line, ...]] = MappingProxyType({})
    filled: Mapping[UUID, tuple[Line, ...]] = MappingProxyType({})


def turn(parcel: Parcel) -> Turn:
    """Its place in the queue."""
    return parcel.due_at, parcel.parcel_id


def allocate(
    free: Mapping[Place, int],
    parcels: Iterable[Parcel],
    *,
    ahead: Mapping[Place, Turn] = MappingProxyType({}),
    owing: frozenset[UUID] = frozenset(),
) -> Plan:
    """Plan parcels in the given order. `free` is the free stock of each place; it is not changed.

    `ahead`: who waits first for an item and takes no part here; whoever comes later in the queue leaves that item.
    `owing`: those among the parcels that are reserved already and only wait for lines that follow later.
    """
    left = dict(free)
    reserved: list[UUID] = []
    short: dict[UUID, tuple[MissingItem, ...]] = {}
    later: dict[UUID, tuple[Line, ...]] = {}
    filled: dict[UUID, tuple[Line, ...]] = {}
    for parcel in parcels:
        had = _within_reach(left, ahead, parcel)
        owes = parcel.parcel_id in owing
        lines = parcel.back_order if owes else parcel.lines
        lacking = tuple(line for line in lines if had[line.item_id] < line.quantity)
        there = tuple(line for line in lines if had[line.item_id] >= line.quantity)
        waits = not owes and bool(lacking) and not _may_go(lines, lacking)
        for line in lacking:  # kept for this parcel
            left[Place(parcel.site_id, line.item_id)] = 0
        if waits:
            short[parcel.parcel_id] = tuple(
                MissingItem(item_id=line.item_id, quantity=line.quantity - max(0, had[line.item_id]))
                for line in lacking
            )
            continue
        for line in there:
            left[Place(parcel.site_id, line.item_id)] -= line.quantity
        if owes:
            if there:
                filled[parcel.parcel_id] = there
            continue
        reserved.append(parcel.parcel_id)
        if lacking:
            later[parcel.parcel_id] = lacking
    return Plan(tuple(reserved), short, later, filled)


def _within_reach(left: Mapping[Place, int], ahead: Mapping[Place, Turn], parcel: Parcel) -> dict[str, int]:
    """How much of each item the parcel may take."""
    found: dict[str, int] = {}
    for line in (*parcel.lines, *parcel.back_order):
        place = Place(parcel.site_id, line.item_id)
        first = ahead.get(place)
        found[line.item_id] = 0 if first is not None and first < turn(parcel) else left.get(place, 0)
    return found


def _may_go(lines: tuple[Line, ...], lacking: tuple[Line, ...]) -> bool:
    """Whether the parcel has food and lacks none."""
    return any(ITEMS[x.item_id].food for x in lines) and not any(ITEMS[x.item_id].food for x in lacking)
