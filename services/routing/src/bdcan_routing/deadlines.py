"""Promises of routing that have come due."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bdcan_chassis.deadlines import DeadlineHandler, Due
from bdcan_chassis.transaction import Tx
from bdcan_routing.books import Assignments
from bdcan_routing.domain.assignment import TRIAGE_DUE, ask_again
from bdcan_routing.metrics import TRIAGE_LATE
from bdcan_routing.settings import Settings


def deadlines(settings: Settings) -> Mapping[str, DeadlineHandler]:
    """Handlers by kind."""

    async def on_triage_due(due: Sequence[Due], tx: Tx) -> None:
        """Nobody placed them in time. They stay held, and routing asks again."""
        assignments, late = Assignments(tx), 0
        for assignment in await assignments.lock_keys(d.subject for d in due):
            step = ask_again(assignment, settings.triage_times, tx.now)
            assignments.put(step)
            late += len(step.events)
        await assignments.save()
        TRIAGE_LATE.inc(late)

    return {TRIAGE_DUE: on_triage_due}
