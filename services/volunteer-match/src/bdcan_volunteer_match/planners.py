"""The planners. `match` offers every open task for which somebody suitable has room; `lapse` ends old enquiries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from functools import partial

from bdcan_chassis.passes import Planner
from bdcan_chassis.transaction import Tx
from bdcan_volunteer_match import store
from bdcan_volunteer_match.books import MATCH, Tasks, Volunteers
from bdcan_volunteer_match.domain.matching import MOST_AT_ONCE, Candidate, Match, Want, match
from bdcan_volunteer_match.domain.task import offer
from bdcan_volunteer_match.domain.volunteer import asked, leave
from bdcan_volunteer_match.settings import Settings
from bdcan_volunteer_match.store.retention import ENQUIRIES

SPARE = 50
"""Tasks that are read beyond the free places: everybody who is free may have let some of them go already."""

LAPSES_A_PASS = 200
"""Enquiries that one pass ends at most."""


async def match_tasks(tx: Tx) -> int:
    """Offer tasks; returns how many.

    The cost follows the free places of those who could do an open task. It depends neither on the length of the queue
    nor on the volunteers of other hubs.
    """
    found = await store.tasks.OPEN_WANTS.records(tx.connection)
    wants: set[Want] = {(hub_id, kind) for hub_id, kind in found}
    if not wants:
        return 0
    candidates = await store.volunteers.CANDIDATES.all(
        tx.connection,
        now=tx.now,
        most=MOST_AT_ONCE,
        hub_ids={hub_id for hub_id, _ in wants},
        kinds={kind for _, kind in wants},
    )
    places = _places(wants, candidates)
    tasks, volunteers = Tasks(tx), Volunteers(tx)
    open_tasks = await tasks.lock(
        store.tasks.LOCK_OPEN,
        hub_ids=[hub_id for hub_id, _, _ in places],
        kinds=[kind for _, kind, _ in places],
        requires_dbs=[requires_dbs for _, _, requires_dbs in places],
        most=[free + SPARE for free in places.values()],
    )
    matches = match(open_tasks, candidates, tx.now)
    await volunteers.lock(
        store.volunteers.LOCK_ACTIVE, volunteer_ids={found.volunteer_id for found in matches}
    )
    # whoever paused, left or may do less since the candidates were read is not asked
    willing = [
        (found.task, volunteers[found.volunteer_id]) for found in matches if _may_do(found, volunteers)
    ]
    for task, volunteer in willing:
        volunteers.put(asked(volunteers[volunteer.volunteer_id], tx.now))
        tasks.put(offer(task, volunteer, tx.now, tx.calendar))
    await tasks.save()
    await volunteers.save()
    return len(willing)


async def lapse_enquiries(kept_for: timedelta, tx: Tx) -> int:
    """Whoever enquired and was never welcomed leaves, so that nobody's name is kept for nothing."""
    volunteers = Volunteers(tx)
    stale = await volunteers.lock(store.volunteers.LOCK_STALE, before=tx.now - kept_for, limit=LAPSES_A_PASS)
    for volunteer in stale:
        volunteers.put(leave(volunteer, None, tx.now))
    await volunteers.save()
    return len(stale)


def planners(settings: Settings) -> tuple[Planner, ...]:
    """What the worker runs."""
    kept_for = settings.retention.get(ENQUIRIES.name, ENQUIRIES.period)
    return (
        Planner(MATCH, match_tasks),
        Planner("lapse", partial(lapse_enquiries, kept_for), timedelta(minutes=10)),
    )


def _may_do(found: Match, volunteers: Volunteers) -> bool:
    volunteer, task = volunteers.get(found.volunteer_id), found.task
    if volunteer is None or task.hub_id not in volunteer.hub_ids:
        return False
    return (
        volunteer.why_unfit(task.kind, task.hub_id, requires_dbs=task.requires_dbs, now=volunteers.tx.now)
        is None
    )


def _places(wants: set[Want], candidates: Sequence[Candidate]) -> Counter[tuple[str, str, bool]]:
    """Free places by hub, kind of task, and whether they are for tasks that require a DBS check."""
    places: Counter[tuple[str, str, bool]] = Counter()
    for candidate in candidates:
        for want in candidate.wants(wants):
            places[*want, False] += candidate.free
            if candidate.is_checked_for(want[0]):
                places[*want, True] += candidate.free
    return places
