"""What intake consumes: topic → event → handler. A loop each for what must not wait for the others."""

from __future__ import annotations

from bdcan_chassis.subscription import Loop, On
from bdcan_contracts import catalogue as c
from bdcan_contracts import models as m
from bdcan_intake import handlers as h


def loops() -> tuple[Loop, ...]:
    """The loops: what comes in, what is urgent, and what is bulk, apart from each other."""
    return (
        Loop(
            "inbound",
            (On(c.INBOUND_REFERRALS, m.InboundReferralSubmitted, h.on_submitted),),
            ordered=False,
            on_rejected=h.on_unreadable,
            count_unreadable=False,
        ),
        Loop(
            "assignments",
            (
                On(c.ASSIGNMENTS, m.ReferralAssigned, h.on_assigned),
                On(c.ASSIGNMENTS, m.ReferralReassigned, h.on_reassigned),
                On(c.ASSIGNMENTS, m.ReferralHeldForTriage, h.on_held_for_triage),
                On(c.ASSIGNMENTS, m.ReferralOutOfArea, h.on_out_of_area),
            ),
        ),
        Loop(
            "outreach-assignments",
            (
                On(c.OUTREACH_ASSIGNMENTS, m.ReferralAssigned, h.on_assigned),
                On(c.OUTREACH_ASSIGNMENTS, m.ReferralReassigned, h.on_reassigned),
                On(c.OUTREACH_ASSIGNMENTS, m.ReferralHeldForTriage, h.on_held_for_triage),
                On(c.OUTREACH_ASSIGNMENTS, m.ReferralOutOfArea, h.on_out_of_area),
            ),
        ),
        Loop(
            "help",
            (
                On(c.WELFARE_CALLS, m.WelfareCallCompleted, h.on_call_completed),
                On(c.WELFARE_CALLS, m.WelfareCallUnanswered, h.on_call_unanswered),
                On(c.WELFARE_CALLS, m.WelfareCallExhausted, h.on_call_exhausted),
                On(c.TASKS, m.TaskOpened, h.on_task_opened),
                On(c.TASKS, m.TaskAccepted, h.on_told),
                On(c.TASKS, m.TaskCompleted, h.on_task_completed),
                On(c.TASKS, m.TaskFailed, h.on_told),
                On(c.TASKS, m.TaskCancelled, h.on_task_cancelled),
                On(c.TASKS, m.TaskUnfilled, h.on_told),
                On(c.PARCELS, m.ParcelRequested, h.on_parcel_requested),
                On(c.PARCELS, m.ParcelReserved, h.on_told),
                On(c.PARCELS, m.ParcelShort, h.on_parcel_short),
                On(c.PARCELS, m.ParcelPacked, h.on_parcel_packed),
                On(c.PARCELS, m.ParcelDispatched, h.on_told),
                On(c.PARCELS, m.ParcelDelivered, h.on_parcel_delivered),
                On(c.PARCELS, m.ParcelReturned, h.on_parcel_returned),
                On(c.PARCELS, m.ParcelCancelled, h.on_parcel_cancelled),
            ),
        ),
        Loop(
            "escalations",
            (
                On(c.ESCALATIONS, m.EscalationOpened, h.on_escalation_opened),
                On(c.ESCALATIONS, m.EscalationForwarded, h.on_told),
                On(c.ESCALATIONS, m.EscalationAcknowledged, h.on_escalation_acknowledged),
                On(c.ESCALATIONS, m.EscalationAccepted, h.on_escalation_accepted),
                On(c.ESCALATIONS, m.EscalationDeclined, h.on_escalation_declined),
                On(c.ESCALATIONS, m.EscalationClosed, h.on_escalation_closed),
                On(c.ESCALATIONS, m.EscalationOverdue, h.on_escalation_overdue),
            ),
        ),
    )
