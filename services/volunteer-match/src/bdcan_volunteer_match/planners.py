"""The planner `match`: one pass offers every open task for which somebody suitable has room."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from bdcan_chassis.passes import Planner
from bdcan_chassis.transaction import Tx
from bdcan_volunteer_match import store
from bdcan_volunteer_match.books import MATCH, Tasks, Volunteers
from bdcan_volunteer_match.domain.matching import MOST_AT_ONCE, Candidate, Want, match
from bdcan_volunteer_match.domain.task import offer
from bdcan_volunteer_match.domain.volunteer import asked

SPARE = 50
"""Tasks that are read beyond the free places: everybody who is free may have let some of them go already."""


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
    # a volunteer who paused or left after the first read is not among the locked ones
    willing = [found for found in matches if found.volunteer_id in volunteers]
    for found in willing:
        volunteers.put(asked(volunteers[found.volunteer_id], tx.now))
        tasks.put(offer(found.task, found.volunteer_id, tx.now))
    await tasks.save()
    await volunteers.save()
    return len(willing)


PLANNERS = (Planner(MATCH, match_tasks),)
"""What the worker runs."""


def _places(wants: set[Want], candidates: Sequence[Candidate]) -> Counter[tuple[str, str, bool]]:
    """Free places by hub, kind of task, and whether they are for tasks that require a DBS check."""
    places: Counter[tuple[str, str, bool]] = Counter()
    for candidate in candidates:
        for want in candidate.wants(wants):
            places[*want, False] += candidate.free
            if candidate.dbs_cleared:
                places[*want, True] += candidate.free
    return places
