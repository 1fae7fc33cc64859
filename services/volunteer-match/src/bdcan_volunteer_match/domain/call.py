"""The welfare calls of one referral: due → claimed → answered | unanswered ×n → exhausted.

A referral has one *round* of calls at a time, with its own `call_id`. A need that Community Solutions gives back, or
that intake adds later, joins the live round or opens a new one: nobody is called twice for two needs.
A withdrawal or a closing is never forgotten, so late events change nothing. A closing ends only the needs that it
lists: another need opens the referral again.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, TypeAlias
from uuid import UUID, uuid5

from msgspec import Struct
from msgspec.structs import replace
from pydantic import BaseModel

from bdcan_chassis.step import Step
from bdcan_contracts.models import (
    EscalationDeclined,
    Household,
    Lane,
    Priority,
    ReferralAmended,
    ReferralAssigned,
    ReferralClosed,
    ReferralReassigned,
)
from bdcan_volunteer_match.domain.errors import NotAllowedError

CLAIM = "claim"
"""Deadline: the claim of a call runs out."""

CLAIM_FOR = timedelta(minutes=30)
"""How long a call belongs to the caller who claimed it."""

FOLLOW_UP_WITHIN = {
    Priority.URGENT: timedelta(hours=4),
    Priority.STANDARD: timedelta(hours=48),
    Priority.ROUTINE: timedelta(hours=72),
}
"""The time within which a follow-up call is due; the first contact has the same promise."""


class CallState(StrEnum):
    """The state of the round. `awaiting`: the referral's hub is not known yet."""

    AWAITING = "awaiting"
    DUE = "due"
    CLAIMED = "claimed"
    UNANSWERED = "unanswered"
    ANSWERED = "answered"
    EXHAUSTED = "exhausted"
    CANCELLED = "cancelled"


LIVE = frozenset({CallState.DUE, CallState.CLAIMED, CallState.UNANSWERED})
"""A call has still to be made."""

SETTLED = frozenset({CallState.ANSWERED, CallState.EXHAUSTED, CallState.CANCELLED})
"""The round is over. Only another need opens the next one."""


class CallNeed(Struct, frozen=True):
    """A need of the referral. `open`: the next call asks about it. `said_in`: the call that reported it last."""

    need_id: UUID
    code: str
    lane: Lane
    open: bool = True
    said_in: UUID | None = None


class WelfareCall(Struct, frozen=True):
    """A referral as its callers know it, and its present round of calls.

    `not_before`: when the slot of the next call begins. `closed_needs`: needs that a closing listed or an amendment
    withdrew. `ended`: withdrawn, or closed without another need since.
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

    def wants(self, need_id: UUID) -> bool:
        """Whether help with this need may still be wanted, as far as is known here."""
        return not self.withdrawn and need_id not in self.closed_needs

    @property
    def asks(self) -> tuple[CallNeed, ...]:
        """The needs that the round asks about."""
        return tuple(need for need in self.needs if need.open)

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
        if not amended:
            placed["needs"] = tuple(CallNeed(n.need_id, n.code, n.lane) for n in event.needs)
        placed |= {
            "state": CallState.DUE,
            "not_before": event.assigned_at,
            "due_at": event.contact_due_at,
        }
    elif known.state is CallState.CLAIMED and event.hub_id != known.hub_id:
        placed |= {"state": known.waiting, **_UNCLAIMED}
    return moved(call, replace(known, **placed))


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
    amended = replace(
        known,
        amendment_version=event.version,
        priority=event.priority,
        household=event.household or known.household,
        diets=event.diets,
        flags=event.flags,
        needs=tuple(need for need in needs if need.need_id not in event.withdrawn_need_ids),
        closed_needs=known.closed_needs.union(event.withdrawn_need_ids),
        ended=False,
    )
    if known.state in SETTLED and any(n.need_id not in before for n in event.needs):
        amended = _new_round(
            amended, uuid5(known.referral_id, f"amendment-{event.version}"), event.amended_at
        )
    return moved(call, amended)


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
            *(replace(n, open=True) if n.need_id in back else n for n in call.needs),
            *(CallNeed(need_id, event.code, event.lane) for need_id in back if need_id not in known),
        ),
    )
    if call.state not in LIVE:
        returned = _new_round(returned, uuid5(event.escalation_id, "welfare-call"), now)
    return moved(call, returned)


def withdraw(call: WelfareCall | None, referral_id: UUID) -> Step[WelfareCall]:
    """The resident wants no help: nobody calls any more, whatever happens later."""
    known = call or unknown(referral_id)
    return Step(known) if known.withdrawn else moved(call, replace(_over(known), withdrawn=True))


def close(call: WelfareCall | None, event: ReferralClosed) -> Step[WelfareCall]:
    """Intake closed the referral: nobody calls about the needs that the event lists.

    Another need came up after intake had closed it. The need and the referral stay open.
    """
    known = call or unknown(event.referral_id)
    listed = frozenset(need.need_id for need in event.needs)
    settled = replace(
        known,
        closed_needs=known.closed_needs | listed,
        needs=tuple(replace(n, open=False) if n.need_id in listed else n for n in known.needs),
    )
    wanted = any(settled.wants(need.need_id) for need in known.needs)
    return moved(call, settled if wanted else _over(settled))


def claim(call: WelfareCall, caller: str, now: datetime) -> Step[WelfareCall]:
    """The caller takes the call for CLAIM_FOR. A second claim by the same caller changes nothing.

    A call may be claimed before its slot: the resident may have rung back. Raises NotAllowedError.
    """
    match call.state:
        case CallState.DUE | CallState.UNANSWERED:
            until = now + CLAIM_FOR
            return moved(
                call, replace(call, state=CallState.CLAIMED, claimed_by=caller, claim_expires_at=until)
            )
        case CallState.CLAIMED if call.claimed_by == caller:
            return Step(call)
        case CallState.CLAIMED:
            raise NotAllowedError("claimed-by-other", "Somebody else has claimed this call.")
        case _:
            raise NotAllowedError("call-settled", f"There is nobody to call: the call is {call.state.value}.")


def lapse(call: WelfareCall, now: datetime) -> Step[WelfareCall]:
    """A claim that ran out without a report is free again."""
    if call.state is not CallState.CLAIMED or call.claim_expires_at is None or call.claim_expires_at > now:
        return Step(call)
    return moved(call, replace(call, state=call.waiting, **_UNCLAIMED))


def moved(before: WelfareCall | None, after: WelfareCall, *events: BaseModel) -> Step[WelfareCall]:
    """A step whose deadline follows the claim."""
    claimed_until = before and before.claim_expires_at
    kept = claimed_until == after.claim_expires_at
    return Step(after, events, {} if kept else {CLAIM: after.claim_expires_at})


_UNCLAIMED: dict[str, Any] = {"claimed_by": None, "claim_expires_at": None}


def _new_round(call: WelfareCall, call_id: UUID, now: datetime) -> WelfareCall:
    opened = replace(call, call_id=call_id, attempts=0, misses=0, ended=False, **_UNCLAIMED)
    if call.hub_id is None:  # its assignment makes the call due
        return replace(opened, state=CallState.AWAITING)
    return replace(opened, state=CallState.DUE, not_before=now, due_at=now + FOLLOW_UP_WITHIN[call.priority])


def _over(call: WelfareCall) -> WelfareCall:
    live = call.state in LIVE or call.state is CallState.AWAITING
    return replace(call, ended=True, state=CallState.CANCELLED if live else call.state, **_UNCLAIMED)
