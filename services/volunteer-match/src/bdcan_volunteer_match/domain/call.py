"""The welfare calls of one referral: due → claimed → answered | unanswered ×n → exhausted.

There is one *round* of calls at a time, with a `call_id` of its own. A need that Community Solutions gives
back, or one that was added later, opens a new round, or joins the one that is under way: nobody is called twice for two needs.
What a withdrawal or a closing has ended stays known for ever, so that news that comes late changes nothing. But a closing
ends only the needs that it lists: one that turned up meanwhile opens the referral again.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, TypeAlias
from uuid import UUID, uuid5

from msgspec import Struct
from msgspec.structs import replace

from bdcan_contracts.models import (
    Diet,
    EscalationDeclined,
    Flag,
    Household,
    NeedCode,
    Priority,
    ReferralAmended,
    ReferralAssigned,
    ReferralClosed,
    ReferralReassigned,
)
from bdcan_volunteer_match.domain.errors import NotAllowedError

CLAIM_FOR = timedelta(minutes=30)
"""How long a call belongs to the caller who claimed it."""

FOLLOW_UP_WITHIN = {
    Priority.URGENT: timedelta(hours=4),
    Priority.STANDARD: timedelta(hours=48),
    Priority.ROUTINE: timedelta(hours=72),
}
"""The promise of a first contact, which a follow-up call keeps as well."""


class CallState(StrEnum):
    """Where the round stands. `awaiting`: news of the referral came before its hub was known."""

    AWAITING = "awaiting"
    DUE = "due"
    CLAIMED = "claimed"
    UNANSWERED = "unanswered"
    ANSWERED = "answered"
    EXHAUSTED = "exhausted"
    CANCELLED = "cancelled"


LIVE = frozenset({CallState.DUE, CallState.CLAIMED, CallState.UNANSWERED})
"""Somebody has still to call."""

SETTLED = frozenset({CallState.ANSWERED, CallState.EXHAUSTED, CallState.CANCELLED})
"""The round is over; only a need that turns up leads to another."""


class CallNeed(Struct, frozen=True):
    """A need of the referral. `open`: the next call has to ask about it. `said_at`: when a call last told others of it."""

    need_id: UUID
    code: NeedCode
    open: bool = True
    said_at: datetime | None = None


class WelfareCall(Struct, frozen=True):
    """A referral as its callers know it, and the round of calls that stands. `revision` 0: not saved yet.

    `closed_needs`: those that a closing listed as settled, or an amendment withdrew. `ended`: withdrawn, or closed and no
    need has turned up since.
    """

    referral_id: UUID
    call_id: UUID
    state: CallState = CallState.AWAITING
    revision: int = 0
    hub_id: str | None = None
    assignment_version: int = 0
    amendment_version: int = 0
    priority: Priority = Priority.STANDARD
    outreach: bool = False
    confirm_at_call: bool = False
    needs: tuple[CallNeed, ...] = ()
    household: Household | None = None
    diets: tuple[Diet, ...] = ()
    flags: tuple[Flag, ...] = ()
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


def first_call_id(referral_id: UUID) -> UUID:
    """The id of a referral's first round."""
    return uuid5(referral_id, "welfare-call")


def unknown(referral_id: UUID) -> WelfareCall:
    """A referral of which nothing is known yet."""
    return WelfareCall(referral_id, first_call_id(referral_id))


Assignment: TypeAlias = ReferralAssigned | ReferralReassigned


def assign(call: WelfareCall | None, event: Assignment) -> WelfareCall:
    """The referral has its hub, or moves to another: the first round is due; a live one is the new hub's.

    A claim is the old hub's and lapses. Older news than what is known changes nothing.
    """
    call = call or unknown(event.referral_id)
    if event.version <= call.assignment_version:
        return call
    placed: dict[str, Any] = {
        "assignment_version": event.version,
        "hub_id": event.hub_id,
        "outreach": event.outreach,
        "confirm_at_call": event.confirm_at_call,
    }
    amended = call.amendment_version > 0
    if not amended:  # else intake has told us more than routing knew
        placed |= {
            "priority": event.priority,
            "household": event.household or call.household,
            "diets": event.diets,
            "flags": event.flags,
        }
    if call.state is CallState.AWAITING:
        if not amended:
            placed["needs"] = tuple(CallNeed(n.need_id, n.code) for n in event.needs)
        placed |= {
            "state": CallState.DUE,
            "not_before": event.assigned_at,
            "due_at": event.contact_due_at,
        }
    elif call.state is CallState.CLAIMED and event.hub_id != call.hub_id:
        placed |= {"state": call.waiting, "claimed_by": None, "claim_expires_at": None}
    return replace(call, **placed)


def amend(call: WelfareCall | None, event: ReferralAmended) -> WelfareCall:
    """What is known of the referral changed. A need that nobody has asked about yet has to be asked about.

    Only an open referral is amended: one that was closed has been opened again.
    """
    call = call or unknown(event.referral_id)
    if event.version <= call.amendment_version or call.withdrawn:
        return call
    known = {need.need_id: need for need in call.needs}
    told = {need.need_id for need in event.needs}
    needs = (
        *(known.get(n.need_id) or CallNeed(n.need_id, n.code) for n in event.needs),
        # one that a call has settled may be news that intake had not seen when it wrote this
        *(need for need in call.needs if need.need_id not in told and not need.open),
    )
    amended = replace(
        call,
        amendment_version=event.version,
        priority=event.priority,
        household=event.household or call.household,
        diets=event.diets,
        flags=event.flags,
        needs=tuple(need for need in needs if need.need_id not in event.withdrawn_need_ids),
        closed_needs=call.closed_needs.union(event.withdrawn_need_ids),
        ended=False,
    )
    if call.state in SETTLED and any(n.need_id not in known for n in event.needs):
        return _new_round(amended, uuid5(call.referral_id, f"amendment-{event.version}"), event.amended_at)
    return amended


def give_back(call: WelfareCall | None, event: EscalationDeclined, now: datetime) -> WelfareCall:
    """Community Solutions declined needs: the hub has to call again. What ended meanwhile is nobody's.

    A refusal and a call may cross. The later one counts, here as at escalation, which hands a need over again if a call speaks of
    it after the refusal, and otherwise leaves it to the next call: so exactly one of the two goes on with it.

    The first call asks about all needs, so before it there is nothing to do but to write down that the refusal is known:
    times go on from there.
    """
    if call is None:
        return unknown(event.referral_id)
    told = {need.need_id for need in call.needs if need.said_at and need.said_at >= event.declined_at}
    back = [need_id for need_id in event.need_ids if call.wants(need_id) and need_id not in told]
    if not back:
        return call
    if call.state is CallState.AWAITING:
        return replace(call)
    known = {need.need_id for need in call.needs}
    returned = replace(
        call,
        needs=(
            *(replace(n, open=True) if n.need_id in back else n for n in call.needs),
            *(CallNeed(need_id, event.code) for need_id in back if need_id not in known),
        ),
    )
    if call.state in LIVE:
        return returned
    return _new_round(returned, uuid5(event.escalation_id, "welfare-call"), now)


def _new_round(call: WelfareCall, call_id: UUID, now: datetime) -> WelfareCall:
    opened = replace(
        call, call_id=call_id, attempts=0, misses=0, claimed_by=None, claim_expires_at=None, ended=False
    )
    if call.hub_id is None:  # its assignment makes the call due
        return replace(opened, state=CallState.AWAITING)
    return replace(opened, state=CallState.DUE, not_before=now, due_at=now + FOLLOW_UP_WITHIN[call.priority])


def withdraw(call: WelfareCall | None, referral_id: UUID) -> WelfareCall:
    """The resident wants no help: nobody calls any more, whatever turns up."""
    call = call or unknown(referral_id)
    return call if call.withdrawn else replace(_over(call), withdrawn=True)


def close(call: WelfareCall | None, event: ReferralClosed) -> WelfareCall:
    """The needs that the event lists are settled: nobody calls about them.

    One that it does not list turned up when intake had closed the referral already: it goes on, and the referral with it.
    """
    call = call or unknown(event.referral_id)
    listed = frozenset(need.need_id for need in event.needs)
    settled = replace(
        call,
        closed_needs=call.closed_needs | listed,
        needs=tuple(replace(n, open=False) if n.need_id in listed else n for n in call.needs),
    )
    closed = settled if any(map(settled.wants, (n.need_id for n in call.needs))) else _over(settled)
    return call if closed == call else closed


def _over(call: WelfareCall) -> WelfareCall:
    live = call.state in LIVE or call.state is CallState.AWAITING
    return replace(
        call,
        ended=True,
        state=CallState.CANCELLED if live else call.state,
        claimed_by=None,
        claim_expires_at=None,
    )


def claim(call: WelfareCall, caller: str, now: datetime) -> WelfareCall:
    """The caller takes the call for CLAIM_FOR. Claiming one's own call again changes nothing.

    A call may be claimed before its slot: the resident may have rung back. Raises NotAllowedError.
    """
    match call.state:
        case CallState.DUE | CallState.UNANSWERED:
            return replace(call, state=CallState.CLAIMED, claimed_by=caller, claim_expires_at=now + CLAIM_FOR)
        case CallState.CLAIMED if call.claimed_by == caller:
            return call
        case CallState.CLAIMED:
            raise NotAllowedError("claimed-by-other", "Somebody else has claimed this call.")
        case _:
            raise NotAllowedError("call-settled", f"There is nobody to call: the call is {call.state.value}.")


def lapse(call: WelfareCall, now: datetime) -> WelfareCall:
    """A claim that ran out without a report is nobody's again."""
    if call.state is not CallState.CLAIMED or call.claim_expires_at is None or call.claim_expires_at > now:
        return call
    return replace(call, state=call.waiting, claimed_by=None, claim_expires_at=None)
