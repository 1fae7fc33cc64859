"""Where a home or a place lies on the National Grid, as far as its postcode says.

A postcode that the table has is a point, some fifty metres from the door. One that it does not have lies somewhere in its
sector: a round may go by that, and whoever goes should know.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from statistics import fmean

from msgspec import Struct

from bdcan_contracts.typed import GivenPostcode, Postcode

_LETTERS = "ABDEFGHJLNPQRSTUWXYZ"
"""The letters that end a postcode: C, I, K, M, O and V are in none."""

Point = tuple[int, int]
"""Easting and northing, in metres."""


class Sure(StrEnum):
    """How sure a position is: that of the postcode itself, or the middle of its sector, some 500 metres wide."""

    POSTCODE = "postcode"
    SECTOR = "sector"


class Position(Struct, frozen=True):
    """A place on the National Grid, in metres."""

    easting: int
    northing: int
    sure: Sure


def postcodes_of_sector(postcode: Postcode) -> list[str]:
    """All postcodes that the sector of this one can have: 400."""
    return [f"{postcode.sector}{one}{two}" for one in _LETTERS for two in _LETTERS]


def position_of(
    postcode: GivenPostcode, known: Mapping[str, Point], centres: Mapping[str, Point]
) -> Position | None:
    """The position of a postcode; None where nobody gave one, it is none, or its sector is unknown, too.

    `known`: postcodes of the table in use. `centres`: the middle of sectors.
    """
    if not isinstance(postcode, Postcode):
        return None
    if at := known.get(str(postcode)):
        return Position(*at, Sure.POSTCODE)
    near = {one: known[one] for one in postcodes_of_sector(postcode) if one in known}
    nearest = [at for one, at in near.items() if one.startswith(postcode.sector_letter)]
    if near:
        return Position(*middle(nearest or near.values()), Sure.SECTOR)
    centre = centres.get(postcode.sector)
    return Position(*centre, Sure.SECTOR) if centre else None


def middle(points: Iterable[Point]) -> Point:
    """The middle of some points, to the metre."""
    eastings, northings = zip(*points, strict=True)
    return round(fmean(eastings)), round(fmean(northings))
