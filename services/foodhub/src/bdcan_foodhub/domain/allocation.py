"""Which parcel gets stock first: the one that is due first. No parcel overtakes on an item that is short.

A parcel is reserved as a whole or not at all. Stock that a short parcel waits for is kept for it. If smaller parcels could
overtake, a large household could wait for ever.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from uuid import UUID

from msgspec import Struct

from bdcan_contracts.models import MissingItem
from bdcan_foodhub.domain.parcel import Parcel
from bdcan_foodhub.domain.stock import Place


class Plan(Struct, frozen=True):
    """The result for each parcel: all of its lines, or what it lacks."""

    reserved: tuple[UUID, ...]
    short: Mapping[UUID, tuple[MissingItem, ...]]


def allocate(free: Mapping[Place, int], parcels: Iterable[Parcel]) -> Plan:
    """Plan parcels in the given order. `free` is the free stock of each place; it is not changed."""
    left = dict(free)
    reserved: list[UUID] = []
    short: dict[UUID, tuple[MissingItem, ...]] = {}
    for parcel in parcels:
        missing = tuple(
            MissingItem(item_id=line.item_id, quantity=line.quantity - max(0, had))
            for line in parcel.lines
            if (had := left.get(Place(parcel.site_id, line.item_id), 0)) < line.quantity
        )
        if missing:
            short[parcel.parcel_id] = missing
            for item in missing:
                left[Place(parcel.site_id, item.item_id)] = 0
        else:
            reserved.append(parcel.parcel_id)
            for line in parcel.lines:
                left[Place(parcel.site_id, line.item_id)] -= line.quantity
    return Plan(tuple(reserved), short)
