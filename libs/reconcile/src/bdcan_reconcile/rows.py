"""What is read of the five databases: ids, codes, states and times. Never a name, an address or a reference.

The fields stand in the order of the columns that `reading` selects. A `…_look_at` is the row in `chassis.deadline` that
makes the service look at the thing again; None: no such row exists.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct

SERVICES = ("intake", "routing", "volunteer-match", "foodhub", "escalation")


class Referral(Struct, frozen=True, gc=False):
    """A referral, as intake has it."""

    referral_id: UUID
    state: str
    hub_id: str | None
    owner: str | None
    due_at: datetime | None
    called: bool
    out_of_area: bool
    withdrawn: bool
    outcome: str | None
    assignment_version: int
    closed_at: datetime | None
    changed_at: datetime | None
    assignment_look_at: datetime | None


class Need(Struct, frozen=True, gc=False):
    """A need, as intake has it."""

    referral_id: UUID
    need_id: UUID
    code: str
    lane: str
    state: str
    reason: str | None
    owner: str | None
    due_at: datetime | None


class Assignment(Struct, frozen=True, gc=False):
    """What routing decided."""

    referral_id: UUID
    state: str
    hub_id: str | None
    version: int
    triage_due_at: datetime | None
    changed_at: datetime | None
    triage_look_at: datetime | None


class Call(Struct, frozen=True, gc=False):
    """The round of welfare calls of a referral, as volunteer-match has it."""

    referral_id: UUID
    call_id: UUID
    state: str
    hub_id: str | None
    ended: bool
    due_at: datetime | None
    claim_expires_at: datetime | None
    review: str | None
    review_by: datetime | None
    changed_at: datetime | None
    claim_look_at: datetime | None
    review_look_at: datetime | None
    alarm_look_at: datetime | None


class Task(Struct, frozen=True, gc=False):
    """A volunteer's task."""

    referral_id: UUID
    task_id: UUID
    need_id: UUID | None
    parcel_id: UUID | None
    kind: str
    state: str
    hub_id: str
    due_at: datetime
    stopped_by: str | None
    next_at: datetime | None
    changed_at: datetime | None
    look_at: datetime | None


class Parcel(Struct, frozen=True, gc=False):
    """A parcel, as foodhub has it."""

    referral_id: UUID
    parcel_id: UUID
    need_id: UUID
    state: str
    hub_id: str
    due_at: datetime
    retry_at: datetime | None
    changed_at: datetime | None
    due_look_at: datetime | None
    retry_look_at: datetime | None


class Known(Struct, frozen=True, gc=False):
    """The hub of a referral, as foodhub or escalation keeps it."""

    referral_id: UUID
    hub_id: str | None


class Escalation(Struct, frozen=True, gc=False):
    """Needs at Community Solutions, as escalation has them."""

    referral_id: UUID
    escalation_id: UUID
    kind: str
    need_ids: Sequence[UUID]
    state: str
    hub_id: str | None
    due_at: datetime | None
    case_id: str | None
    outcome: str | None
    changed_at: datetime | None
    look_at: datetime | None


class Case(Struct, frozen=True, gc=False):
    """A case, as the council's system has it. `told`: what its call-backs have said, in order."""

    escalation_id: UUID
    case_id: str
    told: tuple[str, ...]


class Deadline(Struct, frozen=True, gc=False):
    """A deadline that is overdue, or that fails. `error` is the class of its handler's error."""

    service: str
    kind: str
    subject: UUID
    due_at: datetime
    failures: int
    error: str | None


class Unsent(Struct, frozen=True, gc=False):
    """Events that wait in an outbox for longer than a relay needs."""

    service: str
    topic: str
    count: int
    seconds: float


class Letter(Struct, frozen=True, gc=False):
    """A dead letter that is open. `referral_id`: whom it is about, where its body says so."""

    service: str
    letter_id: UUID
    consumer: str
    topic: str
    state: str
    reason: str
    error: str
    event_type: str | None
    referral_id: UUID | None


@dataclass
class Stores:
    """The rows of all five databases, and the council's cases (None: nobody asked the council)."""

    now: datetime
    referrals: list[Referral] = field(default_factory=list)
    needs: list[Need] = field(default_factory=list)
    assignments: list[Assignment] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    parcels: list[Parcel] = field(default_factory=list)
    foodhub: list[Known] = field(default_factory=list)
    escalation: list[Known] = field(default_factory=list)
    escalations: list[Escalation] = field(default_factory=list)
    deadlines: list[Deadline] = field(default_factory=list)
    unsent: list[Unsent] = field(default_factory=list)
    letters: list[Letter] = field(default_factory=list)
    cases: list[Case] | None = None

    def by_referral(self) -> list[tuple[str, list[Any]]]:
        """The lists whose rows are each about one referral, by name."""
        lists = ("referrals", "needs", "assignments", "calls", "tasks", "parcels", "foodhub", "escalation")
        return [(name, getattr(self, name)) for name in (*lists, "escalations")]
