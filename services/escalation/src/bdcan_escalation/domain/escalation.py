"""An escalation and what may happen to it.

opened → forwarding → forwarded → acknowledged → accepted → closed, or declined. An escalation is `unverified` when nobody
knows whether a send arrived; a retry with the same key tells. A call-back may come before the answer to the send that
caused it, twice, or out of order. What it proves counts; old news is ignored.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, assert_never
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace
from pydantic import BaseModel

from bdcan_chassis.calendar import Calendar
from bdcan_chassis.step import Step
from bdcan_contracts.models import (
    EscalationAccepted,
    EscalationAcknowledged,
    EscalationClosed,
    EscalationDeclined,
    EscalationForwarded,
    EscalationKind,
    EscalationOpened,
    EscalationOverdue,
    EscalationStage,
    Need,
    Priority,
)
from bdcan_contracts.vocabulary import HELPED, EscalationOutcome, Reason
from bdcan_escalation.domain import promises
from bdcan_escalation.domain.errors import NotAllowedError

LATE = "escalation-late"
"""Deadline: the present step of an escalation must be over."""


class State(StrEnum):
    """The state of an escalation."""

    OPENED = "opened"
    FORWARDING = "forwarding"
    UNVERIFIED = "unverified"
    FORWARDED = "forwarded"
    ACKNOWLEDGED = "acknowledged"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    CLOSED = "closed"


UNSENT = frozenset({State.OPENED, State.FORWARDING, State.UNVERIFIED})
"""States in which nobody has proof yet that the council has it."""

FINAL = frozenset({State.DECLINED, State.CLOSED})
"""States that an escalation never leaves."""


class Said(StrEnum):
    """The event that a call-back reports."""

    ACKNOWLEDGED = "acknowledged"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    CLOSED = "closed"


class CallBack(Struct, frozen=True):
    """What Community Solutions says about one of its cases."""

    said: Said
    case_id: str
    reference: str
    reason: str | None = None
    outcome: str | None = None


class Escalation(Struct, frozen=True):
    """Needs for Community Solutions. The present step must be done by `due_at`.

    `call_ids` are the welfare calls that have reported its needs so far.

    The gateway may claim it from `next_attempt_at` on; while it is being forwarded, that is the end of the lease.
    `in_doubt`: an earlier send may have arrived. `problem` says why the last attempt failed, as a code. `late_since`: when the
    present step should have been done, while it is not; each later look moves `due_at`.
    """

    escalation_id: UUID
    referral_id: UUID
    kind: EscalationKind
    needs: tuple[Need, ...]
    hub_id: str | None
    priority: Priority
    state: State
    opened_at: datetime
    acknowledge_by: datetime
    due_at: datetime | None
    next_attempt_at: datetime
    attempts: int = 0
    in_doubt: bool = False
    problem: str | None = None
    late: EscalationStage | None = None
    case_id: str | None = None
    reference: str | None = None
    forwarded_at: datetime | None = None
    acknowledged_at: datetime | None = None
    accepted_at: datetime | None = None
    ended_at: datetime | None = None
    call_ids: frozenset[UUID] = frozenset()
    reason: str | None = None
    outcome: str | None = None
    late_since: datetime | None = None

    @property
    def given_back(self) -> bool:
        """Whether it ended and nobody was helped. Its needs may then be escalated again."""
        return self.state is State.DECLINED or (self.state is State.CLOSED and self.outcome not in HELPED)

    def answers(self, call_id: UUID) -> bool:
        """Whether nothing is left to do about a need of its that this call reports.

        A refusal answers the calls that came before it: the hub calls again. A call that it does not name came later, and
        its needs are handed over again. Volunteer-match compares the same ids, so exactly one of the two acts.
        """
        by_council = self.case_id is not None
        return not self.given_back or (by_council and call_id in self.call_ids)

    @property
    def need_ids(self) -> tuple[UUID, ...]:
        """The ids of its needs."""
        return tuple(n.need_id for n in self.needs)


def open_escalation(
    escalation_id: UUID,
    referral_id: UUID,
    kind: EscalationKind,
    needs: tuple[Need, ...],
    hub_id: str | None,
    priority: Priority,
    now: datetime,
    calendar: Calendar,
    respond_by: datetime | None = None,
) -> Step[Escalation]:
    """Open an escalation for needs. `respond_by`: an earlier deadline that another service promised, if there is one."""
    acknowledge_by = promises.acknowledge_by(kind, now, calendar)
    if respond_by is not None:
        acknowledge_by = min(acknowledge_by, respond_by)
    opened = Escalation(
        escalation_id=escalation_id,
        referral_id=referral_id,
        kind=kind,
        needs=needs,
        hub_id=hub_id,
        priority=priority,
        state=State.OPENED,
        opened_at=now,
        acknowledge_by=acknowledge_by,
        due_at=promises.forward_by(kind, now),
        next_attempt_at=now,
    )
    return _moved(
        None,
        opened,
        EscalationOpened(
            **_about(opened),
            hub_id=hub_id,
            priority=priority,
            acknowledge_by=acknowledge_by,
            opened_at=now,
        ),
    )


def at_hub(escalation: Escalation, hub_id: str | None) -> Step[Escalation]:
    """The resident's hub is now known."""
    return Step(escalation if escalation.state in FINAL else replace(escalation, hub_id=hub_id))


def reported(escalation: Escalation, call_id: UUID) -> Step[Escalation]:
    """A call reports needs of an open escalation. If the council declines it, the refusal answers this call too."""
    if escalation.state in FINAL:
        return Step(escalation)
    return Step(replace(escalation, call_ids=escalation.call_ids | {call_id}))


def claim(escalation: Escalation, lease_until: datetime) -> Step[Escalation]:
    """The gateway claims it. If an earlier claim never ended, that send may have arrived."""
    return Step(
        replace(
            escalation,
            state=State.FORWARDING,
            in_doubt=escalation.in_doubt or escalation.state is State.FORWARDING,
            attempts=escalation.attempts + 1,
            next_attempt_at=lease_until,
        )
    )


def taken(
    escalation: Escalation, case_id: str | None, reference: str | None, now: datetime
) -> Step[Escalation]:
    """The council's system has the case. If a call-back said so first, only the reference is new.

    None: the council has not named the case yet. Its first call-back brings the id.
    """
    known = replace(
        escalation, case_id=escalation.case_id or case_id, reference=escalation.reference or reference
    )
    if escalation.state not in UNSENT:
        return Step(known)
    forwarded = replace(
        known,
        state=State.FORWARDED,
        forwarded_at=now,
        in_doubt=False,
        problem=None,
        late=None,
        due_at=escalation.acknowledge_by,
    )
    return _moved(
        escalation,
        forwarded,
        EscalationForwarded(
            **_about(escalation),
            acknowledge_by=escalation.acknowledge_by,
            forwarded_at=now,
        ),
    )


def not_taken(
    escalation: Escalation, problem: str, retry_at: datetime, *, in_doubt: bool
) -> Step[Escalation]:
    """The attempt failed. `in_doubt`: the case may still have arrived, so a retry must use the same key."""
    if escalation.state is not State.FORWARDING:
        return Step(escalation)
    doubt = escalation.in_doubt or in_doubt
    return Step(
        replace(
            escalation,
            state=State.UNVERIFIED if doubt else State.OPENED,
            in_doubt=doubt,
            problem=problem,
            next_attempt_at=retry_at,
        )
    )


def hear(escalation: Escalation, heard: CallBack, now: datetime, calendar: Calendar) -> Step[Escalation]:
    """Apply a call-back. Raises NotAllowedError if it contradicts what is settled."""
    if escalation.case_id is not None and escalation.case_id != heard.case_id:
        raise NotAllowedError("Another case of yours answers this escalation.")
    if escalation.state in FINAL:
        if _contradicts(escalation, heard):
            end = f": {escalation.outcome}" if escalation.outcome else ""
            raise NotAllowedError(f"The escalation is {escalation.state}{end}.")
        return Step(escalation)
    arrived = taken(escalation, heard.case_id, heard.reference, now)
    match heard.said:
        case Said.ACKNOWLEDGED:
            then = _acknowledged(arrived.state, now, calendar)
        case Said.ACCEPTED:
            then = _accepted(arrived.state, now, calendar)
        case Said.DECLINED:
            then = _declined(arrived.state, heard.reason or Reason.NOT_STATED, now)
        case Said.CLOSED:
            then = _closed(arrived.state, heard.outcome or EscalationOutcome.NOT_HELPED, now)
        case _:
            assert_never(heard.said)
    return Step(then.state, (*arrived.events, *then.events), {**arrived.deadlines, **then.deadlines})


def overhear(escalation: Escalation, heard: CallBack, now: datetime, calendar: Calendar) -> Step[Escalation]:
    """Apply a call-back about another escalation that the council answers with the same case, where it fits."""
    try:
        return hear(escalation, heard, now, calendar)
    except NotAllowedError:
        return Step(escalation)


def withdraw(escalation: Escalation, now: datetime) -> Step[Escalation]:
    """The resident wants no help. A case that the council may have stays with it, and so does safeguarding."""
    sent = escalation.state is not State.OPENED or escalation.in_doubt
    if sent or escalation.kind is EscalationKind.SAFEGUARDING:
        return Step(escalation)
    return _closed(escalation, EscalationOutcome.WITHDRAWN, now)


def overdue(escalation: Escalation, now: datetime, calendar: Calendar) -> Step[Escalation]:
    """The present step is late: emit that it is overdue, and check again later.

    The council's own work on an accepted case has no stage in the contract. It shows in `late` and on the dashboard.
    """
    if escalation.due_at is None or escalation.due_at > now:
        return Step(escalation)
    stage = _stage(escalation.state)
    next_check_at = promises.next_look(escalation.kind, now, calendar)
    late = stage or EscalationStage.DECIDE
    after = replace(
        escalation, due_at=next_check_at, late=late, late_since=escalation.late_since or escalation.due_at
    )
    if stage is None:
        return _moved(escalation, after)
    return _moved(
        escalation,
        after,
        EscalationOverdue(
            **_about(escalation),
            stage=stage,
            was_due_at=escalation.due_at,
            next_check_at=next_check_at,
            overdue_at=now,
        ),
    )


def in_time(before: Escalation | None, after: Escalation, now: datetime) -> bool | None:
    """Whether a step was done in time: True; False once its time has passed; None: neither happened, or nobody wants it."""
    if before is None or before.due_at is None or before.late is not None:
        return None
    if after.late is not None:
        return False
    moved_on = (before.state in UNSENT) > (after.state in UNSENT) or (
        before.state not in UNSENT and before.state is not after.state
    )
    if not moved_on or after.outcome == EscalationOutcome.WITHDRAWN:
        return None
    return now <= before.due_at


def _moved(before: Escalation | None, after: Escalation, *events: BaseModel) -> Step[Escalation]:
    """A step to another state, with that state's deadline."""
    kept = before is not None and before.due_at == after.due_at
    if after.late is None and after.late_since is not None:
        after = replace(after, late_since=None)
    return Step(after, events, {} if kept else {LATE: after.due_at})


def _about(escalation: Escalation) -> dict[str, Any]:
    """The fields that every event of an escalation has."""
    return {
        "escalation_id": escalation.escalation_id,
        "referral_id": escalation.referral_id,
        "need_ids": escalation.need_ids,
        "code": escalation.needs[0].code,
        "lane": escalation.needs[0].lane,
        "kind": escalation.kind,
    }


def _stage(state: State) -> EscalationStage | None:
    match state:
        case State.OPENED | State.FORWARDING | State.UNVERIFIED:
            return EscalationStage.FORWARD
        case State.FORWARDED:
            return EscalationStage.ACKNOWLEDGE
        case State.ACKNOWLEDGED:
            return EscalationStage.DECIDE
        case State.ACCEPTED | State.DECLINED | State.CLOSED:
            return None
        case _:
            assert_never(state)


def _contradicts(escalation: Escalation, heard: CallBack) -> bool:
    """Whether a call-back contradicts the end: declined, then accepted or closed; or closed, then declined or otherwise closed."""
    if escalation.state is State.DECLINED:
        return heard.said in {Said.ACCEPTED, Said.CLOSED}
    otherwise = heard.said is Said.CLOSED and heard.outcome != escalation.outcome
    return heard.said is Said.DECLINED or (otherwise and escalation.case_id is not None)


def _acknowledged(escalation: Escalation, now: datetime, calendar: Calendar) -> Step[Escalation]:
    if escalation.state is not State.FORWARDED:
        return Step(escalation)
    by = promises.decide_by(now, calendar)
    after = replace(escalation, state=State.ACKNOWLEDGED, acknowledged_at=now, due_at=by, late=None)
    return _moved(
        escalation,
        after,
        EscalationAcknowledged(
            **_about(after),
            council_reference=after.reference or after.case_id or "unknown",
            decide_by=by,
            acknowledged_at=now,
        ),
    )


def _accepted(escalation: Escalation, now: datetime, calendar: Calendar) -> Step[Escalation]:
    if escalation.state is State.ACCEPTED:
        return Step(escalation)
    by = promises.close_by(now, calendar)
    after = replace(escalation, state=State.ACCEPTED, accepted_at=now, due_at=by, late=None)
    return _moved(
        escalation,
        after,
        EscalationAccepted(
            **_about(after),
            council_reference=after.reference or after.case_id or "unknown",
            accepted_at=now,
            close_by=by,
        ),
    )


def _declined(escalation: Escalation, reason: str, now: datetime) -> Step[Escalation]:
    if escalation.state is State.ACCEPTED:
        raise NotAllowedError("The case was accepted: it can be closed, not declined.")
    after = replace(
        escalation, state=State.DECLINED, reason=reason, ended_at=now, due_at=None, late=None, problem=None
    )
    return _moved(escalation, after, _given_back(after, reason, now))


def _closed(escalation: Escalation, outcome: str, now: datetime) -> Step[Escalation]:
    """It ends. If the council helped nobody, its needs return to the hub, as those of a case that it declines."""
    after = replace(
        escalation, state=State.CLOSED, outcome=outcome, ended_at=now, due_at=None, late=None, problem=None
    )
    if after.given_back and after.case_id is not None:
        return _moved(escalation, after, _given_back(after, outcome, now))
    return _moved(escalation, after, EscalationClosed(**_about(after), outcome=outcome, closed_at=now))


def _given_back(escalation: Escalation, reason: str, now: datetime) -> EscalationDeclined:
    return EscalationDeclined(
        **_about(escalation),
        call_ids=tuple(sorted(escalation.call_ids)),
        reason=reason,
        declined_at=now,
    )
