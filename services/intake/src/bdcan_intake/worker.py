"""What intake consumes: topic → event → handler."""

from __future__ import annotations

from collections.abc import Callable

from bdcan_chassis.subscription import Consumer, On, Reads, with_bulk
from bdcan_contracts import models as m
from bdcan_contracts.catalogue import (
    ASSIGNMENTS,
    CATALOGUE,
    ERASURES,
    ESCALATIONS,
    INBOUND_REFERRALS,
    PARCELS,
    TASKS,
    VOLUNTEERS,
    WELFARE_CALLS,
)
from bdcan_contracts.upstreams import Upstreams
from bdcan_intake.domain import progress
from bdcan_intake.handlers import (
    follow,
    lock_referrals,
    on_call_completed,
    on_call_exhausted,
    on_erasure_answered,
    on_noted,
    on_volunteer_activated,
    on_volunteer_left,
    with_doer,
)
from bdcan_intake.inbound import on_records

_ASSIGNMENTS = Consumer(
    "assignments",
    (
        On(ASSIGNMENTS, m.ReferralAssigned, follow(progress.assigned)),
        On(ASSIGNMENTS, m.ReferralReassigned, follow(progress.reassigned)),
        On(ASSIGNMENTS, m.ReferralHeldForTriage, follow(progress.held_for_triage)),
        On(ASSIGNMENTS, m.ReferralOutOfArea, follow(progress.out_of_area)),
    ),
    lock_first=lock_referrals,
)

_HELP = Consumer(
    "help",
    (
        On(WELFARE_CALLS, m.WelfareCallCompleted, on_call_completed),
        On(WELFARE_CALLS, m.WelfareCallUnanswered, follow(progress.call_unanswered)),
        On(WELFARE_CALLS, m.WelfareCallExhausted, on_call_exhausted),
        On(WELFARE_CALLS, m.WelfareCallHeld, follow(progress.call_held)),
        On(WELFARE_CALLS, m.WelfareCallOverdue, on_noted),
        On(WELFARE_CALLS, m.WelfareCallReopened, follow(progress.call_reopened)),
        On(TASKS, m.TaskOpened, follow(progress.task_opened)),
        On(TASKS, m.TaskAccepted, with_doer(on_noted)),
        On(TASKS, m.TaskChanged, follow(progress.task_changed)),
        On(TASKS, m.TaskOfferWithdrawn, on_noted),
        On(TASKS, m.TaskCompleted, with_doer(follow(progress.task_completed))),
        On(TASKS, m.TaskReopened, with_doer(follow(progress.task_reopened))),
        On(TASKS, m.TaskFailed, with_doer(on_noted)),
        On(TASKS, m.TaskCancelled, with_doer(follow(progress.task_cancelled))),
        On(TASKS, m.TaskUnfilled, on_noted),
        On(PARCELS, m.ParcelRequested, follow(progress.parcel_requested)),
        On(PARCELS, m.ParcelReserved, on_noted),
        On(PARCELS, m.ParcelShort, follow(progress.parcel_short)),
        On(PARCELS, m.ParcelPacked, follow(progress.parcel_packed)),
        On(PARCELS, m.ParcelDispatched, on_noted),
        On(PARCELS, m.ParcelDelivered, follow(progress.parcel_delivered)),
        On(PARCELS, m.ParcelReturned, follow(progress.parcel_returned)),
        On(PARCELS, m.ParcelCancelled, follow(progress.parcel_cancelled)),
        On(PARCELS, m.ParcelStopped, on_noted),
        On(PARCELS, m.ParcelWarned, on_noted),
    ),
    gathers=True,
    lock_first=lock_referrals,
)

_ESCALATIONS = Consumer(
    "escalations",
    (
        On(ESCALATIONS, m.EscalationOpened, follow(progress.escalation_opened)),
        On(ESCALATIONS, m.EscalationForwarded, on_noted),
        On(ESCALATIONS, m.EscalationAcknowledged, follow(progress.escalation_acknowledged)),
        On(ESCALATIONS, m.EscalationAccepted, follow(progress.escalation_accepted)),
        On(ESCALATIONS, m.EscalationDeclined, follow(progress.escalation_declined)),
        On(ESCALATIONS, m.EscalationClosed, follow(progress.escalation_closed)),
        On(ESCALATIONS, m.EscalationOverdue, follow(progress.escalation_overdue)),
    ),
    gathers=True,
    lock_first=lock_referrals,
)

_VOLUNTEERS = Consumer(
    "volunteers",
    (
        On(VOLUNTEERS, m.VolunteerActivated, on_volunteer_activated),
        On(VOLUNTEERS, m.VolunteerLeft, on_volunteer_left),
    ),
)

_FOLLOWING = (
    *with_bulk(CATALOGUE, _ASSIGNMENTS, "outreach-assignments"),
    _HELP,
    _ESCALATIONS,
    _VOLUNTEERS,
    Consumer("erasures", (On(ERASURES, m.ErasureAnswered, on_erasure_answered),), gathers=True),
)


def consumers(upstreams: Callable[[], Upstreams]) -> tuple[Consumer, ...]:
    """What comes in, what routing says, what helpers say and what Community Solutions says do not wait for each other.

    `upstreams`: the upstream systems as they are now. Each has an inbound topic of its own.
    """
    inbound = Consumer(
        "inbound",
        (
            Reads(INBOUND_REFERRALS, m.InboundReferralSubmitted),
            Reads(INBOUND_REFERRALS, m.InboundReferralAmended),
            Reads(INBOUND_REFERRALS, m.InboundReferralWithdrawn),
        ),
        ordered=False,
        on_records=on_records,
        topics_now=lambda: upstreams().inbound_topics,
    )
    return (inbound, *_FOLLOWING)
