"""Promises of intake that have come due."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from bdcan_chassis.deadlines import DeadlineHandler, Due
from bdcan_chassis.transaction import Tx
from bdcan_intake.books import Erasures, Imports, Referrals
from bdcan_intake.domain import imports, rights, timeline
from bdcan_intake.domain.imports import IMPORT_DUE
from bdcan_intake.domain.referral import ASSIGNMENT_DUE, assignment_overdue
from bdcan_intake.domain.rights import ERASURE_DUE


async def on_assignment_due(due: Sequence[Due], tx: Tx) -> None:
    """Routing has not placed a referral in time: intake owns it until routing answers."""
    referrals = Referrals(tx)
    await referrals.lock_keys(d.subject for d in due)
    for _, referral_id, due_at in due:
        referral = referrals.get(referral_id)
        step = referral and assignment_overdue(referral, tx.now)
        if step:
            referrals.put(step)
            referrals.enter([timeline.overdue(referral_id, due_at, tx.now)])
    await referrals.save()


async def on_import_due(due: Sequence[Due], tx: Tx) -> None:
    """An import does not move on: the process that ran it has ended. Its list has to be sent again."""
    await Imports(tx).handle_due(due, imports.break_off)


async def on_erasure_due(due: Sequence[Due], tx: Tx) -> None:
    """A service has not answered whether it has erased a person: an alarm."""
    await Erasures(tx).handle_due(due, rights.overdue)


DEADLINES: Mapping[str, DeadlineHandler] = MappingProxyType(
    {ASSIGNMENT_DUE: on_assignment_due, IMPORT_DUE: on_import_due, ERASURE_DUE: on_erasure_due}
)
"""Handlers by kind."""
