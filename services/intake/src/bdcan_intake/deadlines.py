"""Promises of intake that have come due."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from bdcan_chassis.deadlines import DeadlineHandler, Due
from bdcan_chassis.transaction import Tx
from bdcan_intake.books import Referrals
from bdcan_intake.domain import timeline
from bdcan_intake.domain.referral import ASSIGNMENT_DUE, assignment_overdue


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


DEADLINES: Mapping[str, DeadlineHandler] = MappingProxyType({ASSIGNMENT_DUE: on_assignment_due})
"""Handlers by kind."""
