# Generated from schemas/topics by `python -m bdcan_contract_tools generate`. Do not edit.
"""All topics and event types of BD CAN Plus.

`CATALOGUE` is what the codec takes. Each topic has a constant of its own. `PERSONAL_FIELDS` names every field that
holds personal data somewhere; it belongs in no log.
"""

from __future__ import annotations

from datetime import timedelta

from bdcan_contracts import models
from bdcan_contracts.envelope import Catalogue, Reader, EventType, Topic

SAFEGUARDING = Topic(
    name="bdcan.intake.safeguarding.v1",
    owner="intake",
    purpose="Concerns that somebody may be at risk of harm, before any routing.",
    key="{referral_id}",
    traffic_class="urgent",
    partitions=3,
    retention=timedelta(days=14),
    compacted=False,
    event_types=("bdcan.intake.safeguarding-concern.raised.v1",),
    writers=("intake",),
    consumers=(Reader("escalation", ("bdcan.intake.safeguarding-concern.raised.v1",)),),
)

ESCALATIONS = Topic(
    name="bdcan.escalation.escalations.v1",
    owner="escalation",
    purpose="Needs handed to Community Solutions, and what it made of them.",
    key="{escalation_id}",
    traffic_class="normal",
    partitions=3,
    retention=timedelta(days=14),
    compacted=False,
    event_types=(
        "bdcan.escalation.escalation.opened.v1",
        "bdcan.escalation.escalation.forwarded.v1",
        "bdcan.escalation.escalation.acknowledged.v1",
        "bdcan.escalation.escalation.accepted.v1",
        "bdcan.escalation.escalation.declined.v1",
        "bdcan.escalation.escalation.closed.v1",
        "bdcan.escalation.escalation.overdue.v1",
    ),
    writers=("escalation",),
    consumers=(
        Reader(
            "intake",
            (
                "bdcan.escalation.escalation.opened.v1",
                "bdcan.escalation.escalation.forwarded.v1",
                "bdcan.escalation.escalation.acknowledged.v1",
                "bdcan.escalation.escalation.accepted.v1",
                "bdcan.escalation.escalation.declined.v1",
                "bdcan.escalation.escalation.closed.v1",
                "bdcan.escalation.escalation.overdue.v1",
            ),
        ),
        Reader("volunteer-match", ("bdcan.escalation.escalation.declined.v1",)),
    ),
)

PARCELS = Topic(
    name="bdcan.foodhub.parcels.v1",
    owner="foodhub",
    purpose="Food parcels, from the request to the door.",
    key="{parcel_id}",
    traffic_class="normal",
    partitions=6,
    retention=timedelta(days=14),
    compacted=False,
    event_types=(
        "bdcan.foodhub.parcel.requested.v1",
        "bdcan.foodhub.parcel.reserved.v1",
        "bdcan.foodhub.parcel.short.v1",
        "bdcan.foodhub.parcel.packed.v1",
        "bdcan.foodhub.parcel.dispatched.v1",
        "bdcan.foodhub.parcel.delivered.v1",
        "bdcan.foodhub.parcel.returned.v1",
        "bdcan.foodhub.parcel.cancelled.v1",
        "bdcan.foodhub.parcel.stopped.v1",
        "bdcan.foodhub.parcel.warned.v1",
    ),
    writers=("foodhub",),
    consumers=(
        Reader(
            "intake",
            (
                "bdcan.foodhub.parcel.requested.v1",
                "bdcan.foodhub.parcel.reserved.v1",
                "bdcan.foodhub.parcel.short.v1",
                "bdcan.foodhub.parcel.packed.v1",
                "bdcan.foodhub.parcel.dispatched.v1",
                "bdcan.foodhub.parcel.delivered.v1",
                "bdcan.foodhub.parcel.returned.v1",
                "bdcan.foodhub.parcel.cancelled.v1",
                "bdcan.foodhub.parcel.stopped.v1",
                "bdcan.foodhub.parcel.warned.v1",
            ),
        ),
        Reader("volunteer-match", ("bdcan.foodhub.parcel.packed.v1", "bdcan.foodhub.parcel.cancelled.v1")),
    ),
)

STOCK = Topic(
    name="bdcan.foodhub.stock.v1",
    owner="foodhub",
    purpose="How much of each item each site has. Compacted: the last event of an item at a site says everything about it.",
    key="{site_id}:{item_id}",
    traffic_class="normal",
    partitions=6,
    retention=None,
    compacted=True,
    event_types=(
        "bdcan.foodhub.stock.changed.v1",
        "bdcan.foodhub.stock.fell-low.v1",
        "bdcan.foodhub.stock.recalled.v1",
    ),
    writers=("foodhub",),
    consumers=(),
)

INBOUND_RECEIPTS = Topic(
    name="bdcan.intake.inbound-receipts.v1",
    owner="intake",
    purpose="What became of each submission of an upstream system.",
    key="{source}:{reference}",
    traffic_class="normal",
    partitions=6,
    retention=timedelta(days=7),
    compacted=False,
    event_types=("bdcan.intake.inbound-referral.accepted.v1", "bdcan.intake.inbound-referral.refused.v1"),
    writers=("intake",),
    consumers=(
        Reader(
            "upstream",
            ("bdcan.intake.inbound-referral.accepted.v1", "bdcan.intake.inbound-referral.refused.v1"),
        ),
    ),
)

INBOUND_REFERRALS = Topic(
    name="bdcan.intake.inbound-referrals.v1",
    owner="intake",
    purpose="What upstream systems submit on behalf of people who need help. The one topic with personal data: short retention, and nobody but intake reads it.",
    key="{source}:{reference}",
    traffic_class="normal",
    partitions=6,
    retention=timedelta(days=3),
    compacted=False,
    event_types=("bdcan.intake.inbound-referral.submitted.v1",),
    writers=("upstream",),
    consumers=(Reader("intake", ("bdcan.intake.inbound-referral.submitted.v1",)),),
)

REFERRALS = Topic(
    name="bdcan.intake.referrals.v1",
    owner="intake",
    purpose="The life of each request for help.",
    key="{referral_id}",
    traffic_class="normal",
    partitions=6,
    retention=timedelta(days=14),
    compacted=False,
    event_types=(
        "bdcan.intake.referral.received.v1",
        "bdcan.intake.referral.amended.v1",
        "bdcan.intake.referral.withdrawn.v1",
        "bdcan.intake.referral.closed.v1",
        "bdcan.intake.referral.reopened.v1",
        "bdcan.intake.referral.linked.v1",
    ),
    writers=("intake",),
    consumers=(
        Reader(
            "routing",
            (
                "bdcan.intake.referral.received.v1",
                "bdcan.intake.referral.amended.v1",
                "bdcan.intake.referral.withdrawn.v1",
                "bdcan.intake.referral.closed.v1",
                "bdcan.intake.referral.reopened.v1",
            ),
        ),
        Reader(
            "volunteer-match",
            (
                "bdcan.intake.referral.amended.v1",
                "bdcan.intake.referral.withdrawn.v1",
                "bdcan.intake.referral.closed.v1",
                "bdcan.intake.referral.linked.v1",
            ),
        ),
        Reader("foodhub", ("bdcan.intake.referral.amended.v1", "bdcan.intake.referral.withdrawn.v1")),
        Reader(
            "escalation",
            (
                "bdcan.intake.referral.amended.v1",
                "bdcan.intake.referral.withdrawn.v1",
                "bdcan.intake.referral.closed.v1",
            ),
        ),
    ),
)

VOLUNTEER_ENQUIRIES = Topic(
    name="bdcan.intake.volunteer-enquiries.v1",
    owner="intake",
    purpose="People who want to volunteer.",
    key="{enquiry_id}",
    traffic_class="normal",
    partitions=3,
    retention=timedelta(days=14),
    compacted=False,
    event_types=("bdcan.intake.volunteer-enquiry.received.v1",),
    writers=("intake",),
    consumers=(Reader("volunteer-match", ("bdcan.intake.volunteer-enquiry.received.v1",)),),
)

ASSIGNMENTS = Topic(
    name="bdcan.routing.assignments.v1",
    owner="routing",
    purpose="Which hub looks after each referral, and why.",
    key="{referral_id}",
    traffic_class="normal",
    partitions=6,
    retention=timedelta(days=14),
    compacted=False,
    event_types=(
        "bdcan.routing.referral.assigned.v1",
        "bdcan.routing.referral.reassigned.v1",
        "bdcan.routing.referral.held-for-triage.v1",
        "bdcan.routing.referral.out-of-area.v1",
    ),
    writers=("routing",),
    consumers=(
        Reader(
            "intake",
            (
                "bdcan.routing.referral.assigned.v1",
                "bdcan.routing.referral.reassigned.v1",
                "bdcan.routing.referral.held-for-triage.v1",
                "bdcan.routing.referral.out-of-area.v1",
            ),
        ),
        Reader(
            "volunteer-match", ("bdcan.routing.referral.assigned.v1", "bdcan.routing.referral.reassigned.v1")
        ),
        Reader(
            "foodhub",
            (
                "bdcan.routing.referral.assigned.v1",
                "bdcan.routing.referral.out-of-area.v1",
                "bdcan.routing.referral.reassigned.v1",
            ),
        ),
        Reader(
            "escalation",
            (
                "bdcan.routing.referral.assigned.v1",
                "bdcan.routing.referral.reassigned.v1",
                "bdcan.routing.referral.out-of-area.v1",
            ),
        ),
    ),
)

DEMAND_SIGNALS = Topic(
    name="bdcan.routing.demand-signals.v1",
    owner="routing",
    purpose="Where much more is asked for than usual. Advisory.",
    key="{scope}:{scope_id}",
    traffic_class="normal",
    partitions=3,
    retention=timedelta(days=7),
    compacted=False,
    event_types=("bdcan.routing.demand.surged.v1", "bdcan.routing.demand.settled.v1"),
    writers=("routing",),
    consumers=(),
)

HUBS = Topic(
    name="bdcan.routing.hubs.v1",
    owner="routing",
    purpose="The hubs as they now stand. Compacted: the last event of a hub says everything about it.",
    key="{hub_id}",
    traffic_class="normal",
    partitions=3,
    retention=None,
    compacted=True,
    event_types=(
        "bdcan.routing.hub.configured.v1",
        "bdcan.routing.hub.paused.v1",
        "bdcan.routing.hub.resumed.v1",
    ),
    writers=("routing",),
    consumers=(
        Reader(
            "volunteer-match",
            (
                "bdcan.routing.hub.configured.v1",
                "bdcan.routing.hub.paused.v1",
                "bdcan.routing.hub.resumed.v1",
            ),
        ),
    ),
)

TASKS = Topic(
    name="bdcan.volunteer-match.tasks.v1",
    owner="volunteer-match",
    purpose="What volunteers do, from the first offer to the end.",
    key="{task_id}",
    traffic_class="normal",
    partitions=6,
    retention=timedelta(days=14),
    compacted=False,
    event_types=(
        "bdcan.volunteer-match.task.opened.v1",
        "bdcan.volunteer-match.task.offered.v1",
        "bdcan.volunteer-match.task.accepted.v1",
        "bdcan.volunteer-match.task.completed.v1",
        "bdcan.volunteer-match.task.failed.v1",
        "bdcan.volunteer-match.task.cancelled.v1",
        "bdcan.volunteer-match.task.unfilled.v1",
        "bdcan.volunteer-match.task.concern-raised.v1",
        "bdcan.volunteer-match.task.offer-withdrawn.v1",
        "bdcan.volunteer-match.task.changed.v1",
    ),
    writers=("volunteer-match",),
    consumers=(
        Reader(
            "intake",
            (
                "bdcan.volunteer-match.task.opened.v1",
                "bdcan.volunteer-match.task.accepted.v1",
                "bdcan.volunteer-match.task.completed.v1",
                "bdcan.volunteer-match.task.failed.v1",
                "bdcan.volunteer-match.task.cancelled.v1",
                "bdcan.volunteer-match.task.unfilled.v1",
                "bdcan.volunteer-match.task.changed.v1",
                "bdcan.volunteer-match.task.offer-withdrawn.v1",
            ),
        ),
        Reader(
            "foodhub",
            (
                "bdcan.volunteer-match.task.accepted.v1",
                "bdcan.volunteer-match.task.completed.v1",
                "bdcan.volunteer-match.task.failed.v1",
                "bdcan.volunteer-match.task.cancelled.v1",
            ),
        ),
        Reader("escalation", ("bdcan.volunteer-match.task.concern-raised.v1",)),
    ),
)

VOLUNTEERS = Topic(
    name="bdcan.volunteer-match.volunteers.v1",
    owner="volunteer-match",
    purpose="How many volunteers there are for what; no names. Compacted: the last event of a volunteer says everything about them.",
    key="{volunteer_id}",
    traffic_class="normal",
    partitions=3,
    retention=None,
    compacted=True,
    event_types=(
        "bdcan.volunteer-match.volunteer.activated.v1",
        "bdcan.volunteer-match.volunteer.paused.v1",
        "bdcan.volunteer-match.volunteer.left.v1",
    ),
    writers=("volunteer-match",),
    consumers=(Reader("intake", ("bdcan.volunteer-match.volunteer.left.v1",)),),
)

WELFARE_CALLS = Topic(
    name="bdcan.volunteer-match.welfare-calls.v1",
    owner="volunteer-match",
    purpose="What came of the calls to residents.",
    key="{referral_id}",
    traffic_class="normal",
    partitions=6,
    retention=timedelta(days=14),
    compacted=False,
    event_types=(
        "bdcan.volunteer-match.welfare-call.completed.v1",
        "bdcan.volunteer-match.welfare-call.unanswered.v1",
        "bdcan.volunteer-match.welfare-call.exhausted.v1",
        "bdcan.volunteer-match.welfare-call.held.v1",
        "bdcan.volunteer-match.welfare-call.reopened.v1",
    ),
    writers=("volunteer-match",),
    consumers=(
        Reader(
            "intake",
            (
                "bdcan.volunteer-match.welfare-call.completed.v1",
                "bdcan.volunteer-match.welfare-call.unanswered.v1",
                "bdcan.volunteer-match.welfare-call.exhausted.v1",
                "bdcan.volunteer-match.welfare-call.held.v1",
                "bdcan.volunteer-match.welfare-call.reopened.v1",
            ),
        ),
        Reader("foodhub", ("bdcan.volunteer-match.welfare-call.completed.v1",)),
        Reader(
            "escalation",
            (
                "bdcan.volunteer-match.welfare-call.completed.v1",
                "bdcan.volunteer-match.welfare-call.exhausted.v1",
            ),
        ),
    ),
)

OUTREACH_REFERRALS = Topic(
    name="bdcan.intake.outreach-referrals.v1",
    owner="intake",
    purpose="The life of each request for help that came from a bulk outreach list; a traffic class of its own, so that a list never delays a person who rings.",
    key="{referral_id}",
    traffic_class="bulk",
    partitions=6,
    retention=timedelta(days=14),
    compacted=False,
    event_types=(
        "bdcan.intake.referral.received.v1",
        "bdcan.intake.referral.amended.v1",
        "bdcan.intake.referral.withdrawn.v1",
        "bdcan.intake.referral.closed.v1",
        "bdcan.intake.referral.reopened.v1",
        "bdcan.intake.referral.linked.v1",
    ),
    writers=("intake",),
    consumers=(
        Reader(
            "routing",
            (
                "bdcan.intake.referral.received.v1",
                "bdcan.intake.referral.amended.v1",
                "bdcan.intake.referral.withdrawn.v1",
                "bdcan.intake.referral.closed.v1",
                "bdcan.intake.referral.reopened.v1",
            ),
        ),
        Reader(
            "volunteer-match",
            (
                "bdcan.intake.referral.amended.v1",
                "bdcan.intake.referral.withdrawn.v1",
                "bdcan.intake.referral.closed.v1",
                "bdcan.intake.referral.linked.v1",
            ),
        ),
        Reader("foodhub", ("bdcan.intake.referral.amended.v1", "bdcan.intake.referral.withdrawn.v1")),
        Reader(
            "escalation",
            (
                "bdcan.intake.referral.amended.v1",
                "bdcan.intake.referral.withdrawn.v1",
                "bdcan.intake.referral.closed.v1",
            ),
        ),
    ),
)

OUTREACH_ASSIGNMENTS = Topic(
    name="bdcan.routing.outreach-assignments.v1",
    owner="routing",
    purpose="Which hub looks after each referral from a bulk outreach list, and why.",
    key="{referral_id}",
    traffic_class="bulk",
    partitions=6,
    retention=timedelta(days=14),
    compacted=False,
    event_types=(
        "bdcan.routing.referral.assigned.v1",
        "bdcan.routing.referral.reassigned.v1",
        "bdcan.routing.referral.held-for-triage.v1",
        "bdcan.routing.referral.out-of-area.v1",
    ),
    writers=("routing",),
    consumers=(
        Reader(
            "intake",
            (
                "bdcan.routing.referral.assigned.v1",
                "bdcan.routing.referral.reassigned.v1",
                "bdcan.routing.referral.held-for-triage.v1",
                "bdcan.routing.referral.out-of-area.v1",
            ),
        ),
        Reader(
            "volunteer-match", ("bdcan.routing.referral.assigned.v1", "bdcan.routing.referral.reassigned.v1")
        ),
        Reader(
            "foodhub",
            (
                "bdcan.routing.referral.assigned.v1",
                "bdcan.routing.referral.out-of-area.v1",
                "bdcan.routing.referral.reassigned.v1",
            ),
        ),
        Reader(
            "escalation",
            (
                "bdcan.routing.referral.assigned.v1",
                "bdcan.routing.referral.reassigned.v1",
                "bdcan.routing.referral.out-of-area.v1",
            ),
        ),
    ),
)

CATALOGUE = Catalogue(
    topics=(
        SAFEGUARDING,
        ESCALATIONS,
        PARCELS,
        STOCK,
        INBOUND_RECEIPTS,
        INBOUND_REFERRALS,
        REFERRALS,
        VOLUNTEER_ENQUIRIES,
        ASSIGNMENTS,
        DEMAND_SIGNALS,
        HUBS,
        TASKS,
        VOLUNTEERS,
        WELFARE_CALLS,
        OUTREACH_REFERRALS,
        OUTREACH_ASSIGNMENTS,
    ),
    event_types=(
        EventType(
            "bdcan.escalation.escalation.accepted.v1",
            models.EscalationAccepted,
            "urn:bdcan:schema:bdcan.escalation.escalation.accepted.v1",
            (ESCALATIONS,),
        ),
        EventType(
            "bdcan.escalation.escalation.acknowledged.v1",
            models.EscalationAcknowledged,
            "urn:bdcan:schema:bdcan.escalation.escalation.acknowledged.v1",
            (ESCALATIONS,),
        ),
        EventType(
            "bdcan.escalation.escalation.closed.v1",
            models.EscalationClosed,
            "urn:bdcan:schema:bdcan.escalation.escalation.closed.v1",
            (ESCALATIONS,),
        ),
        EventType(
            "bdcan.escalation.escalation.declined.v1",
            models.EscalationDeclined,
            "urn:bdcan:schema:bdcan.escalation.escalation.declined.v1",
            (ESCALATIONS,),
        ),
        EventType(
            "bdcan.escalation.escalation.forwarded.v1",
            models.EscalationForwarded,
            "urn:bdcan:schema:bdcan.escalation.escalation.forwarded.v1",
            (ESCALATIONS,),
        ),
        EventType(
            "bdcan.escalation.escalation.opened.v1",
            models.EscalationOpened,
            "urn:bdcan:schema:bdcan.escalation.escalation.opened.v1",
            (ESCALATIONS,),
        ),
        EventType(
            "bdcan.escalation.escalation.overdue.v1",
            models.EscalationOverdue,
            "urn:bdcan:schema:bdcan.escalation.escalation.overdue.v1",
            (ESCALATIONS,),
        ),
        EventType(
            "bdcan.foodhub.parcel.cancelled.v1",
            models.ParcelCancelled,
            "urn:bdcan:schema:bdcan.foodhub.parcel.cancelled.v1",
            (PARCELS,),
        ),
        EventType(
            "bdcan.foodhub.parcel.delivered.v1",
            models.ParcelDelivered,
            "urn:bdcan:schema:bdcan.foodhub.parcel.delivered.v1",
            (PARCELS,),
        ),
        EventType(
            "bdcan.foodhub.parcel.dispatched.v1",
            models.ParcelDispatched,
            "urn:bdcan:schema:bdcan.foodhub.parcel.dispatched.v1",
            (PARCELS,),
        ),
        EventType(
            "bdcan.foodhub.parcel.packed.v1",
            models.ParcelPacked,
            "urn:bdcan:schema:bdcan.foodhub.parcel.packed.v1",
            (PARCELS,),
        ),
        EventType(
            "bdcan.foodhub.parcel.requested.v1",
            models.ParcelRequested,
            "urn:bdcan:schema:bdcan.foodhub.parcel.requested.v1",
            (PARCELS,),
        ),
        EventType(
            "bdcan.foodhub.parcel.reserved.v1",
            models.ParcelReserved,
            "urn:bdcan:schema:bdcan.foodhub.parcel.reserved.v1",
            (PARCELS,),
        ),
        EventType(
            "bdcan.foodhub.parcel.returned.v1",
            models.ParcelReturned,
            "urn:bdcan:schema:bdcan.foodhub.parcel.returned.v1",
            (PARCELS,),
        ),
        EventType(
            "bdcan.foodhub.parcel.short.v1",
            models.ParcelShort,
            "urn:bdcan:schema:bdcan.foodhub.parcel.short.v1",
            (PARCELS,),
        ),
        EventType(
            "bdcan.foodhub.parcel.stopped.v1",
            models.ParcelStopped,
            "urn:bdcan:schema:bdcan.foodhub.parcel.stopped.v1",
            (PARCELS,),
        ),
        EventType(
            "bdcan.foodhub.parcel.warned.v1",
            models.ParcelWarned,
            "urn:bdcan:schema:bdcan.foodhub.parcel.warned.v1",
            (PARCELS,),
        ),
        EventType(
            "bdcan.foodhub.stock.changed.v1",
            models.StockChanged,
            "urn:bdcan:schema:bdcan.foodhub.stock.changed.v1",
            (STOCK,),
        ),
        EventType(
            "bdcan.foodhub.stock.fell-low.v1",
            models.StockFellLow,
            "urn:bdcan:schema:bdcan.foodhub.stock.fell-low.v1",
            (STOCK,),
        ),
        EventType(
            "bdcan.foodhub.stock.recalled.v1",
            models.StockRecalled,
            "urn:bdcan:schema:bdcan.foodhub.stock.recalled.v1",
            (STOCK,),
        ),
        EventType(
            "bdcan.intake.inbound-referral.accepted.v1",
            models.InboundReferralAccepted,
            "urn:bdcan:schema:bdcan.intake.inbound-referral.accepted.v1",
            (INBOUND_RECEIPTS,),
        ),
        EventType(
            "bdcan.intake.inbound-referral.refused.v1",
            models.InboundReferralRefused,
            "urn:bdcan:schema:bdcan.intake.inbound-referral.refused.v1",
            (INBOUND_RECEIPTS,),
        ),
        EventType(
            "bdcan.intake.inbound-referral.submitted.v1",
            models.InboundReferralSubmitted,
            "urn:bdcan:schema:bdcan.intake.inbound-referral.submitted.v1",
            (INBOUND_REFERRALS,),
        ),
        EventType(
            "bdcan.intake.referral.amended.v1",
            models.ReferralAmended,
            "urn:bdcan:schema:bdcan.intake.referral.amended.v1",
            (REFERRALS, OUTREACH_REFERRALS),
        ),
        EventType(
            "bdcan.intake.referral.closed.v1",
            models.ReferralClosed,
            "urn:bdcan:schema:bdcan.intake.referral.closed.v1",
            (REFERRALS, OUTREACH_REFERRALS),
        ),
        EventType(
            "bdcan.intake.referral.linked.v1",
            models.ReferralLinked,
            "urn:bdcan:schema:bdcan.intake.referral.linked.v1",
            (REFERRALS, OUTREACH_REFERRALS),
        ),
        EventType(
            "bdcan.intake.referral.received.v1",
            models.ReferralReceived,
            "urn:bdcan:schema:bdcan.intake.referral.received.v1",
            (REFERRALS, OUTREACH_REFERRALS),
        ),
        EventType(
            "bdcan.intake.referral.reopened.v1",
            models.ReferralReopened,
            "urn:bdcan:schema:bdcan.intake.referral.reopened.v1",
            (REFERRALS, OUTREACH_REFERRALS),
        ),
        EventType(
            "bdcan.intake.referral.withdrawn.v1",
            models.ReferralWithdrawn,
            "urn:bdcan:schema:bdcan.intake.referral.withdrawn.v1",
            (REFERRALS, OUTREACH_REFERRALS),
        ),
        EventType(
            "bdcan.intake.safeguarding-concern.raised.v1",
            models.SafeguardingConcernRaised,
            "urn:bdcan:schema:bdcan.intake.safeguarding-concern.raised.v1",
            (SAFEGUARDING,),
        ),
        EventType(
            "bdcan.intake.volunteer-enquiry.received.v1",
            models.VolunteerEnquiryReceived,
            "urn:bdcan:schema:bdcan.intake.volunteer-enquiry.received.v1",
            (VOLUNTEER_ENQUIRIES,),
        ),
        EventType(
            "bdcan.routing.demand.settled.v1",
            models.DemandSettled,
            "urn:bdcan:schema:bdcan.routing.demand.settled.v1",
            (DEMAND_SIGNALS,),
        ),
        EventType(
            "bdcan.routing.demand.surged.v1",
            models.DemandSurged,
            "urn:bdcan:schema:bdcan.routing.demand.surged.v1",
            (DEMAND_SIGNALS,),
        ),
        EventType(
            "bdcan.routing.hub.configured.v1",
            models.HubConfigured,
            "urn:bdcan:schema:bdcan.routing.hub.configured.v1",
            (HUBS,),
        ),
        EventType(
            "bdcan.routing.hub.paused.v1",
            models.HubPaused,
            "urn:bdcan:schema:bdcan.routing.hub.paused.v1",
            (HUBS,),
        ),
        EventType(
            "bdcan.routing.hub.resumed.v1",
            models.HubResumed,
            "urn:bdcan:schema:bdcan.routing.hub.resumed.v1",
            (HUBS,),
        ),
        EventType(
            "bdcan.routing.referral.assigned.v1",
            models.ReferralAssigned,
            "urn:bdcan:schema:bdcan.routing.referral.assigned.v1",
            (ASSIGNMENTS, OUTREACH_ASSIGNMENTS),
        ),
        EventType(
            "bdcan.routing.referral.held-for-triage.v1",
            models.ReferralHeldForTriage,
            "urn:bdcan:schema:bdcan.routing.referral.held-for-triage.v1",
            (ASSIGNMENTS, OUTREACH_ASSIGNMENTS),
        ),
        EventType(
            "bdcan.routing.referral.out-of-area.v1",
            models.ReferralOutOfArea,
            "urn:bdcan:schema:bdcan.routing.referral.out-of-area.v1",
            (ASSIGNMENTS, OUTREACH_ASSIGNMENTS),
        ),
        EventType(
            "bdcan.routing.referral.reassigned.v1",
            models.ReferralReassigned,
            "urn:bdcan:schema:bdcan.routing.referral.reassigned.v1",
            (ASSIGNMENTS, OUTREACH_ASSIGNMENTS),
        ),
        EventType(
            "bdcan.volunteer-match.task.accepted.v1",
            models.TaskAccepted,
            "urn:bdcan:schema:bdcan.volunteer-match.task.accepted.v1",
            (TASKS,),
        ),
        EventType(
            "bdcan.volunteer-match.task.cancelled.v1",
            models.TaskCancelled,
            "urn:bdcan:schema:bdcan.volunteer-match.task.cancelled.v1",
            (TASKS,),
        ),
        EventType(
            "bdcan.volunteer-match.task.changed.v1",
            models.TaskChanged,
            "urn:bdcan:schema:bdcan.volunteer-match.task.changed.v1",
            (TASKS,),
        ),
        EventType(
            "bdcan.volunteer-match.task.completed.v1",
            models.TaskCompleted,
            "urn:bdcan:schema:bdcan.volunteer-match.task.completed.v1",
            (TASKS,),
        ),
        EventType(
            "bdcan.volunteer-match.task.concern-raised.v1",
            models.TaskConcernRaised,
            "urn:bdcan:schema:bdcan.volunteer-match.task.concern-raised.v1",
            (TASKS,),
        ),
        EventType(
            "bdcan.volunteer-match.task.failed.v1",
            models.TaskFailed,
            "urn:bdcan:schema:bdcan.volunteer-match.task.failed.v1",
            (TASKS,),
        ),
        EventType(
            "bdcan.volunteer-match.task.offer-withdrawn.v1",
            models.TaskOfferWithdrawn,
            "urn:bdcan:schema:bdcan.volunteer-match.task.offer-withdrawn.v1",
            (TASKS,),
        ),
        EventType(
            "bdcan.volunteer-match.task.offered.v1",
            models.TaskOffered,
            "urn:bdcan:schema:bdcan.volunteer-match.task.offered.v1",
            (TASKS,),
        ),
        EventType(
            "bdcan.volunteer-match.task.opened.v1",
            models.TaskOpened,
            "urn:bdcan:schema:bdcan.volunteer-match.task.opened.v1",
            (TASKS,),
        ),
        EventType(
            "bdcan.volunteer-match.task.unfilled.v1",
            models.TaskUnfilled,
            "urn:bdcan:schema:bdcan.volunteer-match.task.unfilled.v1",
            (TASKS,),
        ),
        EventType(
            "bdcan.volunteer-match.volunteer.activated.v1",
            models.VolunteerActivated,
            "urn:bdcan:schema:bdcan.volunteer-match.volunteer.activated.v1",
            (VOLUNTEERS,),
        ),
        EventType(
            "bdcan.volunteer-match.volunteer.left.v1",
            models.VolunteerLeft,
            "urn:bdcan:schema:bdcan.volunteer-match.volunteer.left.v1",
            (VOLUNTEERS,),
        ),
        EventType(
            "bdcan.volunteer-match.volunteer.paused.v1",
            models.VolunteerPaused,
            "urn:bdcan:schema:bdcan.volunteer-match.volunteer.paused.v1",
            (VOLUNTEERS,),
        ),
        EventType(
            "bdcan.volunteer-match.welfare-call.completed.v1",
            models.WelfareCallCompleted,
            "urn:bdcan:schema:bdcan.volunteer-match.welfare-call.completed.v1",
            (WELFARE_CALLS,),
        ),
        EventType(
            "bdcan.volunteer-match.welfare-call.exhausted.v1",
            models.WelfareCallExhausted,
            "urn:bdcan:schema:bdcan.volunteer-match.welfare-call.exhausted.v1",
            (WELFARE_CALLS,),
        ),
        EventType(
            "bdcan.volunteer-match.welfare-call.held.v1",
            models.WelfareCallHeld,
            "urn:bdcan:schema:bdcan.volunteer-match.welfare-call.held.v1",
            (WELFARE_CALLS,),
        ),
        EventType(
            "bdcan.volunteer-match.welfare-call.reopened.v1",
            models.WelfareCallReopened,
            "urn:bdcan:schema:bdcan.volunteer-match.welfare-call.reopened.v1",
            (WELFARE_CALLS,),
        ),
        EventType(
            "bdcan.volunteer-match.welfare-call.unanswered.v1",
            models.WelfareCallUnanswered,
            "urn:bdcan:schema:bdcan.volunteer-match.welfare-call.unanswered.v1",
            (WELFARE_CALLS,),
        ),
    ),
)
"""Every topic, and every event type with its model."""

PERSONAL_FIELDS: frozenset[str] = frozenset(
    [
        "address",
        "birth_date",
        "email",
        "name",
        "nhs_number",
        "notes",
        "person",
        "phone",
        "phone_e164",
        "postcode",
    ]
)
"""Names of the fields that any schema marks as personal data, and of what services derive from them."""
