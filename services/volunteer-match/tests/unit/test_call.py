"""The welfare calls of one referral."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from volunteer_match_story import CALENDAR, amended, assigned, closed, declined, need, reassigned

from bdcan_chassis.step import Step
from bdcan_chassis.testing.harness import START
from bdcan_contracts.models import (
    CallNeedResult,
    EscalationDeclined,
    NeedState,
    WelfareCallExhausted,
    WelfareCallHeld,
    WelfareCallUnanswered,
)
from bdcan_contracts.vocabulary import CallOutcome, NeedCode
from bdcan_volunteer_match.domain.call import (
    CLAIM,
    CLAIM_FOR,
    CallState,
    WelfareCall,
    amend,
    assign,
    claim,
    close,
    give_back,
    lapse,
    welfare_concern,
    withdraw,
)
from bdcan_volunteer_match.domain.errors import FindingsError, NotAllowedError
from bdcan_volunteer_match.domain.report import Answer, Finding, answered, refused, unanswered

ANNA, BEN = "anna", "ben"
LATER = START + timedelta(minutes=20)


def told(step: Step[WelfareCall]) -> tuple[WelfareCall, Any]:
    """The state, and the one event beside the news that a person must look."""
    [event] = [e for e in step.events if not isinstance(e, WelfareCallHeld)]
    return step.state, event


def due(**more) -> WelfareCall:
    return assign(None, assigned(**more)).state


def claimed(**more) -> WelfareCall:
    return claim(due(**more), ANNA, START).state


def answer_of(call: WelfareCall) -> WelfareCall:
    return answered(claim(call, ANNA, START).state, ANNA, Answer(), START).state


def missed(call: WelfareCall, outcome: CallOutcome, now: datetime = LATER) -> WelfareCall:
    return unanswered(call, ANNA, outcome, None, now, CALENDAR).state


def test_an_assignment_makes_one_call_due_when_the_contact_is_due() -> None:
    event = assigned()
    call = assign(None, event).state
    assert (call.state, call.due_at, call.hub_id) == (CallState.DUE, event.contact_due_at, "thames")
    assert [n.need_id for n in call.asks] == [n.need_id for n in event.needs]


def test_the_same_assignment_again_changes_nothing() -> None:
    event = assigned()
    call = assign(None, event).state
    assert assign(call, event) == Step(call)


def test_a_reassignment_moves_the_call_and_ends_the_old_hubs_claim() -> None:
    event = assigned()
    held = claim(assign(None, event).state, ANNA, START).state
    step = assign(held, reassigned(event, "heath"))
    call = step.state
    assert (call.state, call.hub_id, call.claimed_by) == (CallState.DUE, "heath", None)
    assert step.deadlines == {CLAIM: None}


def test_older_news_of_an_assignment_changes_nothing() -> None:
    event = assigned()
    moved = assign(assign(None, event).state, reassigned(event, "heath", version=3)).state
    assert assign(moved, reassigned(event, "valence", version=2)) == Step(moved)


def test_a_withdrawal_before_the_assignment_leaves_nobody_to_call() -> None:
    event = assigned()
    gone = withdraw(None, event.referral_id).state
    assert assign(gone, event).state.state is CallState.CANCELLED


def test_an_amendment_before_the_assignment_decides_what_the_call_asks() -> None:
    event, fresh = assigned(), need(NeedCode.PRESCRIPTION)
    call = assign(amend(None, amended(event.referral_id, (fresh,))).state, event).state
    assert [n.code for n in call.asks] == [NeedCode.PRESCRIPTION]


def test_a_need_added_after_the_call_gets_a_call_of_its_own() -> None:
    event, fresh = assigned(), need(NeedCode.TRANSPORT)
    call = answer_of(assign(None, event).state)
    again = amend(call, amended(event.referral_id, (*event.needs, fresh))).state
    assert again.state is CallState.DUE
    assert again.call_id != call.call_id
    assert [n.need_id for n in again.asks] == [fresh.need_id]


def test_an_amendment_keeps_a_need_that_a_call_found() -> None:
    event = assigned()
    answer = Answer((Finding(NeedCode.SHOPPING, CallNeedResult.FOUND),))
    call = answered(claim(assign(None, event).state, ANNA, START).state, ANNA, answer, START).state
    kept = amend(call, amended(event.referral_id, event.needs)).state
    assert NeedCode.SHOPPING in {n.code for n in kept.needs}
    assert kept.state is CallState.ANSWERED


def test_a_claim_keeps_others_out_until_it_lapses() -> None:
    step = claim(due(), ANNA, START)
    call = step.state
    assert step.deadlines == {CLAIM: START + CLAIM_FOR}
    with pytest.raises(NotAllowedError, match="Somebody else"):
        claim(call, BEN, LATER)
    assert claim(call, ANNA, LATER) == Step(call)
    assert lapse(call, LATER) == Step(call)
    free = lapse(call, START + CLAIM_FOR).state
    assert claim(free, BEN, LATER).state.claimed_by == BEN


def test_only_who_has_claimed_a_call_reports_it() -> None:
    with pytest.raises(NotAllowedError, match="Claim the call first"):
        answered(due(), ANNA, Answer(), START)
    with pytest.raises(NotAllowedError, match="Somebody else"):
        answered(claimed(), BEN, Answer(), START)


def test_needs_that_the_report_does_not_name_are_confirmed() -> None:
    shopping, food = need(NeedCode.SHOPPING), need(NeedCode.FOOD_PARCEL)
    answer = Answer((Finding(NeedCode.SHOPPING, CallNeedResult.DECLINED),))
    call, event = told(answered(claimed(needs=(shopping, food)), ANNA, answer, LATER))
    assert {n.need_id: n.result for n in event.needs} == {
        shopping.need_id: CallNeedResult.DECLINED,
        food.need_id: CallNeedResult.CONFIRMED,
    }
    assert call.asks == ()


def test_two_needs_of_one_code_are_told_apart_in_order() -> None:
    first, second = need(NeedCode.ERRAND), need(NeedCode.ERRAND)
    answer = Answer(
        (
            Finding(NeedCode.ERRAND, CallNeedResult.DECLINED),
            Finding(NeedCode.ERRAND, CallNeedResult.CONFIRMED),
        )
    )
    _, event = told(answered(claimed(needs=(first, second)), ANNA, answer, LATER))
    assert [(n.need_id, n.result) for n in event.needs] == [
        (first.need_id, CallNeedResult.DECLINED),
        (second.need_id, CallNeedResult.CONFIRMED),
    ]


def test_a_report_that_does_not_fit_names_every_fault_at_once() -> None:
    errand = need(NeedCode.ERRAND)
    answer = Answer(
        (
            Finding(NeedCode.SHOPPING, CallNeedResult.CONFIRMED, errand.need_id),
            Finding(NeedCode.SHOPPING, CallNeedResult.CONFIRMED, uuid4()),
            Finding(NeedCode.DEBT, CallNeedResult.FOUND, uuid4()),
            Finding(NeedCode.ERRAND, CallNeedResult.CONFIRMED, errand.need_id),
        )
    )
    with pytest.raises(FindingsError) as refusal:
        answered(claimed(needs=(errand,)), ANNA, answer, LATER)
    assert [(e.field, e.code) for e in refusal.value.errors] == [
        ("needs.0.code", "differs"),
        ("needs.1.need_id", "unknown"),
        ("needs.2.need_id", "not-wanted"),
        ("needs.3.need_id", "twice"),
    ]


def test_a_resident_who_wants_no_help_has_declined_every_need() -> None:
    call, event = told(refused(claimed(needs=(need(), need(NeedCode.DEBT))), ANNA, LATER))
    assert call.state is CallState.ANSWERED
    assert {n.result for n in event.needs} == {CallNeedResult.DECLINED}


def test_four_missed_calls_exhaust_the_ladder_with_all_open_needs() -> None:
    call, now = due(), START
    for _ in range(3):
        held = claim(call, ANNA, now).state
        call, event = told(unanswered(held, ANNA, CallOutcome.NO_ANSWER, None, now, CALENDAR))
        assert call.state is CallState.UNANSWERED
        assert isinstance(event, WelfareCallUnanswered)
        assert call.not_before == event.next_attempt_at > now
        assert call.due_at == event.due_at, "others count the call late when we do"
        now = event.next_attempt_at
    held = claim(call, ANNA, now).state
    call, event = told(unanswered(held, ANNA, CallOutcome.VOICEMAIL, None, now, CALENDAR))
    assert call.state is CallState.EXHAUSTED
    assert isinstance(event, WelfareCallExhausted)
    assert (event.attempts, len(event.needs)) == (4, 1)
    assert now - START <= timedelta(hours=24)


def test_a_wrong_number_exhausts_at_once() -> None:
    call, event = told(unanswered(claimed(), ANNA, CallOutcome.WRONG_NUMBER, None, LATER, CALENDAR))
    assert call.state is CallState.EXHAUSTED
    assert isinstance(event, WelfareCallExhausted)
    assert event.attempts == 1


def test_a_call_that_is_put_off_takes_no_rung_of_the_ladder() -> None:
    when = START + timedelta(days=2)
    call, event = told(unanswered(claimed(), ANNA, CallOutcome.RESCHEDULED, when, LATER, CALENDAR))
    assert isinstance(event, WelfareCallUnanswered)
    assert (call.misses, call.attempts, event.next_attempt_at) == (0, 1, when)


def test_a_call_cannot_be_put_off_for_ever() -> None:
    call, now = due(), START
    for place in range(20):
        assert call.state is not CallState.EXHAUSTED
        now = START + timedelta(hours=place % 10, days=place // 10)
        held, then = claim(call, ANNA, now).state, now + timedelta(minutes=30)
        call = unanswered(held, ANNA, CallOutcome.RESCHEDULED, then, now, CALENDAR).state
    assert call.state is CallState.EXHAUSTED


@pytest.mark.parametrize(
    ("outcome", "when"),
    [
        (CallOutcome.RESCHEDULED, None),
        (CallOutcome.RESCHEDULED, LATER),
        (CallOutcome.RESCHEDULED, LATER + timedelta(days=15)),
        (CallOutcome.NO_ANSWER, LATER + timedelta(hours=1)),
    ],
)
def test_a_time_to_ring_again_fits_the_outcome_and_lies_ahead(outcome, when) -> None:
    with pytest.raises(FindingsError):
        unanswered(claimed(), ANNA, outcome, when, LATER, CALENDAR)


def given_back(call: WelfareCall, refusal: EscalationDeclined) -> WelfareCall:
    step = give_back(call, refusal, LATER)
    assert step is not None
    return step.state


def test_a_need_given_back_after_the_call_opens_a_new_round() -> None:
    housing, errand = need(NeedCode.HOUSING), need()
    call = answer_of(due(needs=(housing, errand)))
    refusal = declined(call.referral_id, housing.need_id, answers=[call.call_id])
    again = given_back(call, refusal)
    assert (again.state, again.attempts) == (CallState.DUE, 0)
    assert again.call_id != call.call_id
    assert [n.need_id for n in again.asks] == [housing.need_id]
    assert again.due_at == LATER + timedelta(hours=48)


@pytest.mark.parametrize("ends", ["answered", "exhausted"])
def test_a_refusal_that_does_not_answer_the_last_report_leads_to_no_call(ends: str) -> None:
    housing = need(NeedCode.HOUSING)
    if ends == "answered":
        call = answer_of(due(needs=(housing,)))
    else:
        call = missed(claimed(needs=(housing,)), CallOutcome.WRONG_NUMBER, START)
    overtaken = declined(call.referral_id, housing.need_id, answers=[uuid4()])
    assert given_back(call, overtaken) == call
    heard = declined(call.referral_id, housing.need_id, answers=[uuid4(), call.call_id])
    assert given_back(call, heard).state is CallState.DUE


def test_a_refusal_before_a_missed_call_is_still_asked_about() -> None:
    housing = need(NeedCode.HOUSING)
    call = missed(claimed(needs=(housing,)), CallOutcome.NO_ANSWER)
    again = given_back(call, declined(call.referral_id, housing.need_id))
    assert [n.need_id for n in again.asks] == [housing.need_id]
    assert again.state is CallState.UNANSWERED


def test_a_need_given_back_joins_the_call_that_is_due() -> None:
    call, found = due(), uuid4()
    again = given_back(call, declined(call.referral_id, found))
    assert again.call_id == call.call_id
    assert found in {n.need_id for n in again.asks}


def test_a_need_given_back_after_a_withdrawal_leads_to_no_call() -> None:
    call = withdraw(due(), due().referral_id).state
    assert given_back(call, declined(call.referral_id)) == call


def test_a_concern_given_back_after_the_closing_is_asked_about() -> None:
    # a volunteer raised it with her last task: intake had closed the referral before it heard
    errand, concern = need(), uuid4()
    call = answer_of(due(needs=(errand,)))
    over = close(call, closed(call.referral_id, errand.need_id)).state
    again = given_back(over, declined(call.referral_id, concern))
    assert (again.state, again.ended) == (CallState.DUE, False)
    assert [n.need_id for n in again.asks] == [concern]
    in_the_other_order = close(again, closed(call.referral_id, errand.need_id)).state
    assert in_the_other_order.state is CallState.DUE
    end = close(again, closed(call.referral_id, errand.need_id, concern)).state
    assert (end.state, end.ended) == (CallState.CANCELLED, True)


def test_a_need_that_a_closing_lists_is_not_asked_about_again() -> None:
    housing = need(NeedCode.HOUSING)
    call = answer_of(due(needs=(housing,)))
    over = close(call, closed(call.referral_id, housing.need_id)).state
    assert given_back(over, declined(call.referral_id, housing.need_id, answers=[call.call_id])) == over


def test_a_need_added_to_a_reopened_referral_leads_to_a_call() -> None:
    event, fresh = assigned(), need(NeedCode.TRANSPORT)
    listed = [n.need_id for n in event.needs]
    over = close(answer_of(assign(None, event).state), closed(event.referral_id, *listed)).state
    again = amend(over, amended(event.referral_id, (fresh,))).state
    assert (again.state, again.ended) == (CallState.DUE, False)
    assert [n.need_id for n in again.asks] == [fresh.need_id]


def test_the_end_of_a_referral_ends_its_call_whatever_its_state() -> None:
    for call in (due(), claimed(), missed(claimed(), CallOutcome.NO_ANSWER)):
        closing = closed(call.referral_id, *(n.need_id for n in call.needs))
        assert withdraw(call, call.referral_id).state.state is CallState.CANCELLED
        assert close(call, closing).state.state is CallState.CANCELLED
    settled = answer_of(due())
    gone = withdraw(settled, settled.referral_id).state
    assert (gone.state, gone.ended) == (CallState.ANSWERED, True)


@pytest.mark.parametrize("closed_first", [True, False])
def test_need_that_is_given_back_after_the_closing_is_rung_about_again(closed_first: bool) -> None:
    housing = need(NeedCode.HOUSING)
    call = answer_of(due(needs=(housing,)))
    closing = closed(call.referral_id, housing.need_id, state=NeedState.REFERRED_ON)
    refusal = declined(call.referral_id, housing.need_id, answers=[call.call_id])
    if closed_first:
        again = given_back(close(call, closing).state, refusal)
    else:
        again = close(given_back(call, refusal), closing).state
    assert again.state is CallState.DUE
    assert [n.need_id for n in again.asks] == [housing.need_id]


def test_a_refusal_of_an_unknown_referral_is_left_to_its_first_call() -> None:
    assert give_back(None, declined(uuid4()), LATER) is None


def test_a_welfare_concern_is_a_need_where_nothing_is_known() -> None:
    step = unanswered(claimed(needs=()), ANNA, CallOutcome.WRONG_NUMBER, None, START, CALENDAR)
    event, held = step.events
    assert isinstance(event, WelfareCallExhausted)
    assert isinstance(held, WelfareCallHeld)
    [concern] = event.needs
    assert (concern.need_id, concern.code) == (
        welfare_concern(step.state.referral_id),
        NeedCode.SAFEGUARDING_ADULT,
    )
    refusal = declined(step.state.referral_id, concern.need_id, answers=[step.state.call_id])
    assert [need.need_id for need in given_back(step.state, refusal).asks] == [concern.need_id]
