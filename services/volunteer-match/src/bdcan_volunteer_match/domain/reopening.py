"""What people change about a call that is over: undo what was reported, ring again, or decide what else to do."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from uuid import uuid5

from msgspec.structs import replace

from bdcan_chassis.step import Step
from bdcan_contracts.models import CallNeedResult, WelfareCallReopened
from bdcan_contracts.vocabulary import Reason
from bdcan_volunteer_match.domain.call import (
    NO_REVIEW,
    REVIEW_WITHIN,
    STOPS,
    CallNeed,
    CallState,
    WelfareCall,
    looked_at,
    moved,
    new_round,
)
from bdcan_volunteer_match.domain.errors import NotAllowedError

UNDO_FOR = timedelta(minutes=30)
"""How long a report can be undone without a reason."""


class Decision(StrEnum):
    """What a person decides about a referral at which they must look.

    `ring`: another round of calls. `visit`: a volunteer knocks at the door, and the person looks again afterwards.
    `with-council`: Community Solutions has the welfare concern, and the hub leaves it there. `hold`: somebody allowed to
    ring by a slip, and nobody may.
    """

    RING = "ring"
    VISIT = "visit"
    WITH_COUNCIL = "with-council"
    HOLD = "hold"


DECISIONS: Mapping[str, frozenset[Decision]] = MappingProxyType(
    {
        Reason.NOT_REACHED: frozenset(Decision) - {Decision.HOLD},
        Reason.NO_CONSENT: frozenset({Decision.RING}),
        Reason.DECEASED: frozenset({Decision.RING}),
    }
)
"""Why a person must look → what they may decide. A referral that must end is withdrawn at intake."""


def undo(call: WelfareCall, now: datetime) -> Step[WelfareCall]:
    """The last report was a slip: it no longer counts. Raises NotAllowedError.

    A missed call gets its slot back. After an answer, or the last attempt, the resident is rung again.
    """
    last = call.last
    if last is None or call.state is CallState.CLAIMED:
        raise NotAllowedError("nothing-to-undo", "There is no report of this call to undo.")
    if now > last.said_at + UNDO_FOR:
        minutes = int(UNDO_FOR.total_seconds() // 60)
        raise NotAllowedError(
            "too-late", f"A report can be undone for {minutes} minutes. Reopen the call with a reason."
        )
    if call.state not in (CallState.DUE, CallState.UNANSWERED):
        return reopen(call, Reason.OUTCOME_UNDONE, now)
    hub_id, due_at = call.hub_id, last.due_at
    if hub_id is None or due_at is None:
        return Step(call)
    back = replace(call, misses=last.misses, not_before=last.not_before, due_at=due_at, last=None)
    told = WelfareCallReopened(
        referral_id=call.referral_id,
        call_id=call.call_id,
        previous_call_id=call.call_id,
        hub_id=hub_id,
        reason=Reason.OUTCOME_UNDONE,
        due_at=due_at,
        reopened_at=now,
    )
    return moved(call, back, told)


def reopen(call: WelfareCall, reason: str, now: datetime) -> Step[WelfareCall]:
    """Ring again about the needs of the last call. Raises NotAllowedError unless the call is over.

    Intake has ended a need that was declined, and an end is final: the next call asks about it as a need of its own.
    """
    over = call.state in (CallState.ANSWERED, CallState.EXHAUSTED)
    if call.withdrawn or not over or call.hub_id is None:
        raise NotAllowedError(
            "not-over", f"This call cannot be reopened: it is {call.state.value}. See the list of calls."
        )
    call_id = uuid5(call.call_id, "again")

    def again(need: CallNeed) -> CallNeed:
        if need.said_in != call.call_id:
            return need
        declined = need.result is CallNeedResult.DECLINED
        return replace(
            need,
            need_id=uuid5(call_id, str(need.need_id)) if declined else need.need_id,
            open=declined or call.wants(need.need_id),
            said_in=None,
            result=None,
        )

    opened = new_round(replace(call, needs=tuple(map(again, call.needs))), call_id, now)
    told = WelfareCallReopened(
        referral_id=call.referral_id,
        call_id=call_id,
        previous_call_id=call.call_id,
        hub_id=call.hub_id,
        reason=reason,
        due_at=opened.due_at or now,
        reopened_at=now,
    )
    return looked_at(call, opened, now, told)


def decide(call: WelfareCall, decision: Decision, now: datetime) -> Step[WelfareCall]:
    """A person has looked at the referral. Raises NotAllowedError where nobody must look, or may decide so."""
    if decision is Decision.HOLD and call.cleared and call.review is None:
        return looked_at(call, replace(call, cleared=()), now)
    if call.review is None:
        raise NotAllowedError("nothing-to-decide", "Nobody needs to look at this referral.")
    allowed = DECISIONS.get(call.review, frozenset())
    if decision not in allowed:
        choices = ", ".join(sorted(allowed))
        raise NotAllowedError(
            "wrong-decision",
            f"{call.review} allows: {choices}. If nobody may help at all, withdraw the referral at intake.",
        )
    match decision:
        case Decision.RING if call.review == Reason.NOT_REACHED:
            return reopen(call, Reason.NOT_REACHED, now)
        case Decision.RING:
            cleared = tuple(sorted({*call.cleared, *(flag for flag in call.flags if flag in STOPS)}))
            return looked_at(call, replace(call, cleared=cleared), now)
        case Decision.VISIT:
            review_by = now + REVIEW_WITHIN[call.priority]
            return moved(call, replace(call, review_by=review_by, review_overdue=False))
        case Decision.HOLD:
            return Step(call)
        case Decision.WITH_COUNCIL:
            return moved(call, replace(call, **NO_REVIEW))
