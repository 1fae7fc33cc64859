"""The planner `match`: one pass offers every open task that somebody suitable has room for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from bdcan_chassis.transaction import Tx
from bdcan_contracts.models import TaskKind
from bdcan_volunteer_match.domain.matching import Candidate, Want, match
from bdcan_volunteer_match.domain.task import offer
from bdcan_volunteer_match.store import tasks, volunteers

SPARE = 50
"""Tasks looked at beyond the free places: some have already been let go by all who are free."""


async def plan_match(tx: Tx) -> int:
    """Offer tasks; returns how many.

    Its cost follows the free places of those who could do an open task: neither the length of the queue nor the
    number of volunteers at other hubs.
    """
    wants = await tasks.open_wants(tx.connection)
    if not wants:
        return 0
    candidates = await volunteers.candidates(tx.connection, wants)
    open_tasks = await tasks.lock_open(tx, _wanted(wants, candidates))
    matches = match(open_tasks, candidates, tx.now)
    if not matches:
        return 0
    # somebody may have paused or left since they were read: from here on they cannot
    willing = await volunteers.mark_offered(tx.connection, (found.volunteer_id for found in matches), tx.now)
    decided = [
        offer(found.task, found.volunteer_id, tx.now) for found in matches if found.volunteer_id in willing
    ]
    for one in decided:
        for event in one.events:
            tx.emit(event)
    await tasks.save(tx, [one.task for one in decided])
    return len(decided)


def _wanted(wants: set[Want], candidates: Sequence[Candidate]) -> list[tuple[str, TaskKind, bool, int]]:
    places: Counter[tuple[str, TaskKind, bool]] = Counter()
    for candidate in candidates:
        for want in candidate.wants(wants):
            places[*want, False] += candidate.free
            if candidate.dbs_cleared:
                places[*want, True] += candidate.free
    return [(*want, count + SPARE) for want, count in sorted(places.items())]
