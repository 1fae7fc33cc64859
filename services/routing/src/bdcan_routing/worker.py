"""What routing consumes: topic → event → handler."""

from __future__ import annotations

from functools import partial

from bdcan_chassis.subscription import Consumer, On, with_bulk
from bdcan_contracts.catalogue import CATALOGUE, REFERRALS
from bdcan_contracts.models import (
    ReferralAmended,
    ReferralClosed,
    ReferralErasureRequested,
    ReferralLinked,
    ReferralReceived,
    ReferralReopened,
    ReferralWithdrawn,
)
from bdcan_routing import handlers
from bdcan_routing.erasing import ERASER
from bdcan_routing.settings import Settings


def consumers(settings: Settings) -> tuple[Consumer, ...]:
    """Outreach referrals have a consumer of their own: a long list does not delay an urgent referral."""
    main = Consumer(
        "referrals",
        (
            On(REFERRALS, ReferralReceived, partial(handlers.on_received, settings)),
            On(REFERRALS, ReferralAmended, partial(handlers.on_amended, settings)),
            On(REFERRALS, ReferralWithdrawn, handlers.on_withdrawn),
            On(REFERRALS, ReferralClosed, handlers.on_closed),
            On(REFERRALS, ReferralLinked, handlers.on_linked),
            On(REFERRALS, ReferralErasureRequested, ERASER.on_requested),
            On(REFERRALS, ReferralReopened, partial(handlers.on_reopened, settings)),
        ),
    )
    return with_bulk(CATALOGUE, main, "outreach-referrals")
