"""What escalation does when a deadline is due."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from bdcan_chassis.deadlines import DeadlineHandler, Due
from bdcan_chassis.transaction import Tx
from bdcan_escalation.books import Escalations
from bdcan_escalation.domain import escalation as cases


async def on_late(due: Sequence[Due], tx: Tx) -> None:
    """A step is late: emit that it is overdue, and set the deadline for the next check."""
    await Escalations(tx).handle_due(due, lambda late, now: cases.overdue(late, now, tx.calendar))


DEADLINES: Mapping[str, DeadlineHandler] = MappingProxyType({cases.LATE: on_late})
"""Handlers by kind."""
