"""What volunteer-match consumes: topic → event → handler.

Bulk lists have a consumer of their own: an import of 60,000 residents does not delay a call that is due in four hours. So
have people and parcels: the import does not delay a packed parcel either.
"""

from __future__ import annotations

from bdcan_chassis.subscription import Consumer, On, with_bulk
from bdcan_contracts.catalogue import (
    ASSIGNMENTS,
    CATALOGUE,
    ESCALATIONS,
    HUBS,
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
    ParcelStopped,
    ParcelWarned,
    ReferralAmended,
    ReferralAssigned,
    ReferralClosed,
    ReferralErasureRequested,
    ReferralHeldForTriage,
    ReferralLinked,
    ReferralOutOfArea,
    ReferralReassigned,
    ReferralReopened,
    ReferralWithdrawn,
    VolunteerEnquiryErasureRequested,
    VolunteerEnquiryReceived,
)
from bdcan_volunteer_match import handlers
from bdcan_volunteer_match.erasing import ERASER

_ASSIGNMENTS = Consumer(
    "assignments",
    (
        On(ASSIGNMENTS, ReferralAssigned, handlers.on_assigned),
        On(ASSIGNMENTS, ReferralReassigned, handlers.on_reassigned),
        On(ASSIGNMENTS, ReferralOutOfArea, handlers.on_out_of_area),
        On(ASSIGNMENTS, ReferralHeldForTriage, handlers.on_held_for_triage),
        On(REFERRALS, ReferralAmended, handlers.on_amended),
        On(REFERRALS, ReferralWithdrawn, handlers.on_withdrawn),
        On(REFERRALS, ReferralClosed, handlers.on_closed),
        On(REFERRALS, ReferralReopened, handlers.on_reopened),
        On(REFERRALS, ReferralLinked, handlers.on_linked),
        On(REFERRALS, ReferralErasureRequested, ERASER.on_requested),
    ),
)

CONSUMERS = (
    *with_bulk(CATALOGUE, _ASSIGNMENTS, "outreach"),
    Consumer(
        "people-and-parcels",
        (
            On(PARCELS, ParcelPacked, handlers.on_parcel_packed),
            On(PARCELS, ParcelCancelled, handlers.on_parcel_cancelled),
            On(PARCELS, ParcelStopped, handlers.on_parcel_stopped),
            On(PARCELS, ParcelWarned, handlers.on_parcel_warned),
            On(ESCALATIONS, EscalationDeclined, handlers.on_escalation_declined),
            On(VOLUNTEER_ENQUIRIES, VolunteerEnquiryReceived, handlers.on_enquiry),
            On(VOLUNTEER_ENQUIRIES, VolunteerEnquiryErasureRequested, handlers.on_enquiry_erasure),
            On(HUBS, HubConfigured, handlers.on_hub),
            On(HUBS, HubPaused, handlers.on_hub),
            On(HUBS, HubResumed, handlers.on_hub),
        ),
        gathers=True,
    ),
)
"""The consumer groups."""
