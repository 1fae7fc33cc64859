"""How good the rounds are: 120 stops beside what people do without a plan."""

from __future__ import annotations

import random
import time
from datetime import timedelta
from uuid import UUID

from bdcan_chassis.testing.harness import START
from bdcan_contracts.models import Priority
from bdcan_contracts.vocabulary import TaskKind
from bdcan_volunteer_match.domain.drops import (
    MEANS,
    Asked,
    Course,
    Doer,
    Means,
    Point,
    Problem,
    nearest_first,
    screened,
    settled,
)
from bdcan_volunteer_match.solving import solve

PEOPLE = (*[Means.CAR] * 4, *[Means.BICYCLE] * 3, *[Means.FOOT] * 2)


def morning(stops: int) -> Problem:
    """So many parcels and prescriptions, spread over a borough of eight by nine kilometres, for four hours of nine people."""
    chance = random.Random(1)
    doers = [
        Doer(UUID(int=number), means, START, START + timedelta(hours=4), MEANS[means].room)
        for number, means in enumerate(PEOPLE)
    ]
    may = {doer.volunteer_id for doer in doers}
    asked = [
        Asked(
            UUID(int=1000 + number),
            chance.choice([TaskKind.PARCEL_DELIVERY, TaskKind.PRESCRIPTION]),
            Priority.STANDARD,
            START + timedelta(days=1),
            may,
        )
        for number in range(stops)
    ]
    positions = {
        one.task_id: Point(chance.randrange(544000, 552000), chance.randrange(181000, 190000))
        for one in asked
    }
    problem, left_out = screened(asked, positions, Point(548000, 185000), doers, START)
    assert left_out == ()
    return problem


def length(courses: list[Course]) -> int:
    return sum(course.metres for course in courses if course.stops)


def test_rounds_are_a_fifth_shorter_than_nearest_first_on_120_stops() -> None:
    problem = morning(120)
    began = time.process_time()
    planned, left_out = settled(problem, solve(problem, timedelta(seconds=60)))
    took = time.process_time() - began
    naive, _ = settled(problem, nearest_first(problem))
    print(  # noqa: T201 # the figures of ADR 43
        f"\n120 stops: planned {length(planned) / 1000:.1f} km in {took:.1f} s of processor time,"
        f" nearest first {length(naive) / 1000:.1f} km"
    )
    assert left_out == ()
    assert length(planned) < 0.8 * length(naive)
    assert took < 10


def test_where_room_is_short_more_stops_are_made_than_nearest_first() -> None:
    problem = morning(200)
    _, left_out = settled(problem, solve(problem, timedelta(seconds=60)))
    _, naive = settled(problem, nearest_first(problem))
    print(f"\n200 stops: planned leaves out {len(left_out)}, nearest first {len(naive)}")  # noqa: T201 # as above
    assert len(left_out) < len(naive)
