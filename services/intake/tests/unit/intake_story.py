"""Values for the unit tests: a referral, and events about it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4, uuid5

from bdcan_chassis.calendar import make_calendar
from bdcan_chassis.grants import Grant
from bdcan_contracts import models as m
from bdcan_contracts import vocabulary
from bdcan_contracts.envelope import Event
from bdcan_contracts.inbound.submission import Person, Submission
from bdcan_contracts.vocabulary import NEEDS
from bdcan_intake.domain import progress
from bdcan_intake.domain.referral import Referral, open_referral

_CALENDAR = make_calendar()
call_completed = partial(progress.call_completed, calendar=_CALENDAR)
call_exhausted = partial(progress.call_exhausted, calendar=_CALENDAR)

T0 = datetime(2020, 3, 23, 9, tzinfo=UTC)
HUB = "thames-ward"


def minutes(count: float) -> datetime:
    return T0 + timedelta(minutes=count)


def referral(*codes: str, outreach: bool = False, priority: m.Priority | None = None) -> Referral:
    given = Submission(
        "desk",
        None,
        vocabulary.Channel.PHONE,
        Person(name="Amina Example"),
        needs=codes,
        outreach=outreach,
        priority=priority,
    )
    return open_referral(given, uuid4(), tuple(uuid4() for _ in codes), T0).state


def told(given: Referral, *steps: tuple[Any, Any, float]) -> tuple[Referral, list[Any]]:
    """Follow (decide, event, minute) one after the other; returns the referral, and each closing and opening of it."""
    turns = []
    for decide, body, minute in steps:
        if step := decide(given, happened(body, minute), minutes(minute)):
            given = step.state
            turns += step.events
    return given, turns


def happened(body: Any, minute: float) -> Event[Any]:
    """An event as a handler sees it."""
    return Event(
        str(uuid4()),
        type(body).__name__,
        "bdcan.test",
        str(body.referral_id),
        minutes(minute),
        body,
        None,
        uuid4(),
    )


def assigned(r: Referral, version: int = 1, hub: str = HUB, **more: Any) -> m.ReferralAssigned:
    return m.ReferralAssigned(
        **{
            "referral_id": r.referral_id,
            "version": version,
            "hub_id": hub,
            "method": m.AssignmentMethod.EXACT,
            "confidence": 1.0,
            "confirm_at_call": False,
            "explanation": "the postcode's own ward",
            "outreach": r.outreach,
            "priority": r.priority,
            "needs": (),
            "contact_due_at": r.contact_due_at,
            "assigned_at": T0,
            **more,
        }
    )


def triage(r: Referral, version: int = 1) -> m.ReferralHeldForTriage:
    return m.ReferralHeldForTriage(
        referral_id=r.referral_id,
        version=version,
        reason=vocabulary.TriageReason.NO_POSTCODE,
        needs=(),
        priority=r.priority,
        triage_due_at=minutes(240),
        held_at=T0,
    )


def out_of_area(r: Referral, version: int = 1) -> m.ReferralOutOfArea:
    return m.ReferralOutOfArea(
        referral_id=r.referral_id, version=version, explanation="another council", needs=(), decided_at=T0
    )


def called(r: Referral, *said: tuple[UUID, str, m.CallNeedResult]) -> m.WelfareCallCompleted:
    return m.WelfareCallCompleted(
        referral_id=r.referral_id,
        call_id=uuid5(r.referral_id, "welfare-call"),
        hub_id=HUB,
        attempt=1,
        needs=tuple(
            m.CalledNeed(need_id=i, code=c, lane=NEEDS[c].lane, result=result) for i, c, result in said
        ),
        priority=r.priority,
        completed_at=T0,
    )


def confirmed(r: Referral) -> m.WelfareCallCompleted:
    return called(r, *((n.need_id, n.code, m.CallNeedResult.CONFIRMED) for n in r.needs))


def unanswered(
    r: Referral, next_minute: float = 200, due_minute: float | None = 500
) -> m.WelfareCallUnanswered:
    return m.WelfareCallUnanswered(
        referral_id=r.referral_id,
        call_id=uuid5(r.referral_id, "welfare-call"),
        hub_id=HUB,
        attempt=1,
        outcome=vocabulary.CallOutcome.NO_ANSWER,
        next_attempt_at=minutes(next_minute),
        due_at=None if due_minute is None else minutes(due_minute),
    )


def exhausted(r: Referral, *concern: m.Need) -> m.WelfareCallExhausted:
    return m.WelfareCallExhausted(
        referral_id=r.referral_id,
        call_id=uuid5(r.referral_id, "welfare-call"),
        hub_id=HUB,
        attempts=4,
        needs=concern or tuple(m.Need(need_id=n.need_id, code=n.code, lane=n.lane) for n in r.needs),
        exhausted_at=T0,
    )


def late_call(r: Referral) -> m.WelfareCallOverdue:
    return m.WelfareCallOverdue(
        referral_id=r.referral_id,
        call_id=uuid5(r.referral_id, "welfare-call"),
        hub_id=HUB,
        attempts=0,
        due_at=T0,
        critical=False,
        next_alarm_at=minutes(300),
        overdue_at=T0,
    )


def held(r: Referral, reason: str = "not-reached", **more: Any) -> m.WelfareCallHeld:
    return m.WelfareCallHeld(
        **{
            "referral_id": r.referral_id,
            "call_id": uuid5(r.referral_id, "welfare-call"),
            "hub_id": HUB,
            "reason": reason,
            "review_by": minutes(300),
            "overdue": False,
            "held_at": T0,
            **more,
        }
    )


def reopened(r: Referral, reason: str = "outcome-undone") -> m.WelfareCallReopened:
    return m.WelfareCallReopened(
        referral_id=r.referral_id,
        call_id=uuid5(r.referral_id, "again"),
        previous_call_id=uuid5(r.referral_id, "welfare-call"),
        hub_id=HUB,
        reason=reason,
        due_at=minutes(400),
        reopened_at=T0,
    )


def task(
    model: Any,
    r: Referral,
    need_id: UUID,
    kind: str,
    parcel_id: UUID | None = None,
    **more: Any,
) -> Any:
    fields = {
        "task_id": uuid5(need_id, "task"),
        "referral_id": r.referral_id,
        "need_id": need_id,
        "parcel_id": parcel_id,
        "kind": kind,
        "volunteer_id": uuid4(),
        "hub_id": HUB,
        "priority": r.priority,
        "due_at": minutes(2000),
        "requires_dbs": False,
        "reason": "no-time",
        "facts": (vocabulary.Fact.FLAGS,),
        **dict.fromkeys(
            (
                "changed_at",
                "withdrawn_at",
                "opened_at",
                "accepted_at",
                "completed_at",
                "failed_at",
                "cancelled_at",
            ),
            T0,
        ),
        **more,
    }
    return model(**{name: fields[name] for name in model.model_fields if name in fields})


def parcel(model: Any, r: Referral, need_id: UUID, **more: Any) -> Any:
    fields = {
        "parcel_id": uuid5(need_id, "parcel"),
        "referral_id": r.referral_id,
        "need_id": need_id,
        "hub_id": HUB,
        "site_id": "central",
        "code": vocabulary.NeedCode.FOOD_PARCEL,
        "lane": m.Lane.FOOD,
        "priority": r.priority,
        "items": 13,
        "bags": 2,
        "weight_grams": 9000,
        "missing": (),
        "due_at": minutes(3000),
        "retry_at": minutes(3100),
        "reason": "nobody-home",
        **{
            f"{what}_at": T0
            for what in (
                "requested",
                "reserved",
                "short",
                "packed",
                "dispatched",
                "delivered",
                "returned",
                "cancelled",
            )
        },
        **more,
    }
    return model(**{name: fields[name] for name in model.model_fields if name in fields})


def escalation(
    model: Any,
    r: Referral,
    *need_ids: UUID,
    code: str = vocabulary.NeedCode.HOUSING,
    **more: Any,
) -> Any:
    fields = {
        "escalation_id": uuid5(need_ids[0], "escalation"),
        "referral_id": r.referral_id,
        "need_ids": need_ids,
        "code": code,
        "lane": NEEDS[code].lane,
        "kind": m.EscalationKind.COMPLEX,
        "priority": r.priority,
        "council_reference": "CS-1",
        "acknowledge_by": minutes(1500),
        "decide_by": minutes(7000),
        "next_check_at": minutes(1600),
        "was_due_at": minutes(1500),
        "stage": m.EscalationStage.ACKNOWLEDGE,
        "reason": "not-eligible",
        "outcome": vocabulary.EscalationOutcome.HELPED,
        **{
            f"{what}_at": T0
            for what in ("opened", "forwarded", "acknowledged", "accepted", "declined", "closed", "overdue")
        },
        **more,
    }
    return model(**{name: fields[name] for name in model.model_fields if name in fields})


def claim(given: Any, r: Referral, holder: str = "key:test", purpose: str = "welfare_call") -> str:
    """The grant that somebody has who has claimed the referral's call, or who picks its parcel."""
    now = given.clock.now()
    granted = Grant(
        holder=holder,
        purpose=purpose,
        subjects=(r.referral_id,),
        granted_at=now,
        expires_at=now + timedelta(minutes=30),
    )
    return given.service.settings.grant_keys.sign(granted)


def task_grant(given: Any, task_id: UUID, holder: str) -> str:
    """The grant that whoever has a task in hand gets from volunteer-match."""
    now = given.clock.now()
    granted = Grant(
        holder=holder,
        purpose="task",
        subjects=(task_id,),
        granted_at=now,
        expires_at=now + timedelta(minutes=15),
    )
    return given.service.settings.grant_keys.sign(granted)
