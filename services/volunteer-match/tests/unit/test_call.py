"""The welfare calls of one referral."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from volunteer_match_story import amended, assigned, closed, declined, need, reassigned

from bdcan_chassis.testing.harness import START
from bdcan_contracts.models import (
    CallNeedResult,
    NeedCode,
    UnansweredOutcome,
    WelfareCallExhausted,
    WelfareCallUnanswered,
)
from bdcan_volunteer_match.domain.call import (
    CLAIM_FOR,
    CallState,
    WelfareCall,
    amend,
    assign,
    claim,
    close,
    give_back,
    lapse,
    withdraw,
)
from bdcan_volunteer_match.domain.errors import FindingsError, NotAllowedError
from bdcan_volunteer_match.domain.report import Answer, Finding, answered, refused, unanswered

ANNA, BEN = "anna", "ben"
LATER = START + timedelta(minutes=20)


def due(**more) -> WelfareCall:
    return assign(None, assigned(**more))


def claimed(**more) -> WelfareCall:
    return claim(due(**more), ANNA, START)


def test_an_assignment_makes_one_call_due_when_the_contact_is_due() -> None:
    event = assigned()
    call = assign(None, event)
    assert (call.state, call.due_at, call.hub_id) == (CallState.DUE, event.contact_due_at, "thames")
    assert [n.need_id for n in call.asks] == [n.need_id for n in event.needs]


def test_the_same_assignment_again_changes_nothing() -> None:
    event = assigned()
    call = assign(None, event)
    assert assign(call, event) is call


def test_a_reassignment_moves_the_call_and_lets_a_claim_of_the_old_hub_lapse() -> None:
    event = assigned()
    call = assign(claim(assign(None, event), ANNA, START), reassigned(event, "heath"))
    assert (call.state, call.hub_id, call.claimed_by) == (CallState.DUE, "heath", None)


def test_older_news_of_an_assignment_changes_nothing() -> None:
    event = assigned()
    moved = assign(assign(None, event), reassigned(event, "heath", version=3))
    assert assign(moved, reassigned(event, "valence", version=2)) is moved


def test_a_withdrawal_that_comes_before_the_assignment_leaves_nobody_to_call() -> None:
    event = assigned()
    gone = withdraw(None, event.referral_id)
    assert assign(gone, event).state is CallState.CANCELLED


def test_an_amendment_that_comes_before_the_assignment_is_what_the_call_asks_about() -> None:
    event, fresh = assigned(), need(NeedCode.PRESCRIPTION)
    call = assign(amend(None, amended(event.referral_id, (fresh,))), event)
    assert [n.code for n in call.asks] == [NeedCode.PRESCRIPTION]


def test_a_need_that_is_added_after_the_call_leads_to_another_call_about_it_alone() -> None:
    event, fresh = assigned(), need(NeedCode.TRANSPORT)
    call, _ = answered(claim(assign(None, event), ANNA, START), ANNA, Answer(), START)
    again = amend(call, amended(event.referral_id, (*event.needs, fresh)))
    assert again.state is CallState.DUE
    assert again.call_id != call.call_id
    assert [n.need_id for n in again.asks] == [fresh.need_id]


def test_an_amendment_that_is_silent_about_a_need_found_at_a_call_does_not_forget_it() -> None:
    event = assigned()
    answer = Answer((Finding(NeedCode.SHOPPING, CallNeedResult.FOUND),))
    call, _ = answered(claim(assign(None, event), ANNA, START), ANNA, answer, START)
    kept = amend(call, amended(event.referral_id, event.needs))
    assert NeedCode.SHOPPING in {n.code for n in kept.needs}
    assert kept.state is CallState.ANSWERED


def test_a_claim_keeps_others_out_until_it_lapses() -> None:
    call = claimed()
    with pytest.raises(NotAllowedError, match="Somebody else"):
        claim(call, BEN, LATER)
    assert claim(call, ANNA, LATER) is call
    assert lapse(call, LATER) is call
    free = lapse(call, START + CLAIM_FOR)
    assert claim(free, BEN, LATER).claimed_by == BEN


def test_only_who_has_claimed_a_call_reports_it() -> None:
    with pytest.raises(NotAllowedError, match="Claim the call first"):
        answered(due(), ANNA, Answer(), START)
    with pytest.raises(NotAllowedError, match="Somebody else"):
        answered(claimed(), BEN, Answer(), START)


def test_needs_that_the_report_does_not_name_are_confirmed() -> None:
    shopping, food = need(NeedCode.SHOPPING), need(NeedCode.FOOD_PARCEL)
    answer = Answer((Finding(NeedCode.SHOPPING, CallNeedResult.DECLINED),))
    call, event = answered(claimed(needs=(shopping, food)), ANNA, answer, LATER)
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
    _, event = answered(claimed(needs=(first, second)), ANNA, answer, LATER)
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
    call, event = refused(claimed(needs=(need(), need(NeedCode.DEBT))), ANNA, LATER)
    assert call.state is CallState.ANSWERED
    assert {n.result for n in event.needs} == {CallNeedResult.DECLINED}


def test_four_calls_without_an_answer_exhaust_the_ladder_with_all_open_needs() -> None:
    call, now = due(), START
    for _ in range(3):
        call, event = unanswered(claim(call, ANNA, now), ANNA, UnansweredOutcome.NO_ANSWER, None, now)
        assert call.state is CallState.UNANSWERED
        assert isinstance(event, WelfareCallUnanswered)
        assert call.not_before == event.next_attempt_at > now
        now = event.next_attempt_at
    call, event = unanswered(claim(call, ANNA, now), ANNA, UnansweredOutcome.VOICEMAIL, None, now)
    assert call.state is CallState.EXHAUSTED
    assert isinstance(event, WelfareCallExhausted)
    assert (event.attempts, len(event.needs)) == (4, 1)
    assert now - START <= timedelta(hours=24)


def test_a_wrong_number_exhausts_at_once() -> None:
    call, event = unanswered(claimed(), ANNA, UnansweredOutcome.WRONG_NUMBER, None, LATER)
    assert call.state is CallState.EXHAUSTED
    assert isinstance(event, WelfareCallExhausted)
    assert event.attempts == 1


def test_a_call_that_is_put_off_takes_no_rung_of_the_ladder() -> None:
    when = START + timedelta(days=2)
    call, event = unanswered(claimed(), ANNA, UnansweredOutcome.RESCHEDULED, when, LATER)
    assert isinstance(event, WelfareCallUnanswered)
    assert (call.misses, call.attempts, event.next_attempt_at) == (0, 1, when)


def test_a_call_cannot_be_put_off_for_ever() -> None:
    call, now = due(), START
    for _ in range(20):
        assert call.state is not CallState.EXHAUSTED
        now += timedelta(hours=1)
        call, _ = unanswered(
            claim(call, ANNA, now), ANNA, UnansweredOutcome.RESCHEDULED, now + timedelta(hours=1), now
        )
    assert call.state is CallState.EXHAUSTED


@pytest.mark.parametrize(
    ("outcome", "when"),
    [
        (UnansweredOutcome.RESCHEDULED, None),
        (UnansweredOutcome.RESCHEDULED, LATER),
        (UnansweredOutcome.RESCHEDULED, LATER + timedelta(days=15)),
        (UnansweredOutcome.NO_ANSWER, LATER + timedelta(hours=1)),
    ],
)
def test_a_time_to_ring_again_must_fit_the_outcome_and_lie_ahead(outcome, when) -> None:
    with pytest.raises(FindingsError):
        unanswered(claimed(), ANNA, outcome, when, LATER)


def test_what_the_council_gives_back_is_asked_about_in_a_new_round() -> None:
    housing, errand = need(NeedCode.HOUSING), need()
    call, _ = answered(claimed(needs=(housing, errand)), ANNA, Answer(), START)
    again = give_back(call, declined(call.referral_id, housing.need_id), LATER)
    assert (again.state, again.attempts) == (CallState.DUE, 0)
    assert again.call_id != call.call_id
    assert [n.need_id for n in again.asks] == [housing.need_id]
    assert again.due_at == LATER + timedelta(hours=48)


@pytest.mark.parametrize("ends", ["answered", "exhausted"])
@pytest.mark.parametrize("refused_at", [START, START - timedelta(minutes=1)])
def test_a_refusal_that_a_call_has_overtaken_leads_to_no_other_one(ends: str, refused_at: datetime) -> None:
    housing = need(NeedCode.HOUSING)
    call = claimed(needs=(housing,))
    if ends == "answered":
        call, _ = answered(call, ANNA, Answer(), START)
    else:
        call, _ = unanswered(call, ANNA, UnansweredOutcome.WRONG_NUMBER, None, START)
    assert give_back(call, declined(call.referral_id, housing.need_id, at=refused_at), LATER) is call
    later = declined(call.referral_id, housing.need_id, at=START + timedelta(microseconds=1))
    assert give_back(call, later, LATER).state is CallState.DUE


def test_a_refusal_that_an_unanswered_call_has_overtaken_is_asked_about() -> None:
    housing = need(NeedCode.HOUSING)
    call, _ = unanswered(claimed(needs=(housing,)), ANNA, UnansweredOutcome.NO_ANSWER, None, LATER)
    again = give_back(call, declined(call.referral_id, housing.need_id, at=START), LATER)
    assert [n.need_id for n in again.asks] == [housing.need_id]
    assert again.state is CallState.UNANSWERED


def test_what_the_council_gives_back_while_a_call_is_due_is_asked_about_in_that_call() -> None:
    call, found = due(), uuid4()
    again = give_back(call, declined(call.referral_id, found), LATER)
    assert again.call_id == call.call_id
    assert found in {n.need_id for n in again.asks}


def test_what_the_council_gives_back_after_a_withdrawal_leads_to_no_call() -> None:
    call = withdraw(due(), due().referral_id)
    assert give_back(call, declined(call.referral_id), LATER) is call


def test_a_concern_that_the_council_gives_back_after_the_closing_is_asked_about() -> None:
    # a volunteer raised it with her last task: intake had closed the referral before it heard
    errand, concern = need(), uuid4()
    call, _ = answered(claimed(needs=(errand,)), ANNA, Answer(), START)
    over = close(call, closed(call.referral_id, errand.need_id))
    again = give_back(over, declined(call.referral_id, concern), LATER)
    assert again is not None
    assert (again.state, again.ended) == (CallState.DUE, False)
    assert [n.need_id for n in again.asks] == [concern]
    assert close(again, closed(call.referral_id, errand.need_id)).state is CallState.DUE, (
        "in the other order too"
    )
    end = close(again, closed(call.referral_id, errand.need_id, concern))
    assert (end.state, end.ended) == (CallState.CANCELLED, True)


def test_a_need_that_a_closing_lists_is_not_asked_about_again() -> None:
    housing = need(NeedCode.HOUSING)
    call, _ = answered(claimed(needs=(housing,)), ANNA, Answer(), START)
    over = close(call, closed(call.referral_id, housing.need_id))
    assert give_back(over, declined(call.referral_id, housing.need_id), LATER) is over


def test_a_need_that_is_added_to_a_referral_that_was_opened_again_leads_to_a_call() -> None:
    event, fresh = assigned(), need(NeedCode.TRANSPORT)
    listed = [n.need_id for n in event.needs]
    call, _ = answered(claim(assign(None, event), ANNA, START), ANNA, Answer(), START)
    again = amend(close(call, closed(event.referral_id, *listed)), amended(event.referral_id, (fresh,)))
    assert (again.state, again.ended) == (CallState.DUE, False)
    assert [n.need_id for n in again.asks] == [fresh.need_id]


def test_the_end_of_a_referral_ends_its_call_whatever_its_state() -> None:
    for call in (due(), claimed(), unanswered(claimed(), ANNA, UnansweredOutcome.NO_ANSWER, None, LATER)[0]):
        closing = closed(call.referral_id, *(n.need_id for n in call.needs))
        assert withdraw(call, call.referral_id).state is close(call, closing).state is CallState.CANCELLED
    settled, _ = answered(claimed(), ANNA, Answer(), LATER)
    assert withdraw(settled, settled.referral_id).state is CallState.ANSWERED
    assert withdraw(settled, settled.referral_id).ended
