"""Escalations that are open for change in a unit of work, and what a change of theirs brings with it.

Whoever changes an escalation puts the step here: its events are emitted, its deadline follows its promise, and the
gateway is woken. So no caller can forget one of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from bdcan_chassis.transaction import Tx
from bdcan_contracts.envelope import Event
from bdcan_contracts.models import EscalationKind
from bdcan_escalation import store
from bdcan_escalation.domain.escalation import Escalation, State, Step

LATE = "escalation-late"
"""Deadline: the present step of an escalation must be over."""

FORWARD = "forward"
"""The gateway for complex needs and welfare concerns."""

FORWARD_SAFEGUARDING = "forward-safeguarding"
"""The gateway for safeguarding, which waits behind nothing else."""


@dataclass(slots=True)
class CaseBook:
    """Locked escalations by id, before and after the change."""

    tx: Tx
    escalations: dict[UUID, Escalation] = field(default_factory=dict)
    _before: dict[UUID, Escalation] = field(default_factory=dict)

    @classmethod
    async def of_referrals(cls, tx: Tx, referral_ids: Iterable[UUID]) -> CaseBook:
        """All escalations of some referrals, which the caller has locked."""
        return cls.of_locked(tx, await store.escalations.lock_of_referrals(tx.connection, referral_ids))

    @classmethod
    async def of_escalations(cls, tx: Tx, escalation_ids: Iterable[UUID]) -> CaseBook:
        """Some escalations; one that does not exist is absent."""
        return cls.of_locked(tx, (await store.escalations.lock(tx.connection, escalation_ids)).values())

    @classmethod
    def of_locked(cls, tx: Tx, found: Iterable[Escalation]) -> CaseBook:
        """Escalations that the caller has locked. Time goes on from where theirs stands, whichever process told it."""
        escalations = {e.escalation_id: e for e in found}
        tx.not_before(*[e.changed_at for e in escalations.values()])
        return cls(tx, escalations, dict(escalations))

    def of_referral(self, referral_id: UUID) -> list[Escalation]:
        """The referral's escalations, as they are now."""
        return [e for e in self.escalations.values() if e.referral_id == referral_id]

    def of_need(self, referral_id: UUID, need_id: UUID) -> list[Escalation]:
        """Every escalation that the need has been part of."""
        return [e for e in self.of_referral(referral_id) if need_id in e.need_ids]

    def put(self, step: Step, cause: Event[Any] | None = None) -> Escalation:
        """Take a step over: the escalation as it is now, and its events."""
        escalation, events = step
        self.escalations[escalation.escalation_id] = escalation
        for event in events:
            self.tx.emit(event, cause=cause)
        return escalation

    async def save(self) -> None:
        """Write what changed, and all that follows from it."""
        changed = [e for i, e in self.escalations.items() if e != self._before.get(i)]
        await store.escalations.save(self.tx.connection, changed)
        for escalation in changed:
            before = self._before.get(escalation.escalation_id)
            if escalation.due_at is None:
                self.tx.cancel_deadline(LATE, escalation.escalation_id)
            elif before is None or before.due_at != escalation.due_at:
                self.tx.set_deadline(LATE, escalation.escalation_id, escalation.due_at)
            if before is None and escalation.state is State.OPENED:
                safeguarding = escalation.kind is EscalationKind.SAFEGUARDING
                self.tx.wake(FORWARD_SAFEGUARDING if safeguarding else FORWARD)
