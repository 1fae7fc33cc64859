"""What happens when a promise's time has come."""

from __future__ import annotations

from collections.abc import Sequence

from bdcan_chassis.deadlines import Due
from bdcan_chassis.transaction import Tx
from bdcan_volunteer_match.domain.call import lapse
from bdcan_volunteer_match.domain.task import on_deadline
from bdcan_volunteer_match.domain.volunteer import come_back
from bdcan_volunteer_match.record import MATCH, record_tasks
from bdcan_volunteer_match.store import calls, tasks, volunteers


async def claims_run_out(due: Sequence[Due], tx: Tx) -> None:
    """A call that was claimed and never reported is on the hub's list again."""
    before = await calls.lock(tx, (d.subject for d in due))
    await calls.save(tx, before, [lapse(call, tx.now) for call in before.values()])


async def tasks_come_due(due: Sequence[Due], tx: Tx) -> None:
    """An offer ran out, nobody was found in time, or what was accepted is long overdue."""
    before = await tasks.lock(tx, (d.subject for d in due))
    await record_tasks(tx, before, [(on_deadline(task, tx.now), None) for task in before.values()])


async def volunteers_return(due: Sequence[Due], tx: Tx) -> None:
    """A pause is over."""
    for volunteer in (await volunteers.lock(tx.connection, (d.subject for d in due))).values():
        moved = come_back(volunteer, tx.now)
        for event in moved.events:
            tx.emit(event)
        await volunteers.save(tx, moved.volunteer)
    tx.wake(MATCH)
