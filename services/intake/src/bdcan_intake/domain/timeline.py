"""The timeline of a referral. Each entry has an event's short name, its need, and a few of its fields.

None of these fields is personal data; a test checks it.
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID, uuid5

from msgspec import Struct
from pydantic import BaseModel

from bdcan_contracts import models
from bdcan_intake.domain.note import Note


class Entry(Struct, frozen=True):
    """One entry. `event_key` is the identity of the event: it has one entry, however often it comes."""

    referral_id: UUID
    event_key: UUID
    at: datetime
    kind: str
    need_id: UUID | None = None
    detail: dict[str, Any] = {}


TOLD: dict[type[BaseModel], tuple[str, ...]] = {
    models.ReferralReceived: ("channel", "priority"),
    models.ReferralAmended: ("version", "priority"),
    models.ReferralWithdrawn: ("reason",),
    models.ReferralClosed: ("outcome", "needs"),
    models.ReferralReopened: ("needs",),
    models.ReferralLinked: ("same_person_ids", "same_household_ids"),
    models.ReferralErasureRequested: ("erase_by",),
    models.SafeguardingConcernRaised: ("code", "respond_by"),
    models.ReferralAssigned: ("hub_id", "method", "explanation", "contact_due_at"),
    models.ReferralReassigned: ("hub_id", "previous_hub_id", "reason", "explanation"),
    models.ReferralHeldForTriage: ("reason", "triage_due_at"),
    models.ReferralOutOfArea: ("district_gss", "explanation"),
    models.WelfareCallCompleted: ("hub_id", "attempt"),
    models.WelfareCallUnanswered: ("hub_id", "attempt", "outcome", "next_attempt_at"),
    models.WelfareCallExhausted: ("hub_id", "attempts"),
    models.WelfareCallHeld: ("hub_id", "reason", "review_by", "overdue"),
    models.WelfareCallOverdue: ("hub_id", "due_at", "critical"),
    models.WelfareCallReopened: ("hub_id", "reason", "due_at"),
    models.TaskOpened: ("task_id", "kind", "due_at"),
    models.TaskAccepted: ("task_id", "kind"),
    models.TaskReopened: ("task_id", "kind", "reason"),
    models.TaskCompleted: ("task_id", "kind"),
    models.TaskFailed: ("task_id", "kind", "reason"),
    models.TaskCancelled: ("task_id", "kind", "reason"),
    models.TaskChanged: ("task_id", "kind", "facts", "due_at", "stopped_by"),
    models.TaskOfferWithdrawn: ("task_id", "kind", "reason"),
    models.TaskUnfilled: ("task_id", "kind", "offers_made"),
    models.ParcelRequested: ("parcel_id", "code", "items", "due_at"),
    models.ParcelReserved: ("parcel_id",),
    models.ParcelShort: ("parcel_id", "retry_at"),
    models.ParcelPacked: ("parcel_id", "bags"),
    models.ParcelDispatched: ("parcel_id", "task_id"),
    models.ParcelDelivered: ("parcel_id",),
    models.ParcelReturned: ("parcel_id", "reason"),
    models.ParcelCancelled: ("parcel_id", "reason"),
    models.ParcelStopped: ("parcel_id", "facts", "due_at"),
    models.ParcelWarned: ("parcel_id", "facts", "due_at"),
    models.EscalationOpened: ("escalation_id", "kind", "code", "acknowledge_by"),
    models.EscalationForwarded: ("escalation_id",),
    models.EscalationAcknowledged: ("escalation_id", "decide_by"),
    models.EscalationAccepted: ("escalation_id",),
    models.EscalationDeclined: ("escalation_id", "reason"),
    models.EscalationClosed: ("escalation_id", "outcome"),
    models.EscalationOverdue: ("escalation_id", "stage", "next_check_at"),
}
"""The fields that an entry shows. Of a list it shows the length."""

_ABOUT_A_NEED = {model for model in TOLD if "need_id" in model.model_fields}


@lru_cache(maxsize=256)
def kind_of(event_type: str) -> str:
    """`referral.assigned` of `bdcan.routing.referral.assigned.v1`."""
    return event_type.split(".", 2)[2].rpartition(".")[0]


def entry(event_key: UUID, event_type: str, at: datetime, event: Any) -> Entry:
    """The entry for an event."""
    detail: dict[str, Any] = {}
    for name in TOLD[type(event)]:
        value = getattr(event, name)
        if name == "facts":
            detail[name] = ", ".join(value)
        elif isinstance(value, tuple):
            detail[name] = len(value)
        elif value is not None:
            detail[name] = value
    return Entry(
        event.referral_id,
        event_key,
        at,
        kind_of(event_type),
        event.need_id if type(event) in _ABOUT_A_NEED else None,
        detail,
    )


def noted(note: Note) -> Entry:
    """The entry for a note: who added it, and not what it says."""
    return Entry(note.referral_id, note.note_id, note.noted_at, "note.added", None, {"by": note.author})


def overdue(referral_id: UUID, due_at: datetime, now: datetime) -> Entry:
    """The entry for an answer of routing's that was due at some time and did not come."""
    key = uuid5(referral_id, f"assignment-due {due_at.isoformat()}")
    return Entry(referral_id, key, now, "assignment.overdue")
