"""Promises of escalation that have come due."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from bdcan_chassis.deadlines import DeadlineHandler, Due
from bdcan_chassis.transaction import Tx
from bdcan_escalation.case_book import LATE, CaseBook
from bdcan_escalation.domain import escalation as cases


async def on_late(due: Sequence[Due], tx: Tx) -> None:
    """A step is late: somebody is told, and it is looked at again."""
    book = await CaseBook.of_escalations(tx, [d.subject for d in due])
    for escalation in list(book.escalations.values()):
        if escalation.due_at is not None and escalation.due_at <= tx.now:
            book.put(cases.overdue(escalation, tx.now))
    await book.save()


DEADLINES: Mapping[str, DeadlineHandler] = MappingProxyType({LATE: on_late})
"""Handlers by kind."""
