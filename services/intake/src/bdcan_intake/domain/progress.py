"""What each event of the other services means for a referral: one function per event.

Events of different topics come in any order. A need ignores an event that is older than the one it followed last:
time decides first, then rank, which says how far along an event is. An event that ends a need always counts. A need
that intake did not know is added. No function raises.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeAlias, TypeVar
from uuid import UUID

from msgspec.structs import replace
from pydantic import BaseModel

from bdcan_chassis.calendar import Calendar
from bdcan_chassis.step import Step
from bdcan_contracts import models
from bdcan_contracts.envelope import Event
from bdcan_contracts.models import CallNeedResult, Lane, NeedState
from bdcan_contracts.vocabulary import NEEDS, EscalationOutcome, Reason, TaskKind
from bdcan_intake.domain.referral import (
    COMMUNITY_SOLUTIONS,
    CONTACT_WITHIN,
    FOODHUB,
    INTAKE,
    PARTLY,
    ROUTING,
    SAFEGUARDING_WITHIN,
    VOLUNTEERS,
    Need,
    Referral,
    ReferralState,
    settled,
)

T = TypeVar("T", bound=BaseModel)
P = ParamSpec("P")

ACKNOWLEDGED_WITHIN_DAYS = 1
"""Working days within which Community Solutions acknowledges a need; its own events bring the exact time."""

HELPER = {
    Lane.FOOD: FOODHUB,
    Lane.COMMUNITY: VOLUNTEERS,
    Lane.COMPLEX: COMMUNITY_SOLUTIONS,
    Lane.SAFEGUARDING: COMMUNITY_SOLUTIONS,
}
"""Who owns a need of each lane once a call has confirmed it."""

_Kind: TypeAlias = tuple[str, Lane]
"""What is needed: a code and its lane."""

_Escalated: TypeAlias = (
    models.EscalationOpened
    | models.EscalationAcknowledged
    | models.EscalationOverdue
    | models.EscalationAccepted
    | models.EscalationDeclined
    | models.EscalationClosed
)

_OfHub: TypeAlias = (
    models.WelfareCallCompleted
    | models.WelfareCallUnanswered
    | models.WelfareCallHeld
    | models.WelfareCallReopened
)

_PLACED, _TRIED, _CALLED, HELPED = 1, 2, 3, 4
"""Ranks: how far along an event is."""


def _follows(
    change: Callable[Concatenate[Referral, T, datetime, P], Referral],
) -> Callable[Concatenate[Referral | None, Event[T], datetime, P], Step[Referral] | None]:
    """Make a step of a change: the referral also closes or opens again. A referral that is not known has no step."""

    @wraps(change)
    def decide(
        referral: Referral | None, event: Event[T], now: datetime, *more: P.args, **named: P.kwargs
    ) -> Step[Referral] | None:
        if referral is None:
            return None
        moved = change(referral, event.data, event.time, *more, **named)
        return None if moved is referral else settled(referral, moved, now)

    return decide


@_follows
def assigned(referral: Referral, event: models.ReferralAssigned, at: datetime) -> Referral:
    """A hub has it: needs that nobody has in hand belong to the hub, due at the first call."""
    return _placed(referral, event, at)


@_follows
def reassigned(referral: Referral, event: models.ReferralReassigned, at: datetime) -> Referral:
    """Another hub has it."""
    return _placed(referral, event, at)


@_follows
def held_for_triage(referral: Referral, event: models.ReferralHeldForTriage, at: datetime) -> Referral:
    """Routing's people decide until the given time."""
    if event.version <= referral.assignment_version:
        return referral
    referral = _in_area_again(referral, at)
    return replace(
        referral,
        hub_id=None,
        assignment_version=event.version,
        **_waiting(referral, ROUTING, event.triage_due_at, at, _PLACED),
    )


@_follows
def out_of_area(referral: Referral, event: models.ReferralOutOfArea, at: datetime) -> Referral:
    """Another council must help. A concern for somebody's safety stays with Community Solutions, who pass it on."""
    if event.version <= referral.assignment_version:
        return referral
    needs = tuple(
        need
        if need.ended or need.owner == COMMUNITY_SOLUTIONS
        else _end(need, NeedState.UNMET, at, Reason.OUT_OF_AREA)
        for need in referral.needs
    )
    return replace(referral, needs=needs, assignment_version=event.version, out_of_area=True)


@_follows
def call_completed(
    referral: Referral, event: models.WelfareCallCompleted, at: datetime, calendar: Calendar
) -> Referral:
    """What is needed is known: each need goes to who helps with it, or ends if it is not wanted.

    A call that crossed with a withdrawal starts nothing: the services that would help have heard of the withdrawal too.
    A call asks about a need that was referred on only if Community Solutions has given it back, which we may hear later.
    """
    referral = replace(referral, unreached_after=0)
    if referral.withdrawn_reason is not None:
        return replace(referral, called=True)
    due_at = at + CONTACT_WITHIN[event.priority]
    needs = {need.need_id: need for need in referral.needs}
    for said in event.needs:
        need = needs.get(said.need_id)
        if need is not None and need.state is NeedState.REFERRED_ON and _is_news(need, at, _CALLED):
            need = replace(need, state=NeedState.OPEN, owner=_hub_of(referral, event), due_at=due_at)
        if said.result is CallNeedResult.DECLINED:
            need = need or Need(
                referral.referral_id, said.need_id, said.code, said.lane, NeedState.OPEN, INTAKE, at, at
            )
            if not need.ended and not need.protected:
                need = _end(need, NeedState.WITHDRAWN, at, Reason.DECLINED_AT_CALL)
            needs[said.need_id] = need
            continue
        helper = HELPER[said.lane]
        help_by = _acknowledged_by(said.lane, at, calendar) if helper == COMMUNITY_SOLUTIONS else due_at
        if need is None:
            needs[said.need_id] = Need(
                referral.referral_id,
                said.need_id,
                said.code,
                said.lane,
                NeedState.IN_HAND,
                helper,
                help_by,
                at,
                _CALLED,
            )
            continue
        if not need.ended and need.code != said.code:
            need = replace(need, code=said.code, lane=said.lane)
        already = need.state is NeedState.IN_HAND and need.owner == helper
        needs[said.need_id] = _in_hand(need, helper, None if already else help_by, at, _CALLED)
    # what the call did not speak about stays with the hub, which must ring again
    return replace(
        referral,
        state=referral.at_least(ReferralState.IN_CONTACT),
        called=True,
        **_waiting(referral, _hub_of(referral, event), due_at, at, _CALLED, tuple(needs.values())),
    )


@_follows
def call_unanswered(referral: Referral, event: models.WelfareCallUnanswered, at: datetime) -> Referral:
    """The hub tries again. It is late when the slot of the next call ends; an older release says only when it begins."""
    due_at = event.due_at or event.next_attempt_at
    return replace(referral, **_waiting(referral, _hub_of(referral, event), due_at, at, _TRIED))


@_follows
def call_exhausted(
    referral: Referral, event: models.WelfareCallExhausted, at: datetime, calendar: Calendar
) -> Referral:
    """Nobody was reached: Community Solutions has all that is open.

    Where nobody ever learned what is needed, the event brings the welfare concern itself as a need.
    """
    referral = replace(referral, called=True, unreached_after=event.attempts)
    for listed in event.needs:
        due_at = _acknowledged_by(listed.lane, at, calendar)
        referral = _helped(referral, listed.need_id, _kind(listed), COMMUNITY_SOLUTIONS, due_at, at, _CALLED)
    return referral


@_follows
def call_held(referral: Referral, event: models.WelfareCallHeld, at: datetime) -> Referral:
    """A person at the hub must look by the given time: nobody was reached, or nobody may ring."""
    return replace(referral, **_waiting(referral, _hub_of(referral, event), event.review_by, at, _TRIED))


@_follows
def call_reopened(referral: Referral, event: models.WelfareCallReopened, at: datetime) -> Referral:
    """The resident is rung again by the given time. A referral that closed meanwhile opens: the caller needs the number."""
    if referral.withdrawn_reason is not None:
        return referral
    hub, due_at = _hub_of(referral, event), event.due_at
    referral = replace(referral, called=False, unreached_after=0, contact_due_at=due_at)
    if referral.state is ReferralState.CLOSED:
        return replace(
            referral, state=ReferralState.ASSIGNED, outcome=None, closed_at=None, owner=hub, due_at=due_at
        )
    return replace(referral, **_waiting(referral, hub, due_at, at, _TRIED))


@_follows
def task_opened(referral: Referral, event: models.TaskOpened, at: datetime) -> Referral:
    """Volunteers are being asked. A delivery is the parcel's story, told by foodhub."""
    if event.need_id is None or event.parcel_id is not None:
        return referral
    helped = _helped(referral, event.need_id, _kind_of_task(event.kind), VOLUNTEERS, event.due_at, at, HELPED)
    return _being_helped(helped)


@_follows
def task_changed(referral: Referral, event: models.TaskChanged, at: datetime) -> Referral:
    """The task has another time, or must not go on until a person at the hub has looked."""
    if event.need_id is None or event.parcel_id is not None:
        return referral
    owner = f"hub:{referral.hub_id or event.hub_id}" if event.stopped_by else VOLUNTEERS
    return _helped(referral, event.need_id, _kind_of_task(event.kind), owner, event.due_at, at, HELPED)


@_follows
def task_completed(referral: Referral, event: models.TaskCompleted, at: datetime) -> Referral:
    """Done: the need is met, unless the task was a parcel's way to the door."""
    if event.need_id is None or event.parcel_id is not None:
        return referral
    return _ended(referral, event.need_id, _kind_of_task(event.kind), NeedState.MET, at)


@_follows
def task_reopened(referral: Referral, event: models.TaskReopened, at: datetime) -> Referral:
    """The task was reported as done by a slip: a need that was met by it is in hand again."""
    if event.need_id is None or event.parcel_id is not None or referral.withdrawn_reason is not None:
        return referral

    def again(need: Need) -> Need:
        if need.state is not NeedState.MET or not _is_news(need, at, HELPED):
            return need
        return replace(
            need, state=NeedState.IN_HAND, owner=VOLUNTEERS, due_at=event.due_at, fact_at=at, reason=None
        )

    return _with_need(referral, event.need_id, again, None)


@_follows
def task_cancelled(referral: Referral, event: models.TaskCancelled, at: datetime) -> Referral:
    """The task is cancelled: an open need returns to the hub."""
    if event.need_id is None or event.parcel_id is not None:
        return referral
    return _given_back(referral, event.need_id, _kind_of_task(event.kind), at)


@_follows
def parcel_requested(referral: Referral, event: models.ParcelRequested, at: datetime) -> Referral:
    """Foodhub prepares a parcel."""
    helped = _helped(referral, event.need_id, _kind(event), FOODHUB, event.due_at, at, HELPED)
    return _being_helped(helped)


@_follows
def parcel_short(referral: Referral, event: models.ParcelShort, at: datetime) -> Referral:
    """Foodhub looks for stock again at the given time."""
    return _helped(referral, event.need_id, None, FOODHUB, event.retry_at, at, HELPED)


@_follows
def parcel_packed(referral: Referral, event: models.ParcelPacked, at: datetime) -> Referral:
    """The parcel waits for a volunteer."""
    return _helped(referral, event.need_id, None, VOLUNTEERS, event.due_at, at, HELPED)


@_follows
def parcel_returned(referral: Referral, event: models.ParcelReturned, at: datetime) -> Referral:
    """The parcel came back and goes out again."""
    return _helped(referral, event.need_id, None, FOODHUB, at + CONTACT_WITHIN[referral.priority], at, HELPED)


@_follows
def parcel_delivered(referral: Referral, event: models.ParcelDelivered, at: datetime) -> Referral:
    """The parcel is at the door: the need is met."""
    return _ended(referral, event.need_id, None, NeedState.MET, at)


@_follows
def parcel_cancelled(referral: Referral, event: models.ParcelCancelled, at: datetime) -> Referral:
    """The parcel is cancelled: an open need returns to the hub."""
    return _given_back(referral, event.need_id, None, at)


@_follows
def escalation_opened(referral: Referral, event: models.EscalationOpened, at: datetime) -> Referral:
    """Handed to Community Solutions. A concern that a volunteer raised shows up here as a need of its own."""
    return _being_helped(_escalated(referral, event, event.acknowledge_by, at))


@_follows
def escalation_acknowledged(
    referral: Referral, event: models.EscalationAcknowledged, at: datetime
) -> Referral:
    """A person there has seen it and decides until the given time."""
    return _escalated(referral, event, event.decide_by, at)


@_follows
def escalation_overdue(referral: Referral, event: models.EscalationOverdue, at: datetime) -> Referral:
    """A step is late; it is looked at again at the given time."""
    return _escalated(referral, event, event.next_check_at, at)


@_follows
def escalation_accepted(referral: Referral, event: models.EscalationAccepted, at: datetime) -> Referral:
    """Community Solutions has taken it on: from here it is theirs, unless somebody else has had it in hand since."""
    end = NeedState.REFERRED_ON
    for need_id in event.need_ids:
        taken_on = Need(referral.referral_id, need_id, *_kind(event), end, None, None, at, HELPED)
        referral = _with_need(
            referral,
            need_id,
            lambda need: need if need.ended or _is_with_another(need, at) else _end(need, end, at, None),
            taken_on,
        )
    return referral


@_follows
def escalation_closed(referral: Referral, event: models.EscalationClosed, at: datetime) -> Referral:
    """Done there. A need that Community Solutions had taken on is met if somebody was helped."""
    match event.outcome:
        case EscalationOutcome.HELPED | EscalationOutcome.PARTLY_HELPED:
            state = NeedState.MET
        case EscalationOutcome.WITHDRAWN:
            state = NeedState.WITHDRAWN
        case _:
            state = NeedState.REFERRED_ON
    reason = PARTLY if event.outcome == EscalationOutcome.PARTLY_HELPED else None
    for need_id in event.need_ids:
        known = next((n for n in referral.needs if n.need_id == need_id), None)
        if known is not None and known.state is NeedState.REFERRED_ON and state is NeedState.MET:
            referral = _with_need(referral, need_id, lambda need: _end(need, state, at, reason), None)
        else:
            met = Need(referral.referral_id, need_id, *_kind(event), state, None, None, at, HELPED, reason)
            referral = _with_need(
                referral, need_id, lambda need: need if need.ended else _end(need, state, at, reason), met
            )
    return referral


@_follows
def escalation_declined(referral: Referral, event: models.EscalationDeclined, at: datetime) -> Referral:
    """Not theirs, or they helped nobody: the hub has it back. Out of area there is no hub to give it to."""
    for need_id in event.need_ids:
        referral = _given_back(referral, need_id, _kind(event), at)
    return referral


def _placed(
    referral: Referral, event: models.ReferralAssigned | models.ReferralReassigned, at: datetime
) -> Referral:
    if event.version <= referral.assignment_version:
        return referral
    referral = _in_area_again(referral, at)
    return replace(
        referral,
        state=referral.at_least(ReferralState.ASSIGNED),
        hub_id=event.hub_id,
        assignment_version=event.version,
        **_waiting(referral, f"hub:{event.hub_id}", event.contact_due_at, at, _PLACED),
    )


def _acknowledged_by(lane: Lane, at: datetime, calendar: Calendar) -> datetime:
    """When Community Solutions must have seen a need: at any hour if somebody is at risk, else in working time."""
    if lane is Lane.SAFEGUARDING:
        return at + SAFEGUARDING_WITHIN
    return calendar.add_working_days(at, ACKNOWLEDGED_WITHIN_DAYS)


def _in_area_again(referral: Referral, at: datetime) -> Referral:
    """Routing finds that it is in the borough after all. Needs that ended for that reason are open, and a call is due."""
    if not referral.out_of_area or referral.withdrawn_reason is not None:
        return referral
    due_at = at + CONTACT_WITHIN[referral.priority]
    needs = tuple(
        replace(
            need,
            state=NeedState.OPEN,
            owner=ROUTING,
            due_at=due_at,
            fact_at=at,
            rank=_PLACED,
            reason=None,
        )
        if need.state is NeedState.UNMET and need.reason == Reason.OUT_OF_AREA
        else need
        for need in referral.needs
    )
    back = replace(referral, needs=needs, out_of_area=False)
    if needs == referral.needs:
        return back
    back = replace(back, called=False, contact_due_at=due_at)
    if referral.open:
        return back
    return replace(
        back, state=ReferralState.RECEIVED, outcome=None, closed_at=None, owner=ROUTING, due_at=due_at
    )


def _hub_of(referral: Referral, event: _OfHub) -> str:
    """Whose calls these are: the referral's own hub; the event's as long as routing's word is not here."""
    return f"hub:{referral.hub_id or event.hub_id}"


def _being_helped(referral: Referral) -> Referral:
    state = referral.at_least(ReferralState.BEING_HELPED)
    return referral if state is referral.state else replace(referral, state=state)


def _escalated(
    referral: Referral,
    event: models.EscalationOpened | models.EscalationAcknowledged | models.EscalationOverdue,
    due_at: datetime,
    at: datetime,
) -> Referral:
    for need_id in event.need_ids:
        referral = _helped(referral, need_id, _kind(event), COMMUNITY_SOLUTIONS, due_at, at, HELPED)
    return referral


def _waiting(
    referral: Referral,
    owner: str,
    due_at: datetime,
    at: datetime,
    rank: int,
    needs: tuple[Need, ...] | None = None,
) -> dict[str, Any]:
    """What nobody has in hand yet goes to `owner`, and so does the referral as a whole, for its first call.

    The owner changes even if the need has followed a later event since: that event's sender may not have known yet.
    """
    needs = referral.needs if needs is None else needs
    if referral.state is ReferralState.CLOSED:
        return {"needs": needs}
    moved = [
        need
        if need.state is not NeedState.OPEN or need.owner == COMMUNITY_SOLUTIONS
        else replace(need, owner=owner, due_at=due_at, fact_at=at, rank=rank)
        if _is_news(need, at, rank)
        else replace(need, owner=owner)
        for need in needs
    ]
    return {"needs": tuple(moved), "owner": owner, "due_at": due_at}


def _helped(
    referral: Referral,
    need_id: UUID,
    kind: _Kind | None,
    owner: str,
    due_at: datetime,
    at: datetime,
    rank: int,
) -> Referral:
    return _with_need(
        referral,
        need_id,
        lambda need: _in_hand(need, owner, due_at, at, rank),
        Need(referral.referral_id, need_id, *kind, NeedState.IN_HAND, owner, due_at, at, rank)
        if kind
        else None,
    )


def _ended(referral: Referral, need_id: UUID, kind: _Kind | None, state: NeedState, at: datetime) -> Referral:
    return _with_need(
        referral,
        need_id,
        lambda need: need if need.ended else _end(need, state, at, None),
        Need(referral.referral_id, need_id, *kind, state, None, None, at, HELPED) if kind else None,
    )


def _given_back(referral: Referral, need_id: UUID, kind: _Kind | None, at: datetime) -> Referral:
    due_at = at + CONTACT_WITHIN[referral.priority]

    def give_back(need: Need) -> Need:
        passed_on = need.state is NeedState.REFERRED_ON  # Community Solutions may give back what it took on
        if (need.ended and not passed_on) or not _is_news(need, at, HELPED):
            return need
        if referral.withdrawn_reason:
            return _end(need, NeedState.WITHDRAWN, at, referral.withdrawn_reason)
        if referral.out_of_area:
            return _end(need, NeedState.UNMET, at, Reason.OUT_OF_AREA)
        return replace(
            need,
            state=NeedState.OPEN,
            owner=referral.placed_with,
            due_at=due_at,
            fact_at=at,
            rank=HELPED,
        )

    return _with_need(
        referral,
        need_id,
        give_back,
        give_back(
            Need(
                referral.referral_id,
                need_id,
                *kind,
                NeedState.OPEN,
                referral.placed_with,
                due_at,
                at,
                HELPED,
            )
        )
        if kind
        else None,
    )


def _with_need(
    referral: Referral, need_id: UUID, change: Callable[[Need], Need], unknown: Need | None
) -> Referral:
    """The referral with one need changed; a need that is not known becomes `unknown`, if that can be told."""
    for place, need in enumerate(referral.needs):
        if need.need_id == need_id:
            changed = change(need)
            if changed is need:
                return referral
            return replace(referral, needs=(*referral.needs[:place], changed, *referral.needs[place + 1 :]))
    return referral if unknown is None else replace(referral, needs=(*referral.needs, unknown))


def _in_hand(need: Need, owner: str, due_at: datetime | None, at: datetime, rank: int) -> Need:
    """The need in somebody's hands. `due_at` None leaves the time that was promised."""
    if need.ended or not _is_news(need, at, rank):
        return need
    return replace(
        need,
        state=NeedState.IN_HAND,
        owner=owner,
        due_at=due_at or need.due_at,
        fact_at=at,
        rank=rank,
        reason=None,
    )


def _end(need: Need, state: NeedState, at: datetime, reason: str | None) -> Need:
    return replace(need, state=state, owner=None, due_at=None, fact_at=at, rank=HELPED, reason=reason)


def _is_with_another(need: Need, at: datetime) -> bool:
    """Whether a later fact has put it into other hands than Community Solutions'."""
    in_hand = need.state is NeedState.IN_HAND and need.owner != COMMUNITY_SOLUTIONS
    return in_hand and not _is_news(need, at, HELPED)


def _is_news(need: Need, at: datetime, rank: int) -> bool:
    return (at, rank) >= (need.fact_at, need.rank)


def _kind(event: models.Need | models.ParcelRequested | _Escalated) -> _Kind:
    return event.code, event.lane


def _kind_of_task(task: str) -> _Kind | None:
    """The need that a kind of task serves. The call says it exactly, before or after.

    None: a delivery or a doorstep visit serves a need that is known otherwise.
    """
    if task in set(TaskKind) - set(_NEED_OF_TASK):
        return None
    return _NEED_OF_TASK.get(task, task), Lane.COMMUNITY


_NEED_OF_TASK = {known.task: code for code, known in NEEDS.items() if known.task}
