"""The one promise of routing: a held referral is placed by a person in time, or asked for again."""

from __future__ import annotations

from collections.abc import Sequence

from bdcan_chassis.deadlines import DeadlineHandler, Due
from bdcan_chassis.transaction import Tx
from bdcan_routing.domain import assignment
from bdcan_routing.metrics import TRIAGE_LATE
from bdcan_routing.placing import publish
from bdcan_routing.settings import Settings
from bdcan_routing.store import assignments


def triage_due(settings: Settings) -> DeadlineHandler:
    """Nobody has placed them in time: they stay where they are, say so again, and get a new deadline."""

    async def handle(due: Sequence[Due], tx: Tx) -> None:
        known = await assignments.lock(tx, (d.subject for d in due))
        changed = []
        for deadline in due:
            before = known.get(deadline.subject)
            step = assignment.still_waiting(before, settings.triage_times, tx.now)
            if step is None:
                continue
            after, events = step
            publish(tx, before, after, events)
            changed.append(after)
        await assignments.save(tx.connection, changed, tx.now)
        TRIAGE_LATE.inc(len(changed))

    return handle
