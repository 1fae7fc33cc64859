"""What foodhub knows about a referral: which hub has it, and which needs were withdrawn."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from bdcan_chassis.step import Step
from bdcan_contracts.models import ReferralAmended, ReferralReassigned, ReferralWithdrawn


class Referral(Struct, frozen=True):
    """A referral. Only a reassignment sets `hub_id`; only amendments set `withdrawn_needs`."""

    referral_id: UUID
    hub_id: str | None = None
    assignment_version: int = 0
    withdrawn_at: datetime | None = None
    withdrawn_needs: frozenset[UUID] = frozenset()

    def wants(self, need_id: UUID) -> bool:
        """Whether the resident may still want help with this need."""
        return self.withdrawn_at is None and need_id not in self.withdrawn_needs


def amend(referral: Referral, event: ReferralAmended) -> Step[Referral]:
    """Needs were withdrawn. Later calls make no parcel for them."""
    withdrawn = referral.withdrawn_needs.union(event.withdrawn_need_ids)
    return Step(replace(referral, withdrawn_needs=withdrawn))


def withdraw(referral: Referral, event: ReferralWithdrawn) -> Step[Referral]:
    """The resident wants no help. The first withdrawal counts."""
    return Step(replace(referral, withdrawn_at=referral.withdrawn_at or event.withdrawn_at))


def reassign(referral: Referral, event: ReferralReassigned) -> Step[Referral]:
    """Another hub has the resident. An older assignment than the known one is ignored."""
    if event.version <= referral.assignment_version:
        return Step(referral)
    return Step(replace(referral, assignment_version=event.version, hub_id=event.hub_id))
