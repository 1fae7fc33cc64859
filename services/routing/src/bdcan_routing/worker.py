"""What the worker consumes: two loops, so that a bulk outreach list never holds up an urgent referral."""

from __future__ import annotations

from bdcan_chassis.subscription import Loop, On
from bdcan_contracts.catalogue import OUTREACH_REFERRALS, REFERRALS
from bdcan_contracts.models import (
    ReferralAmended,
    ReferralClosed,
    ReferralReceived,
    ReferralReopened,
    ReferralWithdrawn,
)
from bdcan_routing.handlers import Handlers
from bdcan_routing.settings import Settings


def loops(settings: Settings) -> tuple[Loop, ...]:
    """Topic → event → handler."""
    handlers = Handlers(settings)
    return tuple(
        Loop(
            name,
            (
                On(topic, ReferralReceived, handlers.on_received),
                On(topic, ReferralAmended, handlers.on_amended),
                On(topic, ReferralWithdrawn, handlers.on_withdrawn),
                On(topic, ReferralClosed, handlers.on_closed),
                On(topic, ReferralReopened, handlers.on_reopened),
            ),
        )
        for name, topic in (("referrals", REFERRALS), ("outreach-referrals", OUTREACH_REFERRALS))
    )
