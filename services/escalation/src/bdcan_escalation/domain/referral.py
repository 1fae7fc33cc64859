"""What escalation knows about a referral: its hub, its priority, and which needs were withdrawn."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from bdcan_chassis.step import Step
from bdcan_contracts.models import (
    Need,
    Priority,
    ReferralAmended,
    ReferralAssigned,
    ReferralOutOfArea,
    ReferralReassigned,
    ReferralWithdrawn,
)


class Referral(Struct, frozen=True):
    """A referral. `withdrawn_needs` holds the needs that an amendment withdrew."""

    referral_id: UUID
    hub_id: str | None = None
    assignment_version: int = 0
    out_of_area: bool = False
    priority: Priority = Priority.STANDARD
    withdrawn_at: datetime | None = None
    withdrawn_needs: frozenset[UUID] = frozenset()

    def wants(self, need: Need) -> bool:
        """Whether the resident may still want this borough's help with this need."""
        return self.withdrawn_at is None and not self.out_of_area and need.need_id not in self.withdrawn_needs


def assign(referral: Referral, event: ReferralAssigned | ReferralReassigned) -> Step[Referral]:
    """Routing has assigned the referral, or moved it to another hub. An older assignment than the known one is ignored."""
    if event.version <= referral.assignment_version:
        return Step(referral)
    return Step(
        replace(
            referral,
            assignment_version=event.version,
            hub_id=event.hub_id,
            priority=event.priority,
            out_of_area=False,
        )
    )


def leave(referral: Referral, event: ReferralOutOfArea) -> Step[Referral]:
    """The home lies outside the borough. An older assignment than the known one is ignored."""
    if event.version <= referral.assignment_version:
        return Step(referral)
    return Step(replace(referral, assignment_version=event.version, out_of_area=True))


def called_by(referral: Referral, hub_id: str) -> Step[Referral]:
    """A hub has called. It counts as the referral's hub until an assignment arrives."""
    return Step(replace(referral, hub_id=referral.hub_id or hub_id))


def amend(referral: Referral, event: ReferralAmended) -> Step[Referral]:
    """Needs were withdrawn. A late event of a call does not escalate them."""
    withdrawn = referral.withdrawn_needs.union(event.withdrawn_need_ids)
    return Step(replace(referral, withdrawn_needs=withdrawn))


def withdraw(referral: Referral, event: ReferralWithdrawn) -> Step[Referral]:
    """The resident wants no help. The first withdrawal counts."""
    return Step(replace(referral, withdrawn_at=referral.withdrawn_at or event.withdrawn_at))
