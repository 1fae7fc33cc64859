"""Events that upstream systems have sent, by what they call them: the same id again gets the receipt of then."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct

from bdcan_chassis.step import Step
from bdcan_contracts.models import InboundReferralAccepted, InboundReferralRefused


class KnownEvent(Struct, frozen=True):
    """One event of an upstream system. `content` tells whether another one says the same; `receipt` is its answer."""

    event_key: UUID
    content: UUID
    receipt: dict[str, Any]
    referral_id: UUID | None
    """The referral of an accepted event."""
    taken_at: datetime


def know(
    event_key: UUID, content: UUID, receipt: InboundReferralAccepted | InboundReferralRefused, now: datetime
) -> Step[KnownEvent]:
    """Remember an event and its receipt, without what is about its record alone."""
    kept = receipt.model_dump(mode="json", exclude_none=True, exclude={"record", "dry_run"})
    referral_id = receipt.referral_id if isinstance(receipt, InboundReferralAccepted) else None
    return Step(KnownEvent(event_key, content, kept, referral_id, now))
