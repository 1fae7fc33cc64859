"""Which loop reads which events, and who handles them.

Three consumer groups. Bulk lists have a loop of their own, so that an import of 60,000 residents never delays a call
that is due in four hours; so have people and parcels, so that neither does it delay a packed parcel.
"""

from __future__ import annotations

from bdcan_chassis.subscription import Loop, On
from bdcan_contracts.catalogue import (
    ASSIGNMENTS,
    ESCALATIONS,
    HUBS,
    OUTREACH_ASSIGNMENTS,
    OUTREACH_REFERRALS,
    PARCELS,
    REFERRALS,
    VOLUNTEER_ENQUIRIES,
)
from bdcan_contracts.models import (
    EscalationDeclined,
    HubConfigured,
    HubPaused,
    HubResumed,
    ParcelCancelled,
    ParcelPacked,
    ReferralAmended,
    ReferralAssigned,
    ReferralClosed,
    ReferralReassigned,
    ReferralWithdrawn,
    VolunteerEnquiryReceived,
)
from bdcan_volunteer_match import handlers


def loops() -> tuple[Loop, ...]:
    """The service's consumer groups."""
    return (
        Loop(
            "assignments",
            (
                On(ASSIGNMENTS, ReferralAssigned, handlers.on_assigned),
                On(ASSIGNMENTS, ReferralReassigned, handlers.on_reassigned),
                On(REFERRALS, ReferralAmended, handlers.on_amended),
                On(REFERRALS, ReferralWithdrawn, handlers.on_withdrawn),
                On(REFERRALS, ReferralClosed, handlers.on_closed),
            ),
        ),
        Loop(
            "outreach",
            (
                On(OUTREACH_ASSIGNMENTS, ReferralAssigned, handlers.on_assigned),
                On(OUTREACH_ASSIGNMENTS, ReferralReassigned, handlers.on_reassigned),
                On(OUTREACH_REFERRALS, ReferralAmended, handlers.on_amended),
                On(OUTREACH_REFERRALS, ReferralWithdrawn, handlers.on_withdrawn),
                On(OUTREACH_REFERRALS, ReferralClosed, handlers.on_closed),
            ),
        ),
        Loop(
            "people-and-parcels",
            (
                On(PARCELS, ParcelPacked, handlers.on_parcel_packed),
                On(PARCELS, ParcelCancelled, handlers.on_parcel_cancelled),
                On(ESCALATIONS, EscalationDeclined, handlers.on_escalation_declined),
                On(VOLUNTEER_ENQUIRIES, VolunteerEnquiryReceived, handlers.on_enquiry),
                On(HUBS, HubConfigured, handlers.on_hub),
                On(HUBS, HubPaused, handlers.on_hub),
                On(HUBS, HubResumed, handlers.on_hub),
            ),
        ),
    )
