"""The planners. `match` offers every open task for which somebody suitable has room; `lapse` ends old enquiries."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from bdcan_chassis.passes import Planner
from bdcan_chassis.transaction import Tx
from bdcan_volunteer_match import sectors, store
from bdcan_volunteer_match.books import MATCH, Tasks, Volunteers
from bdcan_volunteer_match.domain.distance import Distances
from bdcan_volunteer_match.domain.eligibility import WEEK, Want, places_by_want
from bdcan_volunteer_match.domain.matching import Known, Match, match
from bdcan_volunteer_match.domain.offers import explained
from bdcan_volunteer_match.domain.task import offer
from bdcan_volunteer_match.domain.volunteer import asked, leave
from bdcan_volunteer_match.optimum import assign
from bdcan_volunteer_match.settings import Settings
from bdcan_volunteer_match.store.retention import ENQUIRIES

SPARE = 50
"""Tasks that are read beyond the free places: everybody who is free may have let some of them go already."""

MOST_OF_A_WANT = 500
MOST_OF_A_PASS = 1000
"""Tasks of one hub, kind and check, and of all, that one pass reads or matches. While a pass offers something, the next one follows."""

LAPSES_A_PASS = 200
"""Enquiries that one pass ends at most."""


async def match_tasks(distances: Distances, tx: Tx) -> int:
    """Offer tasks; returns how many.

    The cost follows the free places of those who could do an open task, and not the length of the queue.
    """
    found = await store.tasks.OPEN_WANTS.records(tx.connection)
    wants: set[Want] = {(hub_id, kind) for hub_id, kind in found}
    if not wants:
        return 0
    candidates = await store.offers.CANDIDATES.all(
        tx.connection,
        now=tx.now,
        since=tx.now - WEEK,
        kinds={kind for _, kind in wants},
        volunteer_ids=None,
    )
    places = places_by_want(wants, candidates)
    tasks, volunteers = Tasks(tx), Volunteers(tx)
    open_tasks = await tasks.lock(
        store.tasks.LOCK_OPEN,
        hub_ids=[hub_id for hub_id, _, _ in places],
        kinds=[kind for _, kind, _ in places],
        requires_dbs=[requires_dbs for _, _, requires_dbs in places],
        most=[min(MOST_OF_A_WANT, free + SPARE) for free in places.values()],
    )
    soonest = sorted(open_tasks, key=lambda task: (task.due_at, task.task_id))[:MOST_OF_A_PASS]
    visits = await store.offers.visits_to(tx.connection, soonest)
    known = Known(distances, tx.calendar, visits, await store.hubs.neighbours(tx.connection))
    matches = match(soonest, candidates, known, tx.now, assign)
    await volunteers.lock(
        store.volunteers.LOCK_ACTIVE, volunteer_ids={found.volunteer_id for found in matches}
    )
    # whoever paused, left, may do less or was asked by hand since the candidates were read is not asked
    asked_at = {candidate.volunteer_id: candidate.last_offered_at for candidate in candidates}
    willing = [
        (found, volunteers[found.volunteer_id])
        for found in matches
        if _may_do(found, volunteers)
        and volunteers[found.volunteer_id].last_offered_at == asked_at[found.volunteer_id]
    ]
    for found, volunteer in willing:
        volunteers.put(asked(volunteers[volunteer.volunteer_id], tx.now))
        step = offer(found.task, volunteer, tx.now, tx.calendar)
        tasks.put_offer(step, explained(step.state, found.chosen, tx.now))
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
        Planner(MATCH, partial(match_tasks, sectors.load())),
        Planner("lapse", partial(lapse_enquiries, kept_for), timedelta(minutes=10)),
    )


def _may_do(found: Match, volunteers: Volunteers) -> bool:
    volunteer, task = volunteers.get(found.volunteer_id), found.task
    return (
        volunteer is not None
        and volunteer.on_duty
        and volunteer.why_unfit(task.kind, task.hub_id, requires_dbs=task.requires_dbs, now=volunteers.tx.now)
        is None
    )
