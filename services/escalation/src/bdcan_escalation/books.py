"""The books of referrals and escalations: what a transaction locks, and what a change brings with it."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from prometheus_client import Counter

from bdcan_chassis.book import Book, Change
from bdcan_chassis.housekeeping import of_promise
from bdcan_chassis.transaction import Tx
from bdcan_contracts.models import EscalationKind
from bdcan_escalation import store
from bdcan_escalation.domain.escalation import Escalation, State, in_time
from bdcan_escalation.domain.referral import Referral

FORWARD = "forward"
"""The gateway for complex needs and welfare concerns."""

FORWARD_SAFEGUARDING = "forward-safeguarding"
"""The gateway for safeguarding, which waits behind nothing else."""


class Referrals(Book[Referral]):
    """Referrals. Transactions that lock the same referral take turns."""

    table = store.referrals.REFERRAL


class Escalations(Book[Escalation]):
    """Escalations. A new one wakes its gateway."""

    table = store.escalations.ESCALATION
    parent = "referral_id"

    def counts(self, change: Change[Escalation]) -> Iterable[Counter]:
        """A step that was in time or is late. Not by hub: a small count may be about somebody whom the reader knows."""
        done = in_time(change.before, change.after, self.tx.now)
        return of_promise("escalations", None if done is None else (None, done))

    def wakes(self, change: Change[Escalation]) -> Iterable[str]:
        """The gateway of a new escalation."""
        if change.before is not None or change.after.state is not State.OPENED:
            return ()
        safeguarding = change.after.kind is EscalationKind.SAFEGUARDING
        return (FORWARD_SAFEGUARDING if safeguarding else FORWARD,)


async def of_referrals(tx: Tx, referral_ids: Iterable[UUID]) -> tuple[Referrals, Escalations]:
    """Referrals and all their escalations, locked in this order."""
    referrals, escalations = Referrals(tx), Escalations(tx)
    ids = set(referral_ids)
    await referrals.ensure(ids)
    await escalations.lock(store.escalations.LOCK_OF_REFERRALS, referral_ids=ids)
    return referrals, escalations
