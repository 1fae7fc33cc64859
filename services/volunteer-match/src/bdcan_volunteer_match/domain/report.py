"""What a caller reports after a welfare call, and what follows from it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID, uuid5

from msgspec import Struct
from msgspec.structs import replace

from bdcan_chassis.calendar import Calendar
from bdcan_chassis.step import Step
from bdcan_contracts.envelope import Problem
from bdcan_contracts.models import (
    CallCorrections,
    CalledNeed,
    CallNeedResult,
    Household,
    Lane,
    Need,
    Priority,
    WelfareCallCompleted,
    WelfareCallExhausted,
    WelfareCallUnanswered,
)
from bdcan_contracts.vocabulary import NEEDS, CallOutcome, Flag, NeedCode, Reason
from bdcan_volunteer_match.domain.call import (
    UNCLAIMED,
    CallNeed,
    CallState,
    Said,
    WelfareCall,
    hold,
    looked_at,
    moved,
    must_not_wait_for_a_person,
    welfare_concern,
)
from bdcan_volunteer_match.domain.errors import FindingsError, NotAllowedError
from bdcan_volunteer_match.domain.ladder import CALLS_IN_LADDER, MOST_ATTEMPTS, next_slot

FURTHEST_AHEAD = timedelta(days=14)
"""How far ahead a resident may put a call off. Beyond that, the referral would be forgotten."""

_WINDOW = timedelta(hours=1)

_KNOWN = frozenset(map(str, Flag))

_NOT_SAID = frozenset({Flag.NO_PHONE, Flag.NO_POSTCODE, Flag.DETAILS_UNCLEAR, Flag.NO_CONSENT})
"""Flags that intake sets by itself. A caller says `consent` instead of the last."""


class Finding(Struct, frozen=True):
    """What the resident said about one need. Without `need_id`, `code` names it, or the need is new."""

    code: str
    result: CallNeedResult
    need_id: UUID | None = None
    place: int | None = None
    """Where it stands in the report, if the report is about several referrals."""


class Answer(Struct, frozen=True):
    """What the resident said. All but the findings are None where nobody asked; `diets` and `flags` are all of them."""

    findings: tuple[Finding, ...] = ()
    household: Household | None = None
    diets: tuple[str, ...] | None = None
    flags: tuple[str, ...] | None = None
    priority: Priority | None = None
    consent: bool | None = None


def answered(
    call: WelfareCall,
    caller: str,
    answer: Answer,
    now: datetime,
    outcome: CallOutcome = CallOutcome.ANSWERED,
) -> Step[WelfareCall]:
    """The resident was reached. A need that the report does not name is confirmed.

    Raises NotAllowedError without a claim, and FindingsError for findings that do not fit the referral.
    """
    hub_id = _must_have_claimed(call, caller)
    called = _called_needs(call, answer.findings)
    by_id = {
        n.need_id: CallNeed(n.need_id, n.code, n.lane, open=False, said_in=call.call_id, result=n.result)
        for n in called
    }
    settled = replace(
        call,
        state=CallState.ANSWERED,
        attempts=call.attempts + 1,
        needs=(*(n for n in call.needs if n.need_id not in by_id), *by_id.values()),
        household=answer.household or call.household,
        diets=call.diets if answer.diets is None else answer.diets,
        flags=_flags_after(call, answer),
        priority=answer.priority or call.priority,
        last=Said(outcome, caller, now, call.misses, call.not_before, call.due_at),
        **UNCLAIMED,
    )
    return looked_at(
        call,
        settled,
        now,
        WelfareCallCompleted(
            referral_id=call.referral_id,
            call_id=call.call_id,
            hub_id=hub_id,
            attempt=settled.attempts,
            needs=tuple(called),
            household=settled.household,
            diets=settled.diets,
            priority=settled.priority,
            corrections=_corrections(call, settled, answer),
            completed_at=now,
        ),
    )


def refused(call: WelfareCall, caller: str, now: datetime) -> Step[WelfareCall]:
    """The resident was reached and wants no help: every need is declined. Raises NotAllowedError."""
    findings = tuple(Finding(n.code, CallNeedResult.DECLINED, n.need_id) for n in call.asks)
    return answered(call, caller, Answer(findings), now, CallOutcome.REFUSED)


def _flags_after(call: WelfareCall, answer: Answer) -> tuple[str, ...]:
    """The flags as the resident said them. Those stay that a caller cannot know: intake's own, and of a newer release."""
    flags = call.flags
    if answer.flags is not None:
        kept = [f for f in call.flags if f in _NOT_SAID or f not in _KNOWN]
        flags = tuple(dict.fromkeys((*answer.flags, *kept)))
    if answer.consent is None or answer.consent == (Flag.NO_CONSENT not in flags):
        return flags
    return tuple(f for f in flags if f != Flag.NO_CONSENT) if answer.consent else (*flags, Flag.NO_CONSENT)


def _corrections(call: WelfareCall, settled: WelfareCall, answer: Answer) -> CallCorrections | None:
    """What differs from what was known, for intake to amend the referral by; None where nothing does."""
    consent = answer.consent if answer.consent is False or Flag.NO_CONSENT in call.flags else None
    said = {
        "household": settled.household if settled.household != call.household else None,
        "diets": settled.diets if set(settled.diets) != set(call.diets) else None,
        "flags": settled.flags if set(settled.flags) != set(call.flags) else None,
        "priority": settled.priority if settled.priority is not call.priority else None,
        "consent": consent,
    }
    given = {field: value for field, value in said.items() if value is not None}
    return CallCorrections(amendment_version=call.amendment_version, **given) if given else None


def counts(call: WelfareCall, outcome: str, now: datetime, calendar: Calendar) -> bool:
    """Whether a call that reached nobody counts as an attempt: in its slot, and at an hour at which people may be rung.

    A wrong number is wrong before its slot, too.
    """
    in_slot = call.not_before is None or call.not_before <= now or outcome == CallOutcome.WRONG_NUMBER
    return in_slot and calendar.may_ring(now)


def unanswered(
    call: WelfareCall,
    caller: str,
    outcome: str,
    put_off_to: datetime | None,
    now: datetime,
    calendar: Calendar,
) -> Step[WelfareCall]:
    """The resident was not reached, or asked for another time.

    `put_off_to` is that time; such a call takes no rung of the ladder. An attempt that does not count only ends the claim.
    A wrong number ends the round: more calls to it reach nobody. Where nobody ever learned what is needed, the welfare
    concern itself becomes the need. After the last attempt a person of the hub must look. Raises NotAllowedError,
    FindingsError.
    """
    hub_id = _must_have_claimed(call, caller)
    rescheduled = outcome == CallOutcome.RESCHEDULED
    _check_put_off(rescheduled, put_off_to, now)
    counted = counts(call, outcome, now, calendar)
    attempts, misses = call.attempts + counted, call.misses + (counted and not rescheduled)
    last = Said(outcome, caller, now, call.misses, call.not_before, call.due_at)
    tried = replace(call, attempts=attempts, misses=misses, last=last, **UNCLAIMED)
    if not counted and not rescheduled:
        begins = max(call.not_before or now, calendar.next_calling(now))
        due_at = max(call.due_at or begins, begins + _WINDOW)
        return moved(call, replace(tried, state=tried.waiting, not_before=begins, due_at=due_at))
    if outcome == CallOutcome.WRONG_NUMBER or misses >= CALLS_IN_LADDER or attempts >= MOST_ATTEMPTS:
        asked = call.asks or (
            CallNeed(welfare_concern(call.referral_id), NeedCode.SAFEGUARDING_ADULT, Lane.SAFEGUARDING),
        )
        reported = {need.need_id: replace(need, said_in=call.call_id, given_back=False) for need in asked}
        others = tuple(need for need in call.needs if need.need_id not in reported)
        return hold(
            call,
            replace(tried, state=CallState.EXHAUSTED, needs=(*others, *reported.values())),
            Reason.NOT_REACHED,
            now,
            WelfareCallExhausted(
                referral_id=call.referral_id,
                call_id=call.call_id,
                hub_id=hub_id,
                attempts=attempts,
                needs=tuple(Need(need_id=n.need_id, code=n.code, lane=n.lane) for n in asked),
                exhausted_at=now,
            ),
        )
    begins, ends = (put_off_to, put_off_to + _WINDOW) if put_off_to else next_slot(now, calendar)
    if not counted:  # the resident answered, and asked for another time
        return moved(call, replace(tried, state=tried.waiting, not_before=begins, due_at=ends))
    return moved(
        call,
        replace(tried, state=CallState.UNANSWERED, not_before=begins, due_at=ends),
        WelfareCallUnanswered(
            referral_id=call.referral_id,
            call_id=call.call_id,
            hub_id=hub_id,
            attempt=attempts,
            outcome=outcome,
            next_attempt_at=begins,
            due_at=ends,
        ),
    )


def _must_have_claimed(call: WelfareCall, caller: str) -> str:
    must_not_wait_for_a_person(call)
    if call.state is not CallState.CLAIMED:
        if call.state in (CallState.DUE, CallState.UNANSWERED):
            raise NotAllowedError(
                "not-claimed", "Claim the call first: you have no claim, or it has run out."
            )
        raise NotAllowedError("call-settled", f"The call is {call.state.value} already.")
    if call.claimed_by != caller or call.hub_id is None:
        raise NotAllowedError("claimed-by-other", "Somebody else has claimed this call.")
    return call.hub_id


def _check_put_off(rescheduled: bool, put_off_to: datetime | None, now: datetime) -> None:
    message = None
    if rescheduled and put_off_to is None:
        message = "is required when the call is put off"
    elif put_off_to is not None and not rescheduled:
        message = "is for calls that are put off; otherwise the ladder decides"
    elif put_off_to is not None and not now < put_off_to <= now + FURTHEST_AHEAD:
        message = f"must lie ahead, by {FURTHEST_AHEAD.days} days at most"
    if message:
        raise FindingsError([Problem("next_attempt_at", "next-attempt", message)])


def _called_needs(call: WelfareCall, findings: Sequence[Finding]) -> list[CalledNeed]:
    asked = {need.need_id: need for need in call.asks}
    called: dict[UUID, CalledNeed] = {}
    problems: list[Problem] = []
    for position, finding in enumerate(findings):
        place = position if finding.place is None else finding.place
        field = f"needs.{place}"
        if finding.result is CallNeedResult.FOUND:
            if finding.need_id is not None:
                problems.append(
                    Problem(f"{field}.need_id", "not-wanted", "must be absent: a new need gets its id here")
                )
            need_id = uuid5(call.call_id, f"found-{place}")
        else:
            matching = [
                n.need_id for n in asked.values() if n.code == finding.code and n.need_id not in called
            ]
            named = finding.need_id or (matching[0] if matching else None)
            if named is None or named not in asked:
                problems.append(
                    Problem(f"{field}.need_id", "unknown", "is not a need that this call asks about")
                )
                continue
            need_id = named
            changed = asked[need_id].code != finding.code
            if changed and finding.result is not CallNeedResult.CHANGED:
                problems.append(
                    Problem(
                        f"{field}.code",
                        "differs",
                        "is another code than the need has: report it as `changed`",
                    )
                )
        lane = _lane_of(finding.code, asked.get(need_id))
        if lane is None:
            known = ", ".join(NEEDS)
            problems.append(Problem(f"{field}.code", "unknown-code", f"is not known: choose one of {known}"))
            continue
        if need_id in called:
            problems.append(Problem(f"{field}.need_id", "twice", "is reported twice"))
        called[need_id] = CalledNeed(need_id=need_id, code=finding.code, lane=lane, result=finding.result)
    if problems:
        raise FindingsError(problems)
    for need in asked.values():
        if need.need_id not in called:
            called[need.need_id] = CalledNeed(
                need_id=need.need_id, code=need.code, lane=need.lane, result=CallNeedResult.CONFIRMED
            )
    return list(called.values())


def _lane_of(code: str, asked: CallNeed | None) -> Lane | None:
    """The lane of a need that the resident spoke of. A newer intake may ask about a code that is not known here."""
    if asked is not None and asked.code == code:
        return asked.lane
    known = NEEDS.get(code)
    return known and known.lane
