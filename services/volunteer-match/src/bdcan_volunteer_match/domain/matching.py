"""Who is asked next: one optimal assignment of open tasks to the volunteers who may do them.

As many tasks as possible are matched, the soonest due first, at the least cost (`weights`). What the volunteers of a task's own hub can
do stays with them. So no other hub takes a volunteer whom an open task of their own hub needs. Older tasks also go
to volunteers of other hubs. Each choice comes with its reasons in words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, TypeAlias
from uuid import UUID

from msgspec import Struct, field

from bdcan_chassis.calendar import Calendar, Hours
from bdcan_volunteer_match.domain.distance import Distances
from bdcan_volunteer_match.domain.eligibility import (
    Candidate,
    Obstacle,
    Ring,
    hubs_of,
    is_too_far,
    standing,
    widest_ring,
)
from bdcan_volunteer_match.domain.task import Task
from bdcan_volunteer_match.domain.weights import (
    DAYS_REMEMBERED,
    FURTHEST_METRES,
    MOST_POINTS,
    PLACE_POINTS,
    VISITS_REMEMBERED,
    WEIGHTS,
)


class Pair(NamedTuple):
    """A volunteer who may do a task, by their places in the lists, and what it costs in points."""

    task: int
    volunteer: int
    points: int


Solve: TypeAlias = Callable[[int, Sequence[Sequence[int]], Sequence[Pair], int], Sequence[Pair]]
"""Finds the cheapest assignment: see `optimum.assign`."""


class Visit(Struct, frozen=True):
    """Somebody did a task for the resident of a referral, or for one who is linked with it."""

    referral_id: UUID
    volunteer_id: UUID
    done_at: datetime


class Known(Struct, frozen=True):
    """What a pass knows beside tasks and volunteers. `visits`: the last ones by referral, the newest first. `neighbours`: by hub."""

    distances: Distances
    calendar: Calendar
    visits: Mapping[UUID, Sequence[Visit]] = field(default_factory=dict)
    neighbours: Mapping[str, Collection[str]] = field(default_factory=dict)


class Chosen(Struct, frozen=True):
    """Why a volunteer is asked, in words, and how many others are not, by reason. `metres`: the way there."""

    ring: str
    because: tuple[str, ...]
    not_asked: dict[str, int] = field(default_factory=dict)
    metres: int | None = None


class Match(NamedTuple):
    """A task, who is asked, and why."""

    task: Task
    volunteer_id: UUID
    chosen: Chosen


class Ranked(NamedTuple):
    """A volunteer who may be asked for a task, and what it costs in points."""

    candidate: Candidate
    points: int
    metres: int | None


def match(
    tasks: Iterable[Task], candidates: Sequence[Candidate], known: Known, now: datetime, solve: Solve
) -> list[Match]:
    """Pair tasks with volunteers. Nobody gets more than they have room for, and no task two volunteers.

    The first assignment finds the tasks that volunteers of their own hubs can take: in the second one those stay with them,
    while older tasks may go to others who are left over.
    """
    in_order = sorted(tasks, key=lambda t: (t.due_at, t.task_id))
    searches = {ring: _Search(ring, candidates, known) for ring in Ring}
    own, places = searches[Ring.OWN], [_places(candidate) for candidate in candidates]
    pairs = [pair for number, task in enumerate(in_order) for pair in own.pairs(number, task)]
    chosen = solve(len(in_order), places, pairs, MOST_POINTS)
    rings = [Ring.OWN] * len(in_order)
    firm = {pair.task for pair in chosen}
    waiting = [number for number in range(len(in_order)) if number not in firm]
    if any(widest_ring(in_order[number], now) is not Ring.OWN for number in waiting):
        rings = [Ring.OWN] * len(firm) + [widest_ring(in_order[number], now) for number in waiting]
        in_order = [in_order[number] for number in (*sorted(firm), *waiting)]
        pairs = [
            pair
            for number, (task, ring) in enumerate(zip(in_order, rings, strict=True))
            for pair in searches[ring].pairs(number, task)
        ]
        chosen = solve(len(in_order), places, pairs, MOST_POINTS)
    return [
        Match(
            in_order[pair.task],
            candidates[pair.volunteer].volunteer_id,
            searches[rings[pair.task]].chosen(candidates[pair.volunteer], in_order[pair.task]),
        )
        for pair in chosen
    ]


def rank(
    task: Task, candidates: Sequence[Candidate], ring: Ring, known: Known
) -> tuple[list[Ranked], Counter[Obstacle]]:
    """Who may be asked for a task now, the best first; and how many may not, by the first thing that speaks against it."""
    search = _Search(ring, candidates, known)
    ranked = [
        Ranked(candidates[v], points, search.metres(candidates[v], task))
        for _, v, points in search.pairs(0, task)
    ]
    ranked.sort(
        key=lambda one: (one.points + PLACE_POINTS[min(one.candidate.held, 2)], one.candidate.volunteer_id)
    )
    return ranked, search.not_asked(task)


def reasons(candidate: Candidate, task: Task, metres: int | None, known: Known) -> tuple[str, ...]:
    """What speaks for a volunteer, as a coordinator can read it out."""
    words = []
    if task.hub_id not in candidate.hub_ids:
        words.append("helps another hub, because nobody of this hub was free")
    if metres is not None:
        words.append(f"lives about {max(1, round(metres / 100)) * 100} m away")
    visits = _visits_of(candidate, task, known)
    if visits:
        day = known.calendar.local_date(visits[0].done_at)
        more = f" and {len(visits) - 1} times before" if len(visits) > 1 else ""
        words.append(f"helped this household on {day.day} {day:%B}{more}")
    words.append("has nothing in hand" if not candidate.held else f"has {candidate.held} in hand")
    asked = candidate.offers_this_week
    words.append("was not asked this week" if not asked else f"was asked {asked} times this week")
    return tuple(words)


def free_from(candidate: Candidate, calendar: Calendar) -> datetime | None:
    """When the volunteer's weekly hours begin next; None where they have time now, or have not said when."""
    today = calendar.local_date(candidate.seen_at)
    begins: list[datetime] = []
    for slot in candidate.availability:
        for week in (0, 7):
            day = today + timedelta(days=(slot.weekday - today.isoweekday()) % 7 + week)
            hours = calendar.span(day, Hours(slot.begins, slot.ends))
            if candidate.seen_at in hours:
                return None
            if hours.begins > candidate.seen_at:
                begins.append(hours.begins)
    return min(begins, default=None)


class _Group(NamedTuple):
    """Those of a ring who may do tasks of one hub, kind, check and sector: their place in the list, and points without continuity."""

    people: list[tuple[int, int]]
    not_asked: Counter[Obstacle]


class _Search:
    """One ring of a pass. Tasks of one hub, kind, check and sector have the same group, which is worked out once."""

    def __init__(self, ring: Ring, candidates: Sequence[Candidate], known: Known) -> None:
        self._ring, self._candidates, self._known = ring, candidates, known
        self._free_from = {
            place: begins
            for place, candidate in enumerate(candidates)
            if (begins := free_from(candidate, known.calendar)) is not None
        }
        self._standing: dict[tuple[str, str, bool], _Group] = {}
        self._groups: dict[tuple[str, str, bool, str | None], _Group] = {}

    def pairs(self, number: int, task: Task) -> list[Pair]:
        """Everybody who may do the task, with the cost."""
        people = self._group(task).people
        found = [Pair(number, place, points) for place, points in people]
        if task.asked:
            found = [
                pair for pair in found if self._candidates[pair.volunteer].volunteer_id not in task.asked
            ]
        late = {place for place, begins in self._free_from.items() if begins > task.due_at}
        if late:
            found = [
                pair._replace(points=pair.points + WEIGHTS["comes-too-late"].points)
                if pair.volunteer in late
                else pair
                for pair in found
            ]
        if self._known.visits.get(task.referral_id):
            found = [
                pair._replace(
                    points=pair.points + _continuity(self._candidates[pair.volunteer], task, self._known)
                )
                for pair in found
            ]
        return found

    def metres(self, candidate: Candidate, task: Task) -> int | None:
        """The way from the volunteer to the task."""
        return self._known.distances.metres(candidate.sector, task.sector)

    def not_asked(self, task: Task) -> Counter[Obstacle]:
        """How many of the ring may not be asked, by the first thing that speaks against it."""
        group = self._group(task)
        counts = Counter(group.not_asked)
        if task.asked:
            counts[Obstacle.ASKED_BEFORE] += sum(
                self._candidates[place].volunteer_id in task.asked for place, _ in group.people
            )
        return +counts

    def chosen(self, candidate: Candidate, task: Task) -> Chosen:
        """Why this volunteer."""
        metres = self.metres(candidate, task)
        not_asked = {why.value: number for why, number in self.not_asked(task).items()}
        return Chosen(self._ring, reasons(candidate, task, metres, self._known), not_asked, metres)

    def _group(self, task: Task) -> _Group:
        key = (task.hub_id, task.kind, task.requires_dbs, task.sector)
        group = self._groups.get(key)
        if group is None:
            standing_group = self._standing_group(task)
            people: list[tuple[int, int]] = []
            counts = Counter(standing_group.not_asked)
            for place, points in standing_group.people:
                candidate = self._candidates[place]
                metres = self.metres(candidate, task)
                if is_too_far(candidate, metres):
                    counts[Obstacle.TOO_FAR] += 1
                else:
                    people.append((place, points + _way(metres)))
            group = self._groups[key] = _Group(people, counts)
        return group

    def _standing_group(self, task: Task) -> _Group:
        """Those against whom nothing speaks wherever the task is; points for fairness, and for helping another hub."""
        key = (task.hub_id, task.kind, task.requires_dbs)
        group = self._standing.get(key)
        if group is None:
            group = self._standing[key] = _Group([], Counter())
            searched = hubs_of(self._ring, task.hub_id, self._known.neighbours)
            for place, candidate in enumerate(self._candidates):
                first = next(
                    standing(candidate, task.hub_id, task.kind, searched, requires_dbs=task.requires_dbs),
                    None,
                )
                if first is None:
                    others = task.hub_id not in candidate.hub_ids
                    points = _fairness(candidate) + (WEIGHTS["another-hub"].points if others else 0)
                    group.people.append((place, points))
                elif searched is None or not searched.isdisjoint(candidate.hub_ids):
                    group.not_asked[first] += 1
        return group


def _places(candidate: Candidate) -> Sequence[int]:
    """What each further task costs the volunteer, as many as they have room for."""
    return PLACE_POINTS[candidate.held : candidate.held + max(0, candidate.room)]


def _way(metres: int | None) -> int:
    if metres is None:
        return WEIGHTS["way-unknown"].points
    return min(metres, FURTHEST_METRES) * WEIGHTS["metre"].points


def _fairness(candidate: Candidate) -> int:
    points = min(candidate.offers_this_week, 50) * WEIGHTS["asked-this-week"].points
    if candidate.last_offered_at is not None:
        ago = (candidate.seen_at - candidate.last_offered_at) / timedelta(days=1)
        points += round(max(0.0, DAYS_REMEMBERED - ago) * WEIGHTS["asked-lately"].points)
    return points


def _visits_of(candidate: Candidate, task: Task, known: Known) -> list[Visit]:
    visits = known.visits.get(task.referral_id, ())[:VISITS_REMEMBERED]
    return [visit for visit in visits if visit.volunteer_id == candidate.volunteer_id]


def _continuity(candidate: Candidate, task: Task, known: Known) -> int:
    visits = known.visits.get(task.referral_id, ())[:VISITS_REMEMBERED]
    return sum(
        WEIGHTS["earlier-visit" if place else "last-visit"].points
        for place, visit in enumerate(visits)
        if visit.volunteer_id == candidate.volunteer_id
    )
