"""The welfare calls of one referral: due → claimed → answered | unanswered ×n → exhausted.

A referral has one *round* of calls at a time, with its own `call_id`. A need that Community Solutions gives back, or
that intake adds later, joins the live round or opens a new one: nobody is called twice for two needs.
A withdrawal or a closing is never forgotten, so late events change nothing. A closing ends only the needs that it
lists: another need opens the referral again.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any, TypeAlias
from uuid import UUID, uuid5

from msgspec import Struct
from msgspec.structs import replace
from pydantic import BaseModel

from bdcan_chassis.step import Step
from bdcan_contracts.models import (
    CallNeedResult,
    EscalationDeclined,
    Household,
    Lane,
    NeedState,
    Priority,
    ReferralAmended,
    ReferralAssigned,
    ReferralClosed,
    ReferralHeldForTriage,
    ReferralOutOfArea,
    ReferralReassigned,
    ReferralReopened,
    WelfareCallHeld,
    WelfareCallOverdue,
)
from bdcan_contracts.vocabulary import Fact, Flag, Reason
from bdcan_volunteer_match.domain.errors import NotAllowedError
from bdcan_volunteer_match.domain.facts import Rule

CLAIM = "claim"
"""Deadline: the claim of a call runs out."""

CLAIM_FOR = timedelta(minutes=30)
"""How long a call belongs to the caller who claimed it."""

CALL = "call"
"""Deadline: somebody must have rung."""

REVIEW = "review"
"""Deadline: a person must have looked at the referral."""

REVIEW_WITHIN = {
    Priority.URGENT: timedelta(hours=4),
    Priority.STANDARD: timedelta(hours=24),
    Priority.ROUTINE: timedelta(hours=24),
}
"""How soon a person at the hub looks at a referral whose resident cannot be reached, or must not be rung.

It runs by the clock, at weekends and on bank holidays, too: somebody may lie behind the door.
"""

CRITICAL_AFTER = REVIEW_WITHIN
"""How late a call may be until it is critically overdue: then as much time has passed as a person has to look."""

STOPS: Mapping[str, Reason] = MappingProxyType({"no-consent": Reason.NO_CONSENT, "deceased": Reason.DECEASED})
"""Flags with which nobody rings and nobody comes, until a person has looked."""

FOLLOW_UP_WITHIN = {
    Priority.URGENT: timedelta(hours=4),
    Priority.STANDARD: timedelta(hours=48),
    Priority.ROUTINE: timedelta(hours=72),
}
"""The time within which a follow-up call is due; the first contact has the same promise.

It runs by the clock: hubs ring on all days. Whether a call counts, and when the next one is, follows the calling hours.
"""


class CallState(StrEnum):
    """The state of the round. `awaiting`: the referral's hub is not known yet."""

    AWAITING = "awaiting"
    DUE = "due"
    CLAIMED = "claimed"
    UNANSWERED = "unanswered"
    ANSWERED = "answered"
    EXHAUSTED = "exhausted"
    CANCELLED = "cancelled"


_FOLLOWS = {
    CallState.AWAITING: Rule.FOLLOW,
    CallState.DUE: Rule.FOLLOW,
    CallState.CLAIMED: Rule.WARN,
    CallState.UNANSWERED: Rule.FOLLOW,
    CallState.ANSWERED: Rule.FOLLOW,
    CallState.EXHAUSTED: Rule.FOLLOW,
    CallState.CANCELLED: Rule.NONE,
}
_STOPPED = {s: Rule.NONE if s is CallState.CANCELLED else Rule.STOP for s in CallState}

CALL_RULES: Mapping[Fact, Mapping[CallState, Rule]] = MappingProxyType(
    {
        Fact.PRIORITY: _FOLLOWS,
        Fact.FLAGS: _FOLLOWS,
        Fact.LANGUAGE: _FOLLOWS,
        Fact.CONSENT: _STOPPED,
        Fact.ADDRESS: _FOLLOWS,
        Fact.HOUSEHOLD: _FOLLOWS,
        Fact.DIETS: _FOLLOWS,
    }
)
"""Fact × state of the round → what a change does. A claim ends when the referral gets another hub: its callers then ring."""

LIVE = frozenset({CallState.DUE, CallState.CLAIMED, CallState.UNANSWERED})
"""A call has still to be made."""

SETTLED = frozenset({CallState.ANSWERED, CallState.EXHAUSTED, CallState.CANCELLED})
"""The round is over. Only another need opens the next one."""


class CallNeed(Struct, frozen=True):
    """A need of the referral. `open`: the next call asks about it. `said_in`: the call that reported it last, and how.

    `given_back`: Community Solutions helped nobody, and no call has reported the need since. `out_of_area`: nobody here
    helps with it while routing finds the home out of area.
    """

    need_id: UUID
    code: str
    lane: Lane
    open: bool = True
    said_in: UUID | None = None
    result: CallNeedResult | None = None
    given_back: bool = False
    out_of_area: bool = False


class Said(Struct, frozen=True):
    """What was reported of the last call, and what undoing it brings back: the misses and the slot before."""

    outcome: str
    caller: str
    said_at: datetime
    misses: int
    not_before: datetime | None
    due_at: datetime | None


class WelfareCall(Struct, frozen=True):
    """A referral as its callers know it, and its present round of calls.

    `not_before`: when the slot of the next call begins. `closed_needs`: needs that a closing listed or an amendment
    withdrew. `ended`: withdrawn, or closed without another need since. `review`: why a person at the hub must look, by
    `review_by`. `cleared`: flags of STOPS with which a person has allowed to ring all the same. `warnings`: facts that
    changed since the caller claimed the call. `address_version`: the last amendment that changed the address.
    `same_person_ids`, `same_household_ids`: other referrals that intake links, as of `linked_at`. `claimed_with`: the
    referral whose call the caller took; this one was claimed with it, because one call serves both. `alarm_at`: when nobody
    has rung, and an alarm is raised (again).
    """

    referral_id: UUID
    call_id: UUID
    state: CallState = CallState.AWAITING
    hub_id: str | None = None
    assignment_version: int = 0
    amendment_version: int = 0
    priority: Priority = Priority.STANDARD
    outreach: bool = False
    confirm_at_call: bool = False
    needs: tuple[CallNeed, ...] = ()
    household: Household | None = None
    diets: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    attempts: int = 0
    misses: int = 0
    not_before: datetime | None = None
    due_at: datetime | None = None
    claimed_by: str | None = None
    claim_expires_at: datetime | None = None
    closed_needs: frozenset[UUID] = frozenset()
    withdrawn: bool = False
    ended: bool = False
    review: str | None = None
    review_by: datetime | None = None
    review_overdue: bool = False
    cleared: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    last: Said | None = None
    address_version: int = 0
    same_person_ids: tuple[UUID, ...] = ()
    same_household_ids: tuple[UUID, ...] = ()
    linked_at: datetime | None = None
    claimed_with: UUID | None = None
    alarm_at: datetime | None = None
    sector: str | None = None
    """The postcode sector of the home, such as RM10 8; None where nobody knows it."""

    @property
    def linked_ids(self) -> frozenset[UUID]:
        """All referrals that intake links with this one."""
        return frozenset((*self.same_person_ids, *self.same_household_ids))

    @property
    def stopped_by(self) -> Reason | None:
        """Why nobody may ring or come; None where they may."""
        found = (reason for flag, reason in STOPS.items() if flag in self.flags and flag not in self.cleared)
        return next(found, None)

    def wants(self, need_id: UUID) -> bool:
        """Whether help with this need may still be wanted, as far as is known here."""
        return not self.withdrawn and need_id not in self.closed_needs

    @property
    def asks(self) -> tuple[CallNeed, ...]:
        """The needs that the round asks about."""
        return tuple(need for need in self.needs if need.open)

    @property
    def must_be_made_by(self) -> datetime | None:
        """By when somebody must have rung; None where nobody has to ring."""
        return self.due_at if self.state in LIVE and self.review is None and self.hub_id else None

    @property
    def waiting(self) -> CallState:
        """The state in which a round waits for its next call."""
        return CallState.UNANSWERED if self.attempts else CallState.DUE


def welfare_concern(referral_id: UUID) -> UUID:
    """The id of the need that stands for a resident of whom nobody knows more than that they cannot be reached."""
    return uuid5(referral_id, "welfare-concern")


def first_call_id(referral_id: UUID) -> UUID:
    """The id of a referral's first round."""
    return uuid5(referral_id, "welfare-call")


def unknown(referral_id: UUID) -> WelfareCall:
    """A referral of which nothing is known yet."""
    return WelfareCall(referral_id, first_call_id(referral_id))


Assignment: TypeAlias = ReferralAssigned | ReferralReassigned


def assign(call: WelfareCall | None, event: Assignment) -> Step[WelfareCall]:
    """Routing names the referral's hub. The first round is due; a live round goes to the new hub.

    A claim of the old hub ends. An older version changes nothing.
    """
    known = call or unknown(event.referral_id)
    if event.version <= known.assignment_version:
        return Step(known)
    placed: dict[str, Any] = {
        "assignment_version": event.version,
        "hub_id": event.hub_id,
        "outreach": event.outreach,
        "confirm_at_call": event.confirm_at_call,
        "sector": event.sector,
    }
    amended = known.amendment_version > 0
    if not amended:  # else intake has told us more than routing knew
        placed |= {
            "priority": event.priority,
            "household": event.household or known.household,
            "diets": event.diets,
            "flags": event.flags,
        }
    if known.state is CallState.AWAITING:
        if not amended and not known.needs:
            placed["needs"] = tuple(CallNeed(n.need_id, n.code, n.lane) for n in event.needs)
        placed |= {
            "state": known.waiting,
            "not_before": event.assigned_at,
            "due_at": event.contact_due_at,
        }
    elif known.state is CallState.CLAIMED and event.hub_id != known.hub_id:
        placed |= {"state": known.waiting, **UNCLAIMED}
    back = in_area_again(replace(known, **placed), event.assigned_at)
    return looked_at(call, back, event.assigned_at)


def leave_area(call: WelfareCall | None, event: ReferralOutOfArea) -> Step[WelfareCall]:
    """Routing finds the home out of area: nobody here rings or helps any more. Needs of safety stay with the council."""
    known = call or unknown(event.referral_id)
    if event.version <= known.assignment_version or known.withdrawn:
        return Step(known)
    listed = {need.need_id for need in known.needs}
    new = tuple(CallNeed(n.need_id, n.code, n.lane) for n in event.needs if n.need_id not in listed)
    needs = tuple(
        need if need.lane is Lane.SAFEGUARDING else replace(need, open=False, out_of_area=True)
        for need in (*known.needs, *new)
        if need.need_id not in known.closed_needs or need.out_of_area
    )
    ended = tuple(n for n in known.needs if n.need_id in known.closed_needs and not n.out_of_area)
    gone = {need.need_id for need in needs if need.out_of_area}
    return moved(
        call,
        replace(
            _over(known),
            assignment_version=event.version,
            needs=(*ended, *needs),
            closed_needs=known.closed_needs | gone,
        ),
    )


def hold_for_triage(call: WelfareCall | None, event: ReferralHeldForTriage) -> Step[WelfareCall]:
    """A person decides anew which hub has the referral. Nobody rings before; a claim ends."""
    known = call or unknown(event.referral_id)
    if event.version <= known.assignment_version:
        return Step(known)
    held = replace(known, assignment_version=event.version)
    if known.state not in LIVE:
        return moved(call, held)
    return moved(call, replace(held, state=CallState.AWAITING, hub_id=None, **UNCLAIMED, **NO_REVIEW))


def reopen_by_intake(call: WelfareCall | None, event: ReferralReopened) -> Step[WelfareCall] | None:
    """Intake opened the referral again. Needs that were out of area are asked about; what else came up has its own event."""
    if call is None or call.withdrawn:
        return None
    wanted = {need.need_id for need in event.needs}
    back = in_area_again(call, event.reopened_at, wanted)
    return looked_at(call, replace(back, closed_needs=back.closed_needs - wanted), event.reopened_at)


def in_area_again(call: WelfareCall, at: datetime, wanted: Container[UUID] | None = None) -> WelfareCall:
    """The referral with a call about the needs that were out of area, where there are some. `wanted`: only these."""
    back = {n.need_id for n in call.needs if n.out_of_area and (wanted is None or n.need_id in wanted)}
    if not back or call.withdrawn:
        return call
    asked = replace(
        call,
        needs=tuple(replace(n, open=True, out_of_area=False) if n.need_id in back else n for n in call.needs),
        closed_needs=call.closed_needs - back,
    )
    if asked.state in LIVE or asked.state is CallState.AWAITING:
        return replace(asked, ended=False)
    return new_round(asked, uuid5(call.call_id, "in-area"), at)


def amend(call: WelfareCall | None, event: ReferralAmended) -> Step[WelfareCall]:
    """Intake amends an open referral. A need that no call has asked about must be asked about."""
    known = call or unknown(event.referral_id)
    if event.version <= known.amendment_version or known.withdrawn:
        return Step(known)
    before = {need.need_id: need for need in known.needs}
    told = {need.need_id for need in event.needs}
    needs = (
        *(before.get(n.need_id) or CallNeed(n.need_id, n.code, n.lane) for n in event.needs),
        # a call may have found a need that intake had not heard of when it wrote this
        *(need for need in known.needs if need.need_id not in told and not need.open),
    )
    due_at = known.due_at
    if (
        due_at is not None
        and known.priority is not event.priority
        and known.state in LIVE
        and not known.attempts
    ):
        due_at = min(due_at, event.amended_at + FOLLOW_UP_WITHIN[event.priority])
    amended = replace(
        known,
        amendment_version=event.version,
        address_version=event.version if Fact.ADDRESS in event.changed else known.address_version,
        # routing names the sector of the new home if the referral moves to another hub
        sector=None if Fact.ADDRESS in event.changed else known.sector,
        priority=event.priority,
        due_at=due_at,
        household=event.household or known.household,
        diets=event.diets,
        flags=event.flags,
        needs=tuple(need for need in needs if need.need_id not in event.withdrawn_need_ids),
        closed_needs=known.closed_needs.union(event.withdrawn_need_ids),
        ended=False,
    )
    if known.state in SETTLED and any(n.need_id not in before for n in event.needs):
        amended = new_round(amended, uuid5(known.referral_id, f"amendment-{event.version}"), event.amended_at)
    return looked_at(call, amended, event.amended_at)


def give_back(call: WelfareCall | None, event: EscalationDeclined, now: datetime) -> Step[WelfareCall] | None:
    """Community Solutions declined needs: the hub calls again. Needs that have since ended are ignored.

    A refusal and a call may cross. The refusal names the calls that it answers. A need that a later call has reported is
    escalation's to hand over again, so exactly one of the two acts. The first call asks about all needs anyway.
    """
    if call is None:
        return None
    later = {n.need_id for n in call.needs if n.said_in is not None and n.said_in not in event.call_ids}
    back = [need_id for need_id in event.need_ids if call.wants(need_id) and need_id not in later]
    if not back or call.state is CallState.AWAITING:
        return Step(call)
    known = {need.need_id for need in call.needs}
    returned = replace(
        call,
        needs=(
            *(replace(n, open=True, given_back=True) if n.need_id in back else n for n in call.needs),
            *(
                CallNeed(need_id, event.code, event.lane, given_back=True)
                for need_id in back
                if need_id not in known
            ),
        ),
    )
    if call.state not in LIVE:
        returned = new_round(returned, uuid5(event.escalation_id, "welfare-call"), now)
    return looked_at(call, returned, now)


def withdraw(call: WelfareCall | None, referral_id: UUID) -> Step[WelfareCall]:
    """The resident wants no help: nobody calls any more, whatever happens later."""
    known = call or unknown(referral_id)
    return Step(known) if known.withdrawn else moved(call, replace(_over(known), withdrawn=True))


def close(call: WelfareCall | None, event: ReferralClosed) -> Step[WelfareCall]:
    """Intake closed the referral: nobody calls about the needs that the event lists.

    A need that was referred on may come back: Community Solutions can give it up after the closing. If it has already done so,
    the closing is older, and the call about the need stays. Another need came up after intake had closed the referral. That
    need stays open too.
    """
    known = call or unknown(event.referral_id)
    referred = {need.need_id for need in event.needs if need.state is NeedState.REFERRED_ON}
    back = {need.need_id for need in known.needs if need.given_back and need.need_id in referred}
    listed = {need.need_id for need in event.needs} - back
    gone = {need.need_id: need for need in event.needs if need.reason == Reason.OUT_OF_AREA}
    here = {need.need_id for need in known.needs}
    needs = (
        *known.needs,
        *(CallNeed(n.need_id, n.code, n.lane) for key, n in gone.items() if key not in here),
    )
    settled = replace(
        known,
        closed_needs=known.closed_needs | (listed - referred),
        needs=tuple(
            replace(n, open=False, out_of_area=n.need_id in gone) if n.need_id in listed else n for n in needs
        ),
    )
    wanted = any(n.need_id not in listed and settled.wants(n.need_id) for n in known.needs)
    return moved(call, settled if wanted else _over(settled))


def claim(call: WelfareCall, caller: str, now: datetime) -> Step[WelfareCall]:
    """The caller takes the call for CLAIM_FOR. A second claim by the same caller changes nothing.

    A call may be claimed before its slot: the resident may have rung back. Raises NotAllowedError.
    """
    must_not_wait_for_a_person(call)
    match call.state:
        case CallState.DUE | CallState.UNANSWERED:
            until = now + CLAIM_FOR
            return moved(
                call,
                replace(
                    call, state=CallState.CLAIMED, claimed_by=caller, claim_expires_at=until, warnings=()
                ),
            )
        case CallState.CLAIMED if call.claimed_by == caller:
            return Step(call)
        case CallState.CLAIMED:
            raise NotAllowedError("claimed-by-other", "Somebody else has claimed this call.")
        case _:
            raise NotAllowedError("call-settled", f"There is nobody to call: the call is {call.state.value}.")


def rung_in_time(before: WelfareCall | None, after: WelfareCall, now: datetime) -> bool | None:
    """Whether somebody rang by the promised time; None where nobody has rung since `before`."""
    if before is None or before.due_at is None or before.state not in LIVE or before.call_id != after.call_id:
        return None
    rang = after.attempts > before.attempts or after.state in {CallState.ANSWERED, CallState.EXHAUSTED}
    return now <= before.due_at if rang else None


def lapse(call: WelfareCall, now: datetime) -> Step[WelfareCall]:
    """A claim that ran out without a report is free again."""
    if call.state is not CallState.CLAIMED or call.claim_expires_at is None or call.claim_expires_at > now:
        return Step(call)
    return release(call)


def release(call: WelfareCall) -> Step[WelfareCall]:
    """Nobody has the call in hand any more: it is on the list again."""
    return moved(call, replace(call, state=call.waiting, **UNCLAIMED))


def changed_facts(before: WelfareCall, after: WelfareCall) -> frozenset[Fact]:
    """Which facts about the resident differ. Intake names the address as changed; another hub means another address, too."""
    flags = frozenset(before.flags) ^ frozenset(after.flags)
    differs = {
        Fact.PRIORITY: before.priority is not after.priority,
        Fact.FLAGS: not flags <= {*STOPS, Flag.INTERPRETER_NEEDED},
        Fact.LANGUAGE: Flag.INTERPRETER_NEEDED in flags,
        Fact.CONSENT: before.stopped_by is not after.stopped_by,
        Fact.ADDRESS: (before.hub_id is not None and before.hub_id != after.hub_id)
        or before.address_version != after.address_version,
        Fact.HOUSEHOLD: before.household != after.household,
        Fact.DIETS: frozenset(before.diets) != frozenset(after.diets),
    }
    return frozenset(fact for fact, it_does in differs.items() if it_does)


def fall_overdue(call: WelfareCall, now: datetime) -> Step[WelfareCall]:
    """Nobody has looked in time: an alarm, and again after the same time."""
    if call.review is None or call.review_by is None or call.review_by > now or call.hub_id is None:
        return Step(call)
    review_by = now + REVIEW_WITHIN[call.priority]
    late = replace(call, review_overdue=True, review_by=review_by)
    return moved(call, late, _held(late, call.hub_id, call.review, review_by, now))


def hold(
    before: WelfareCall | None, call: WelfareCall, reason: str, at: datetime, *events: BaseModel
) -> Step[WelfareCall]:
    """A person at the hub must look at the referral. A claim ends: nobody rings meanwhile."""
    if call.review == reason or call.hub_id is None:
        return moved(before, call, *events)
    review_by = at + REVIEW_WITHIN[call.priority]
    held = replace(call, review=reason, review_by=review_by, review_overdue=False)
    if held.state is CallState.CLAIMED:
        held = replace(held, state=held.waiting, **UNCLAIMED)
    return moved(before, held, *events, _held(held, call.hub_id, reason, review_by, at))


def looked_at(
    before: WelfareCall | None, after: WelfareCall, at: datetime, *events: BaseModel
) -> Step[WelfareCall]:
    """A step after which a person must look, where the facts ask for it, and need not look where they no longer do."""
    if after.hub_id is None or after.withdrawn:
        return moved(before, after, *events)
    if before is not None and after.state is CallState.CLAIMED:
        warned = {f for f in changed_facts(before, after) if CALL_RULES[f][before.state] is Rule.WARN}
        after = replace(after, warnings=tuple(sorted({*after.warnings, *warned})))
    if after.stopped_by is not None and not after.ended:
        return hold(before, after, after.stopped_by, at, *events)
    if after.state is CallState.EXHAUSTED and not after.ended and after.review is not None:
        return hold(before, after, Reason.NOT_REACHED, at, *events)
    return moved(before, replace(after, **NO_REVIEW), *events)


def nobody_called(call: WelfareCall, now: datetime) -> Step[WelfareCall]:
    """Nobody has rung by the promised time: an alarm, and again until somebody does."""
    due_at = call.must_be_made_by
    if call.alarm_at is None or call.alarm_at > now or due_at is None or call.hub_id is None:
        return Step(call)
    critical_at = due_at + CRITICAL_AFTER[call.priority]
    alarm_at = critical_at if now < critical_at else now + CRITICAL_AFTER[call.priority]
    told = WelfareCallOverdue(
        referral_id=call.referral_id,
        call_id=call.call_id,
        hub_id=call.hub_id,
        attempts=call.attempts,
        due_at=due_at,
        critical=now >= critical_at,
        next_alarm_at=alarm_at,
        overdue_at=now,
    )
    return moved(call, replace(call, alarm_at=alarm_at), told)


def give_up(call: WelfareCall, caller: str, reason: str | None) -> Step[WelfareCall]:
    """End a claim by hand: the call is on the list again. Raises NotAllowedError.

    Another than the caller says why: somebody may be on the telephone.
    """
    if call.state is not CallState.CLAIMED:
        raise NotAllowedError("not-claimed", "Nobody has claimed this call.")
    if call.claimed_by != caller and reason is None:
        raise NotAllowedError(
            "claimed-by-other", "Somebody else has claimed this call. To end their claim, send a reason."
        )
    return release(call)


def moved(before: WelfareCall | None, after: WelfareCall, *events: BaseModel) -> Step[WelfareCall]:
    """A step whose deadlines follow the claim, the review and the time by which somebody must ring."""
    deadlines: dict[str, datetime | None] = {}
    promised = after.must_be_made_by
    if (before and before.must_be_made_by) != promised or (promised and after.alarm_at is None):
        after = replace(after, alarm_at=promised)
    if (before and before.alarm_at) != after.alarm_at:
        deadlines[CALL] = after.alarm_at
    if (before and before.claim_expires_at) != after.claim_expires_at:
        deadlines[CLAIM] = after.claim_expires_at
    if (before and before.review_by) != after.review_by:
        deadlines[REVIEW] = after.review_by
    return Step(after, events, deadlines)


NO_REVIEW: dict[str, Any] = {"review": None, "review_by": None, "review_overdue": False}
"""The fields of a call at which nobody must look."""


def must_not_wait_for_a_person(call: WelfareCall) -> None:
    """Raise NotAllowedError where nobody may ring until a coordinator has looked."""
    if call.review is not None and call.state in LIVE:
        raise NotAllowedError(
            "person-must-look",
            f"Do not ring: a coordinator must look at this referral first ({call.review}).",
        )


def _held(call: WelfareCall, hub_id: str, reason: str, review_by: datetime, at: datetime) -> WelfareCallHeld:
    return WelfareCallHeld(
        referral_id=call.referral_id,
        call_id=call.call_id,
        hub_id=hub_id,
        reason=reason,
        review_by=review_by,
        overdue=call.review_overdue,
        held_at=at,
    )


UNCLAIMED: dict[str, Any] = {"claimed_by": None, "claim_expires_at": None, "claimed_with": None}
"""The fields of a call that nobody has claimed."""


def new_round(call: WelfareCall, call_id: UUID, now: datetime) -> WelfareCall:
    """The referral with another round of calls, due within the usual promise."""
    opened = replace(
        call, call_id=call_id, attempts=0, misses=0, ended=False, last=None, **UNCLAIMED, **NO_REVIEW
    )
    if call.hub_id is None:  # its assignment makes the call due
        return replace(opened, state=CallState.AWAITING)
    return replace(opened, state=CallState.DUE, not_before=now, due_at=now + FOLLOW_UP_WITHIN[call.priority])


def _over(call: WelfareCall) -> WelfareCall:
    live = call.state in LIVE or call.state is CallState.AWAITING
    return replace(
        call, ended=True, state=CallState.CANCELLED if live else call.state, **UNCLAIMED, **NO_REVIEW
    )
