"""How far it is from one postcode sector to another, as the crow flies.

A sector ("RM10 8") has thousands of addresses. The centres come from a table that is shipped (`sectors`).
"""

from __future__ import annotations

from collections.abc import Mapping
from math import hypot

from msgspec import Struct, field


class Centre(Struct, frozen=True):
    """The mean position of a sector's postcodes, in metres of the national grid.

    `within`: the mean distance between two of its postcodes, in metres.
    """

    easting: int
    northing: int
    within: int


class Distances(Struct, frozen=True):
    """The distances between the sectors whose centres are known."""

    centres: Mapping[str, Centre]
    _found: dict[tuple[str, str], int] = field(default_factory=dict)

    def metres(self, one: str | None, other: str | None) -> int | None:
        """The distance between two homes of these sectors, on average; None where a sector is not known."""
        if one is None or other is None:
            return None
        known = self._found.get((one, other))
        if known is None:
            a, b = self.centres.get(one), self.centres.get(other)
            if a is None or b is None:
                return None
            known = round(hypot(a.easting - b.easting, a.northing - b.northing)) if one != other else a.within
            self._found[one, other] = known
        return known
