"""What escalation knows of a referral: which hub has it, how urgent it is, and what was withdrawn."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from bdcan_chassis.step import Step
from bdcan_contracts.models import Need, Priority, ReferralAmended, ReferralAssigned, ReferralWithdrawn


class Referral(Struct, frozen=True):
    """A referral. `withdrawn_needs` holds the needs that an amendment withdrew."""

    referral_id: UUID
    hub_id: str | None = None
    hub_version: int = 0
    priority: Priority = Priority.STANDARD
    withdrawn_at: datetime | None = None
    withdrawn_needs: frozenset[UUID] = frozenset()

    def wants(self, need: Need) -> bool:
        """Whether help with this need may still be wanted."""
        return self.withdrawn_at is None and need.need_id not in self.withdrawn_needs


def assign(referral: Referral, event: ReferralAssigned) -> Step[Referral]:
    """Routing has placed it. Older news than what is known changes nothing."""
    if event.version <= referral.hub_version:
        return Step(referral)
    return Step(replace(referral, hub_version=event.version, hub_id=event.hub_id, priority=event.priority))


def called_by(referral: Referral, hub_id: str) -> Step[Referral]:
    """A hub has called: it has the referral as long as routing has not said who does."""
    return Step(replace(referral, hub_id=referral.hub_id or hub_id))


def amend(referral: Referral, event: ReferralAmended) -> Step[Referral]:
    """Needs were withdrawn; a call about them that comes late hands nothing over."""
    withdrawn = referral.withdrawn_needs.union(event.withdrawn_need_ids)
    return Step(replace(referral, withdrawn_needs=withdrawn))


def withdraw(referral: Referral, event: ReferralWithdrawn) -> Step[Referral]:
    """The resident wants no help. The first withdrawal counts."""
    return Step(replace(referral, withdrawn_at=referral.withdrawn_at or event.withdrawn_at))
