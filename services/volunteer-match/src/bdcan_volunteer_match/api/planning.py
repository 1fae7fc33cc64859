"""How a plan of rounds is made: it asks routing where the homes lie, and thinks about the order of the stops.

All of that happens before a transaction begins: no row is locked meanwhile. The positions are kept nowhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from fastapi import Request
from msgspec import Struct

from bdcan_chassis.database import Connection
from bdcan_chassis.http.auth import Caller
from bdcan_chassis.http.problems import InvalidError
from bdcan_chassis.http.reading import reading, transactions_of
from bdcan_contracts.envelope import Problem
from bdcan_volunteer_match import store
from bdcan_volunteer_match.api.round_views import DoerBody, PlanBody
from bdcan_volunteer_match.api.shared import sees_volunteer
from bdcan_volunteer_match.domain import rounds as going
from bdcan_volunteer_match.domain.drops import (
    ANY_TIME,
    MEANS,
    MOST_STOPS,
    Asked,
    Course,
    Doer,
    Drop,
    LeftOut,
    Point,
    WhyLeftOut,
    Window,
    scheduled,
    screened,
    settled,
)
from bdcan_volunteer_match.domain.rounds import MOST_AHEAD, Place, Round
from bdcan_volunteer_match.domain.task import Task
from bdcan_volunteer_match.domain.volunteer import Volunteer, VolunteerState
from bdcan_volunteer_match.settings import Settings
from bdcan_volunteer_match.solving import solve
from bdcan_volunteer_match.upstream import positions


class Planned(Struct, frozen=True):
    """What was found: who goes where, and what is left out. `tasks`: all that were looked at."""

    hub_id: str
    start: Place
    courses: tuple[tuple[Doer, Course], ...]
    left_out: tuple[LeftOut, ...]
    tasks: Mapping[UUID, Task]
    more: bool


async def plan_rounds(request: Request, body: PlanBody, caller: Caller, settings: Settings) -> Planned:
    """Find rounds. Nothing is written. Raises InvalidError, and UnavailableError without routing."""
    now = transactions_of(request).clock.now()
    async with reading(request) as connection:
        volunteers = await _volunteers(connection, body, caller, now)
        tasks, missing, more = await _tasks(connection, body)
    windows = {one.task_id: Window(one.earliest, one.latest) for one in body.windows}
    asked = [_asked(task, body.hub_id, volunteers, windows, now) for task in tasks]
    start = Place(body.start.postcode, body.start.name)
    wanted = {task.referral_id for task, one in zip(tasks, asked, strict=True) if one.refusal is None}
    why = f"round of {body.hub_id}, planned by {caller.name}"
    known = await positions(settings, body.hub_id, wanted, start.postcode, why)
    at = _start_of(known.places, start.postcode)
    homes = {task.task_id: known.homes[task.referral_id] for task in tasks if task.referral_id in known.homes}
    doers = [_doer(one) for one in body.doers]
    problem, refused = screened(asked, homes, at, doers, now)
    orders = await asyncio.to_thread(solve, problem, settings.solve_at_most)
    courses, no_room = settled(problem, orders)
    unknown = (LeftOut(task_id, WhyLeftOut.NOT_HERE) for task_id in missing)
    return Planned(
        body.hub_id,
        start,
        tuple(zip(doers, courses, strict=True)),
        (*unknown, *refused, *no_room),
        {task.task_id: task for task in tasks},
        more,
    )


async def put_in_order(
    before: Round, tasks: Mapping[UUID, Task], task_ids: Sequence[UUID], caller: Caller, settings: Settings
) -> Course:
    """The stops of a round in another order, with new times. Raises InvalidError, and UnavailableError without routing."""
    _must_be_same(before, task_ids)
    why = f"round of {before.hub_id}, put in another order by {caller.name}"
    wanted = {task.referral_id for task in tasks.values()}
    known = await positions(settings, before.hub_id, wanted, before.start, why)
    start = _start_of(known.places, before.start)
    stops = {stop.task_id: stop for stop in before.stops}
    drops: list[Drop] = []
    for task_id in task_ids:
        stop, task = stops[task_id], tasks.get(task_id)
        at = known.homes.get(task.referral_id) if task else None
        # a home that nobody knows any more costs no way: its task has gone
        here = drops[-1].at if drops else start
        drops.append(Drop(task_id, at or here, 0, 0, Window(stop.earliest, stop.latest)))
    return scheduled(start, before.doer, drops)


async def _volunteers(
    connection: Connection, body: PlanBody, caller: Caller, now: datetime
) -> dict[UUID, Volunteer]:
    """Who goes. Raises InvalidError, which names each person who cannot, and says why."""
    found = await store.volunteers.VOLUNTEER.get.all(
        connection, keys=list({one.volunteer_id for one in body.doers})
    )
    known = {one.volunteer_id: one for one in found if sees_volunteer(caller, one)}
    problems: list[Problem] = []
    seen: set[UUID] = set()
    for place, one in enumerate(body.doers):
        field = f"doers.{place}"
        volunteer = known.get(one.volunteer_id)
        if volunteer is None or body.hub_id not in volunteer.hub_ids:
            problems.append(
                Problem(
                    f"{field}.volunteer_id", "unknown", "does not help this hub: see its list of volunteers"
                )
            )
        elif volunteer.state is not VolunteerState.ACTIVE:
            problems.append(
                Problem(
                    f"{field}.volunteer_id",
                    "not-active",
                    f"is {volunteer.state}: choose somebody who is active",
                )
            )
        if one.volunteer_id in seen:
            problems.append(
                Problem(f"{field}.volunteer_id", "twice", "is there twice: a person has one trip a plan")
            )
        seen.add(one.volunteer_id)
        if one.back_by <= max(one.leaves_at, now):
            problems.append(Problem(f"{field}.back_by", "past", "must lie ahead, and after leaves_at"))
        elif one.back_by > now + MOST_AHEAD:
            hours = int(MOST_AHEAD / timedelta(hours=1))
            problems.append(Problem(f"{field}.back_by", "too-far-ahead", f"must lie within {hours} hours"))
    if problems:
        raise InvalidError.of(*problems)
    return known


async def _tasks(connection: Connection, body: PlanBody) -> tuple[list[Task], list[UUID], bool]:
    """The tasks that are asked for, the ids that are none, and whether there are more."""
    if body.task_ids is not None:
        ids = list(dict.fromkeys(body.task_ids))
        found = {task.task_id: task for task in await store.tasks.TASK.get.all(connection, keys=ids)}
        mine = [found[task_id] for task_id in ids if task_id in found]
        return mine, [task_id for task_id in ids if task_id not in found], False
    rows = await store.rounds.DELIVERIES.all(
        connection, hub_id=body.hub_id, kinds=body.kinds, due_before=body.due_before, limit=MOST_STOPS + 1
    )
    return rows[:MOST_STOPS], [], len(rows) > MOST_STOPS


def _asked(
    task: Task,
    hub_id: str,
    volunteers: Mapping[UUID, Volunteer],
    windows: Mapping[UUID, Window],
    now: datetime,
) -> Asked:
    return Asked(
        task_id=task.task_id,
        kind=task.kind,
        priority=task.priority,
        due_at=task.due_at,
        may={one.volunteer_id for one in volunteers.values() if going.may_go(task, one, now)},
        refusal=going.refusal_of(task, hub_id),
        window=windows.get(task.task_id, ANY_TIME),
    )


def _doer(one: DoerBody) -> Doer:
    return Doer(one.volunteer_id, one.means, one.leaves_at, one.back_by, one.room or MEANS[one.means].room)


def _start_of(places: Mapping[str, Point], postcode: str) -> Point:
    if postcode not in places:
        raise InvalidError.of(
            Problem("start.postcode", "unknown", "leads nowhere: give the postcode of a place near the hub")
        )
    return places[postcode]


def _must_be_same(round_: Round, task_ids: Sequence[UUID]) -> None:
    """Raise InvalidError unless these are the stops of the round, each once."""
    problems = [
        Problem(f"task_ids.{place}", "unknown", "is no stop of this round, or is there twice")
        for place, task_id in enumerate(task_ids)
        if task_id not in round_.task_ids or task_id in task_ids[:place]
    ]
    if not problems and (missing := len(round_.stops) - len(task_ids)):
        problems.append(Problem("task_ids", "missing", f"lacks {missing} of the stops: send all of them"))
    if problems:
        raise InvalidError.of(*problems)
