"""One call for several referrals: the same person asked twice, or two people of one household asked.

Intake links such referrals and keeps them all; each keeps its own row, round and deadline, so that none is forgotten when
another one ends. Referrals of one hub share a call while each of them has a call to be made: whoever claims one claims all.
What counts for whom:

- The resident answered: for all. A need that the report does not name is confirmed, whichever referral it belongs to.
- Nobody answered, or the resident asked for another time: for all.
- The resident wants no help, or corrects facts: for the same person, not for the others of the household.
- A wrong number: for the referral whose number was dialled. The others stay on the list.

A referral that was linked after the call was claimed, or after it was made, is rung by itself; the list shows the link.
Two hubs never share a call, because neither sees the other's residents; both see the link.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from msgspec.structs import replace

from bdcan_chassis.step import Step
from bdcan_contracts.models import ReferralLinked
from bdcan_contracts.vocabulary import CallOutcome
from bdcan_volunteer_match.domain.call import LIVE, CallState, WelfareCall, claim, moved, unknown
from bdcan_volunteer_match.domain.errors import NotAllowedError
from bdcan_volunteer_match.domain.report import Answer, Finding


class Likeness(StrEnum):
    """How the residents of two referrals may belong together."""

    PERSON = "person"
    HOUSEHOLD = "household"


def link(call: WelfareCall | None, event: ReferralLinked) -> Step[WelfareCall]:
    """Intake links the referral with others, or takes a link away. The event names all that hold now."""
    known = call or unknown(event.referral_id)
    if known.linked_at is not None and event.linked_at < known.linked_at:
        return Step(known)
    return moved(
        call,
        replace(
            known,
            same_person_ids=event.same_person_ids,
            same_household_ids=event.same_household_ids,
            linked_at=event.linked_at,
        ),
    )


def linked(one: WelfareCall, other: WelfareCall) -> bool:
    """Whether either names the other: the two events of a link come at different times."""
    return other.referral_id in one.linked_ids or one.referral_id in other.linked_ids


def shares_call(call: WelfareCall, other: WelfareCall) -> bool:
    """Whether a call about one may be about the other, too: both wait for a call of the same hub."""
    waits = other.state in (CallState.DUE, CallState.UNANSWERED) and other.review is None
    return waits and other.hub_id == call.hub_id and linked(call, other)


def claim_all(
    call: WelfareCall, others: Sequence[WelfareCall], caller: str, now: datetime
) -> list[Step[WelfareCall]]:
    """The caller takes the call, and with it all that share it. Raises NotAllowedError.

    Nobody rings a person of whom another request says that they may have died, or do not agree to be contacted.
    """
    stopped = next(
        (o for o in others if same_person(call, o) and o.stopped_by is not None and o.review is not None),
        None,
    )
    if stopped is not None and call.state in LIVE:
        raise NotAllowedError(
            "person-must-look",
            "Do not ring: another referral may be about the same person, and a coordinator must look at it first "
            f"({stopped.stopped_by}; referral {stopped.referral_id}).",
        )
    mine = claim(call, caller, now)
    sharing = [other for other in others if shares_call(call, other)]
    if not sharing:
        return [mine]
    taken = [mine, *(claim(other, caller, now) for other in sharing)]
    leader = call.claimed_with or call.referral_id
    return [Step(replace(s.state, claimed_with=leader), s.events, s.deadlines) for s in taken]


def claimed_together(call: WelfareCall, others: Iterable[WelfareCall], caller: str) -> list[WelfareCall]:
    """The others that the caller has claimed by claiming this call, or one of them."""
    if call.claimed_with is None:
        return []
    return [o for o in others if o.claimed_with == call.claimed_with and o.claimed_by == caller]


def reported_together(call: WelfareCall, others: Iterable[WelfareCall]) -> list[WelfareCall]:
    """The others whose last report is that of this call."""
    last = call.last
    if last is None:
        return []
    return [
        o
        for o in others
        if o.last is not None and (o.last.said_at, o.last.caller) == (last.said_at, last.caller)
    ]


def counts_for(call: WelfareCall, other: WelfareCall, outcome: str) -> bool:
    """Whether what came of the call of one referral counts for the other."""
    match outcome:
        case CallOutcome.WRONG_NUMBER:
            return False
        case CallOutcome.REFUSED:
            return same_person(call, other)
        case _:
            return True


def answers_of(
    call: WelfareCall, others: Sequence[WelfareCall], answer: Answer
) -> list[tuple[WelfareCall, Answer]]:
    """Each referral with its part of what the resident said; this call's comes first.

    A finding goes to the referral whose need it names, by id or else by code. A new need goes to the first.
    """
    theirs: dict[UUID, list[Finding]] = {other.referral_id: [] for other in others}
    mine: list[Finding] = []
    for finding in answer.findings:
        owner = _owner(finding, others) if not _names(finding, call) else None
        (mine if owner is None else theirs[owner.referral_id]).append(finding)
    parts = [(call, replace(answer, findings=tuple(mine)))]
    for other in others:
        facts = answer if same_person(call, other) else Answer()
        parts.append((other, replace(facts, findings=tuple(theirs[other.referral_id]))))
    return parts


def _owner(finding: Finding, others: Iterable[WelfareCall]) -> WelfareCall | None:
    return next((other for other in others if _names(finding, other)), None)


def _names(finding: Finding, call: WelfareCall) -> bool:
    if finding.need_id is not None:
        return any(need.need_id == finding.need_id for need in call.asks)
    return any(need.code == finding.code for need in call.asks)


def same_person(one: WelfareCall, other: WelfareCall) -> bool:
    """Whether the two may be about one person."""
    return other.referral_id in one.same_person_ids or one.referral_id in other.same_person_ids
