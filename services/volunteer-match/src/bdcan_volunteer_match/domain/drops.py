"""What a round is made of: stops, the people who go, and what each means of travel can do. All of it is data.

`screened` leaves out what nobody can bring, each with its reason, before anybody looks for an order. `scheduled` says when
each stop of an order is reached, and whether the order keeps every limit: it has the last word, whatever found the order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from enum import StrEnum
from math import ceil, hypot
from types import MappingProxyType
from uuid import UUID

from msgspec import Struct

from bdcan_contracts.models import Priority
from bdcan_contracts.vocabulary import TaskKind

MOST_STOPS = 200
"""Stops of one plan at most."""

DETOUR = 1.3
"""How much longer streets are than the straight line. An estimate of ours: no table of streets is here."""

AT_THE_DOOR = timedelta(minutes=4)
"""Knock, step back, wait, hand over, a few words. An estimate of ours."""


class Means(StrEnum):
    """How somebody goes."""

    CAR = "car"
    BICYCLE = "bicycle"
    FOOT = "foot"


class Ability(Struct, frozen=True):
    """What a means can do. `room`: small bags of one trip; `reach`: metres from the start, as the crow flies."""

    metres_per_minute: int
    room: int
    reach: int


MEANS: Mapping[Means, Ability] = MappingProxyType(
    {
        Means.CAR: Ability(330, 120, 25_000),
        Means.BICYCLE: Ability(220, 18, 6_000),
        Means.FOOT: Ability(75, 8, 2_000),
    }
)
"""20, 13 and 4.5 km/h, from door to door; twenty parcels, three, or one. Estimates of ours: a doer may say otherwise."""

LOADS: Mapping[str, int] = MappingProxyType({TaskKind.PARCEL_DELIVERY: 6, TaskKind.PRESCRIPTION: 1})
"""What goes on a round, in small bags. Any other kind of task is no delivery."""

_WORTH = {Priority.URGENT: 4, Priority.STANDARD: 2, Priority.ROUTINE: 1}


class WhyLeftOut(StrEnum):
    """Why a task is in no round."""

    NOT_HERE = "not-here"
    ENDED = "ended"
    TAKEN = "taken"
    STOPPED = "stopped"
    NO_DELIVERY = "no-delivery"
    NO_POSITION = "no-position"
    NOBODY_MAY = "nobody-may"
    TOO_FAR = "too-far"
    TOO_MUCH = "too-much"
    WINDOW = "window"
    NO_ROOM = "no-room"


WORDS: Mapping[WhyLeftOut, str] = MappingProxyType(
    {
        WhyLeftOut.NOT_HERE: "There is no such task at this hub. Look it up in the list of tasks.",
        WhyLeftOut.ENDED: "The task has ended. Nobody has to go.",
        WhyLeftOut.TAKEN: "Somebody has accepted the task. Take it back from them first, or leave it with them.",
        WhyLeftOut.STOPPED: "A person must look at the referral first. See the list of tasks with attention=true.",
        WhyLeftOut.NO_DELIVERY: "Only parcels and prescriptions go on a round. Offer the task by itself.",
        WhyLeftOut.NO_POSITION: "Nobody knows where the home is. Ask the resident for the postcode, or offer the task by itself.",
        WhyLeftOut.NOBODY_MAY: "None of these people may do it: look at their kinds of task and their checks, or add somebody.",
        WhyLeftOut.TOO_FAR: "It is too far for everybody who may do it. Add somebody with a bicycle or a car.",
        WhyLeftOut.TOO_MUCH: "It is more than anybody who may do it can carry. Add somebody with a bicycle or a car.",
        WhyLeftOut.WINDOW: "Nobody who may do it can be there at the time that was asked for. Choose another time or day.",
        WhyLeftOut.NO_ROOM: "These rounds have no time or room left. Add somebody, or plan a second round.",
    }
)


class Point(Struct, frozen=True):
    """A place on the National Grid, in metres. `rough`: only the middle of its postcode's sector is known."""

    easting: int
    northing: int
    rough: bool = False


class Window(Struct, frozen=True):
    """When somebody is at home. None: at any time."""

    earliest: datetime | None = None
    latest: datetime | None = None


ANY_TIME = Window()


class Drop(Struct, frozen=True):
    """A stop that a round may have. `worth`: how much it matters that it is in one."""

    task_id: UUID
    at: Point
    load: int
    worth: int
    window: Window = ANY_TIME


class Doer(Struct, frozen=True):
    """Somebody who goes, from one time to another. `room`: small bags of one trip."""

    volunteer_id: UUID
    means: Means
    leaves_at: datetime
    back_by: datetime
    room: int


class Asked(Struct, frozen=True):
    """A task that somebody wants on a round. `refusal`: why it cannot be, as far as the task itself says."""

    task_id: UUID
    kind: str
    priority: Priority
    due_at: datetime
    may: AbstractSet[UUID]
    """The volunteers who may do it."""
    refusal: WhyLeftOut | None = None
    window: Window = ANY_TIME


class LeftOut(Struct, frozen=True):
    """A task that is in no round, and why."""

    task_id: UUID
    reason: WhyLeftOut


class Problem(Struct, frozen=True):
    """Which stops are to be spread over which people, who all begin at one place. `may`: who can go to a stop at all."""

    start: Point
    doers: tuple[Doer, ...]
    drops: tuple[Drop, ...]
    may: Mapping[UUID, AbstractSet[UUID]]


class Stop(Struct, frozen=True):
    """A stop of a round, and when it is reached. `late`: after its window."""

    task_id: UUID
    arrive_at: datetime
    earliest: datetime | None = None
    latest: datetime | None = None
    rough: bool = False

    @property
    def late(self) -> bool:
        """Whether nobody comes in time for its window."""
        return self.latest is not None and self.arrive_at > self.latest


class Course(Struct, frozen=True):
    """The stops in their order, the metres by road to all of them and back, and when the person is back."""

    stops: tuple[Stop, ...]
    metres: int
    back_at: datetime


def metres(one: Point, other: Point) -> int:
    """The way between two places, by road, in metres."""
    return ceil(DETOUR * hypot(one.easting - other.easting, one.northing - other.northing))


def seconds(way: int, means: Means) -> int:
    """How long a way of so many metres takes."""
    return ceil(60 * way / MEANS[means].metres_per_minute)


def screened(
    asked: Iterable[Asked],
    positions: Mapping[UUID, Point],
    start: Point,
    doers: Sequence[Doer],
    now: datetime,
) -> tuple[Problem, tuple[LeftOut, ...]]:
    """The stops that somebody can go to, and those that are left out. `positions` go by task.

    An overdue stop is worth more, never less: it is not left out for being late.
    """
    drops: list[Drop] = []
    may: dict[UUID, AbstractSet[UUID]] = {}
    left_out: list[LeftOut] = []
    for one in asked:
        found = _who_can(one, positions.get(one.task_id), start, doers)
        if isinstance(found, WhyLeftOut):
            left_out.append(LeftOut(one.task_id, found))
            continue
        overdue = 2 if one.due_at <= now else 1
        worth = _WORTH[one.priority] * overdue
        drops.append(Drop(one.task_id, positions[one.task_id], LOADS[one.kind], worth, one.window))
        may[one.task_id] = found
    return Problem(start, tuple(doers), tuple(drops), may), tuple(left_out)


def scheduled(start: Point, doer: Doer, drops: Sequence[Drop]) -> Course:
    """When somebody who goes to these stops in this order is where. Whoever is early waits."""
    walk = _Walk(start, doer)
    for drop in drops:
        walk.add(drop)
    return walk.course


def settled(problem: Problem, orders: Sequence[Sequence[UUID]]) -> tuple[list[Course], tuple[LeftOut, ...]]:
    """The course of each person by the orders that were found, and the stops for which there was no room.

    Whatever the orders say: a stop is in one course at most, with somebody who may do it, and every limit is kept.
    """
    drops = {drop.task_id: drop for drop in problem.drops}
    left = dict(drops)
    courses: list[Course] = []
    for doer, order in zip(problem.doers, orders, strict=True):
        walk = _Walk(problem.start, doer)
        for task_id in order:
            drop = left.get(task_id)
            if drop is not None and doer.volunteer_id in problem.may[task_id] and walk.fits(drop):
                walk.add(drop)
                del left[task_id]
        courses.append(walk.course)
    return courses, tuple(LeftOut(task_id, WhyLeftOut.NO_ROOM) for task_id in left)


def worth_of(problem: Problem, orders: Iterable[Iterable[UUID]]) -> int:
    """How much the stops of some orders matter together."""
    worth = {drop.task_id: drop.worth for drop in problem.drops}
    return sum(worth[task_id] for order in orders for task_id in order)


def nearest_first(problem: Problem) -> list[list[UUID]]:
    """What people do without a plan: everybody in turn goes to the nearest stop that is left. The search begins with it."""
    left = list(problem.drops)
    orders: list[list[UUID]] = []
    for doer in problem.doers:
        walk = _Walk(problem.start, doer)
        mine = [drop for drop in left if doer.volunteer_id in problem.may[drop.task_id]]
        while fits := [drop for drop in mine if walk.fits(drop)]:
            nearest = min(fits, key=lambda drop: (metres(walk.here, drop.at), drop.task_id))
            walk.add(nearest)
            mine.remove(nearest)
            left.remove(nearest)
        orders.append([stop.task_id for stop in walk.course.stops])
    return orders


class _Walk:
    """Somebody on their way, stop by stop. Whoever is early waits."""

    def __init__(self, start: Point, doer: Doer) -> None:
        self._start, self._doer = start, doer
        self.here, self._at, self._carried, self._metres = start, doer.leaves_at, 0, 0
        self._stops: list[Stop] = []

    @property
    def course(self) -> Course:
        """The stops so far, and the way home."""
        home = metres(self.here, self._start)
        return Course(tuple(self._stops), self._metres + home, self._at + self._lasts(home))

    def fits(self, drop: Drop) -> bool:
        """Whether they can go there next and be back in time."""
        arrive = self._arrive(drop)
        if drop.window.latest is not None and arrive > drop.window.latest:
            return False
        home = self._lasts(metres(drop.at, self._start))
        return (
            self._carried + drop.load <= self._doer.room and arrive + AT_THE_DOOR + home <= self._doer.back_by
        )

    def add(self, drop: Drop) -> None:
        """They go there."""
        arrive, window = self._arrive(drop), drop.window
        self._stops.append(Stop(drop.task_id, arrive, window.earliest, window.latest, drop.at.rough))
        self._metres += metres(self.here, drop.at)
        self._carried += drop.load
        self.here, self._at = drop.at, arrive + AT_THE_DOOR

    def _arrive(self, drop: Drop) -> datetime:
        at = self._at + self._lasts(metres(self.here, drop.at))
        return max(at, drop.window.earliest) if drop.window.earliest else at

    def _lasts(self, way: int) -> timedelta:
        return timedelta(seconds=seconds(way, self._doer.means))


def _who_can(
    asked: Asked, at: Point | None, start: Point, doers: Sequence[Doer]
) -> AbstractSet[UUID] | WhyLeftOut:
    """Who can go to a stop on a round of that stop alone; the first reason why nobody can."""
    if asked.refusal is not None:
        return asked.refusal
    if asked.kind not in LOADS:
        return WhyLeftOut.NO_DELIVERY
    if at is None:
        return WhyLeftOut.NO_POSITION
    able = [doer for doer in doers if doer.volunteer_id in asked.may]
    if not able:
        return WhyLeftOut.NOBODY_MAY
    away = hypot(at.easting - start.easting, at.northing - start.northing)
    if not (able := [doer for doer in able if away <= MEANS[doer.means].reach]):
        return WhyLeftOut.TOO_FAR
    if not (able := [doer for doer in able if LOADS[asked.kind] <= doer.room]):
        return WhyLeftOut.TOO_MUCH
    alone = Drop(asked.task_id, at, LOADS[asked.kind], 1, asked.window)
    able = [doer for doer in able if _Walk(start, doer).fits(alone)]
    return frozenset(doer.volunteer_id for doer in able) or WhyLeftOut.WINDOW
