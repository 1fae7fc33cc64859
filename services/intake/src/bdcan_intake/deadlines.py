"""Intake's one durable promise: somebody looks when routing has not said who has a referral."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from bdcan_chassis.deadlines import Due
from bdcan_chassis.ids import derived_id
from bdcan_chassis.transaction import Tx
from bdcan_intake.admission import ASSIGNMENT_DUE
from bdcan_intake.domain.referral import (
    ASSIGNED_WITHIN,
    COMMUNITY_SOLUTIONS,
    INTAKE,
    ReferralState,
    with_next_step,
)
from bdcan_intake.domain.timeline import Entry
from bdcan_intake.store import referrals, timeline


async def on_assignment_due(due: Sequence[Due], tx: Tx) -> None:
    """A referral that nobody has placed is intake's own again, until routing answers; it is looked at every hour."""
    before = await referrals.lock(tx, {d.subject for d in due})
    after = dict(before)
    entries = []
    next_look = tx.now + ASSIGNED_WITHIN
    for deadline in due:
        referral = before.get(deadline.subject)
        if referral is None or referral.state is not ReferralState.RECEIVED or referral.placement_version:
            continue
        needs = tuple(
            n
            if n.ended or n.owner == COMMUNITY_SOLUTIONS
            # fact_at stays: routing's late answer is still news
            else replace(n, owner=INTAKE, due_at=next_look)
            for n in referral.needs
        )
        after[referral.referral_id] = with_next_step(
            replace(referral, needs=needs, owner=INTAKE, due_at=next_look)
        )
        tx.set_deadline(ASSIGNMENT_DUE, referral.referral_id, next_look)
        key = derived_id(referral.referral_id, f"{ASSIGNMENT_DUE} {deadline.due_at.isoformat()}")
        entries.append(Entry(referral.referral_id, key, tx.now, "assignment.overdue", None, {}))
    await timeline.add(tx.connection, entries)
    await referrals.save(tx.connection, before, after, tx.now)
