"""What each thing costs when tasks are matched with volunteers. One point is as much as one metre of way.

These are rules as data: `points` of each, with the sentence that explains it. A pass finds the assignment of which the sum
is the lowest.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from msgspec import Struct


class Weight(Struct, frozen=True):
    """So many points, and why."""

    points: int
    because: str


MOST_AT_ONCE = 3
"""Offers and accepted tasks of one volunteer at the same time."""

VISITS_REMEMBERED = 5
"""So many of the last visits to a household count for continuity."""

DAYS_REMEMBERED = 14
"""Nobody who was last asked longer ago than this comes before others who were."""

WEIGHTS: Mapping[str, Weight] = MappingProxyType(
    {
        "metre": Weight(1, "a volunteer who lives near comes sooner and more often"),
        "way-unknown": Weight(3000, "nobody knows how far it is: about the way across three wards"),
        "comes-too-late": Weight(20000, "their next hours of the week begin after the task is due"),
        "another-hub": Weight(3000, "a hub's own people know its streets, and its people know them"),
        "last-visit": Weight(
            -2500, "the resident knows the face of the last visit: worth a walk of half an hour"
        ),
        "earlier-visit": Weight(-1000, "each earlier visit among the last five counts, too"),
        "second-task": Weight(
            2000, "whoever has a task in hand gets a second one where it saves others a long way"
        ),
        "third-task": Weight(5000, "a third task costs more than a second: many hands instead of few"),
        "asked-this-week": Weight(
            700, "each offer of the last seven days: in 2020 two thirds of the volunteers were never asked"
        ),
        "asked-lately": Weight(50, "each day that their last offer is less than a fortnight ago"),
    }
)
"""By name. Negative points speak for somebody."""

PLACE_POINTS = (0, WEIGHTS["second-task"].points, WEIGHTS["third-task"].points)
"""What the first, second and third task of one volunteer costs. It rises, so that work is spread."""

FURTHEST_METRES = 20_000
"""A longer way costs no more: nobody of the borough lives farther away."""

MOST_POINTS = (
    FURTHEST_METRES
    + WEIGHTS["comes-too-late"].points
    + WEIGHTS["another-hub"].points
    + PLACE_POINTS[-1]
    + 50 * WEIGHTS["asked-this-week"].points
    + DAYS_REMEMBERED * WEIGHTS["asked-lately"].points
)
"""No pair costs more. Offers beyond fifty a week count as fifty."""
