"""*matching*: one optimal assignment of 1,000 tasks to 900 volunteers, beside today's usual ways on the same data.

*fair greedy*: the soonest due task first, to whoever was asked the longest ago. *nearest first*: the soonest due task first, to whoever
lives nearest. Homes are drawn from the sectors around the borough, and nine hubs stand where the first nine drawn homes are. Nothing
is written to a database: this measures the decision alone.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import NamedTuple
from uuid import UUID

from bdcan_chassis.calendar import make_calendar
from bdcan_contracts.models import Priority
from bdcan_contracts.vocabulary import TaskKind
from bdcan_volunteer_match import sectors
from bdcan_volunteer_match.domain.eligibility import (
    WIDENS_AFTER,
    Candidate,
    hubs_of,
    of_this_task,
    standing,
    widest_ring,
)
from bdcan_volunteer_match.domain.matching import Known, Visit, match
from bdcan_volunteer_match.domain.task import Task
from bdcan_volunteer_match.optimum import assign
from benchmarks.figures import Figure, percentile
from benchmarks.platform import Platform

NOW = datetime(2020, 3, 23, 9, tzinfo=UTC)
HUBS = 9
_NEVER = datetime.min.replace(tzinfo=UTC)

Pairs = dict[UUID, UUID]
Way = Callable[[Sequence[Task], Sequence[Candidate], Known], Pairs]


class Found(NamedTuple):
    """What became of a way's assignment. Distances in metres; `kept`: matched by the time that they were due, in percent."""

    seconds: float
    matched: int
    mean_metres: float
    far_metres: float
    kept: float
    gini: float
    lowest_hub: float
    familiar: int


async def measure(_platform: Platform, repetitions: int, *, quick: bool) -> list[Figure]:
    """All ways on the same borough, once for each repetition with another seed."""
    tasks, volunteers = (200, 180) if quick else (1000, 900)
    ways: dict[str, Way] = {"project": optimal, "greedy": fair_greedy, "nearest": nearest_first}
    found = {
        name: [judge(way, *borough(seed, tasks, volunteers)) for seed in range(repetitions)]
        for name, way in ways.items()
    }
    what = f"{tasks:,} tasks × {volunteers:,} volunteers of {HUBS} hubs"
    lines = (
        (
            "time",
            "s",
            lambda f: f.seconds,
            "processor time of the decision alone; the other ways are written for clarity",
        ),
        ("tasks matched", "tasks", lambda f: f.matched, "as many as anybody may do is best"),
        ("way, mean", "m", lambda f: f.mean_metres, "from the middle of one sector to that of the other"),
        ("way, 95 %", "m", lambda f: f.far_metres, "19 of 20 ways are shorter"),
        ("deadlines kept", "%", lambda f: f.kept, "tasks that are matched before they are due, of all"),
        ("Gini of tasks", "0–1", lambda f: f.gini, "0: everybody has as many tasks as everybody else"),
        ("lowest hub", "%", lambda f: f.lowest_hub, "tasks matched of the hub with the smallest share"),
        (
            "known faces",
            "tasks",
            lambda f: f.familiar,
            "matched with somebody who helped the household before",
        ),
    )
    return [
        Figure(
            f"matching, {name}",
            unit,
            {way: [float(read(one)) for one in found[way]] for way in ways},
            f"{what}; {note}",
        )
        for name, unit, read, note in lines
    ]


def borough(seed: int, tasks: int, volunteers: int) -> tuple[list[Task], list[Candidate], Known]:
    """Tasks and volunteers of a made-up day. Three in ten tasks have waited so long that others may help."""
    random = Random(seed)  # a play, no secret
    distances = sectors.load()
    places = sorted(sector for sector in distances.centres if sector.startswith(("RM", "IG11")))
    hubs = [f"hub-{number}" for number in range(1, HUBS + 1)]
    homes = dict(zip(hubs, random.sample(places, HUBS), strict=True))

    def hub_of(sector: str) -> str:
        return min(hubs, key=lambda hub: (distances.metres(homes[hub], sector) or 0, hub))

    kinds = (TaskKind.SHOPPING, TaskKind.PRESCRIPTION, TaskKind.PARCEL_DELIVERY, TaskKind.ERRAND)
    people: list[Candidate] = []
    for _ in range(volunteers):
        sector = random.choice(places)
        people.append(
            Candidate(
                _id(random),
                (hub_of(sector),),
                tuple(kind for kind in kinds if random.random() < 0.7) or (TaskKind.ERRAND,),
                random.random() < 0.55,
                random.choice([None, NOW - timedelta(days=random.randrange(14))]),
                NOW,
                held=random.choice([0, 0, 0, 1, 2]),
                offers_this_week=random.choice([0, 0, 1, 2, 3]),
                weekly_offers=7,
                sector=sector,
                travels=random.choice(["on-foot", "bicycle", "car", None]),
                on_duty=random.random() < 0.8,
            )
        )
    waiting: list[Task] = []
    visits: dict[UUID, list[Visit]] = {}
    standard = list(WIDENS_AFTER[Priority.STANDARD].values())
    for _ in range(tasks):
        sector, kind = random.choice(places), random.choice(kinds)
        opened_at = NOW - random.choice([timedelta(0)] * 7 + [standard[0]] * 2 + [standard[1]])
        task = Task(
            task_id=_id(random),
            referral_id=_id(random),
            kind=kind,
            hub_id=hub_of(sector),
            sector=sector,
            priority=Priority.STANDARD,
            requires_dbs=kind is TaskKind.PRESCRIPTION,
            due_at=NOW + timedelta(hours=random.randrange(1, 72)),
            alarm_at=NOW,
            opened_at=opened_at,
        )
        waiting.append(task)
        if random.random() < 0.3:
            known = random.choice([one for one in people if task.hub_id in one.hub_ids]).volunteer_id
            visits[task.referral_id] = [Visit(task.referral_id, known, NOW - timedelta(days=7))]
    beside = {
        hub: tuple(sorted(hubs, key=lambda other: distances.metres(homes[hub], homes[other]) or 0)[1:3])
        for hub in hubs
    }
    return waiting, people, Known(distances, make_calendar(), visits, beside)


def optimal(tasks: Sequence[Task], people: Sequence[Candidate], known: Known) -> Pairs:
    """What the planner does."""
    return {found.task.task_id: found.volunteer_id for found in match(tasks, people, known, NOW, assign)}


def fair_greedy(tasks: Sequence[Task], people: Sequence[Candidate], known: Known) -> Pairs:
    """Whoever was asked the longest ago is next, whatever the way: what the planner did before."""
    asked = {one.volunteer_id: one.last_offered_at or _NEVER for one in people}

    def turn(_task: Task, one: Candidate) -> tuple[datetime, UUID]:
        return (asked[one.volunteer_id], one.volunteer_id)

    return _greedy(tasks, people, known, turn, lambda who: asked.update({who: NOW}))


def nearest_first(tasks: Sequence[Task], people: Sequence[Candidate], known: Known) -> Pairs:
    """The nearest is next, however often they were asked."""

    def way(task: Task, one: Candidate) -> tuple[int, UUID]:
        return (known.distances.metres(one.sector, task.sector) or 0, one.volunteer_id)

    return _greedy(tasks, people, known, way, lambda _: None)


def judge(way: Way, tasks: Sequence[Task], people: Sequence[Candidate], known: Known) -> Found:
    """Run a way, and look at what it does for residents and volunteers."""
    started = time.process_time()
    pairs = way(tasks, people, known)
    seconds = time.process_time() - started
    by_id = {one.volunteer_id: one for one in people}
    metres = [
        known.distances.metres(by_id[pairs[task.task_id]].sector, task.sector) or 0
        for task in tasks
        if task.task_id in pairs
    ]
    of_hub = Counter(task.hub_id for task in tasks)
    done = Counter(task.hub_id for task in tasks if task.task_id in pairs)
    held = Counter(pairs.values())
    on_duty = [one for one in people if one.on_duty]
    known_faces = sum(
        any(visit.volunteer_id == pairs.get(task.task_id) for visit in known.visits.get(task.referral_id, ()))
        for task in tasks
    )
    return Found(
        seconds,
        len(pairs),
        sum(metres) / len(metres),
        percentile(metres, 0.95),
        100 * sum(task.task_id in pairs and task.due_at > NOW for task in tasks) / len(tasks),
        gini([one.held + held[one.volunteer_id] for one in on_duty]),
        min(100 * done[hub] / of_hub[hub] for hub in of_hub),
        known_faces,
    )


def gini(values: Sequence[int]) -> float:
    """The Gini coefficient: 0 where all are equal, towards 1 where one has everything."""
    ordered, total = sorted(values), sum(values)
    if not total:
        return 0.0
    return sum((2 * place - len(ordered) + 1) * value for place, value in enumerate(ordered)) / (
        len(ordered) * total
    )


def _greedy(
    tasks: Sequence[Task],
    people: Sequence[Candidate],
    known: Known,
    order: Callable[[Task, Candidate], object],
    asked: Callable[[UUID], object],
) -> Pairs:
    room, pairs = {one.volunteer_id: one.room for one in people}, Pairs()
    for task in sorted(tasks, key=lambda one: (one.due_at, one.task_id)):
        searched = hubs_of(widest_ring(task, NOW), task.hub_id, known.neighbours)
        able = [
            one
            for one in people
            if room[one.volunteer_id] > 0
            and not any(standing(one, task.hub_id, task.kind, searched, requires_dbs=task.requires_dbs))
            and not any(of_this_task(one, task, known.distances.metres(one.sector, task.sector)))
        ]
        if able:
            best = min(able, key=lambda one: order(task, one))  # pyright: ignore[reportArgumentType, reportCallIssue] # tuples of one shape
            room[best.volunteer_id] -= 1
            pairs[task.task_id] = best.volunteer_id
            asked(best.volunteer_id)
    return pairs


def _id(random: Random) -> UUID:
    return UUID(int=random.getrandbits(128), version=4)
