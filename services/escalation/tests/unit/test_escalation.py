"""What may happen to an escalation, in any order."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from msgspec.structs import replace

from bdcan_chassis.ids import new_id
from bdcan_chassis.testing.harness import START
from bdcan_contracts.models import (
    EscalationAccepted,
    EscalationAcknowledged,
    EscalationClosed,
    EscalationDeclined,
    EscalationForwarded,
    EscalationKind,
    EscalationOpened,
    EscalationOutcome,
    EscalationOverdue,
    EscalationStage,
    Need,
    NeedCode,
    Priority,
)
from bdcan_escalation.domain import escalation as cases
from bdcan_escalation.domain.errors import NotAllowedError
from bdcan_escalation.domain.escalation import FINAL, UNSENT, CallBack, Escalation, Said, State, Step

LEASE = START + timedelta(minutes=1)


def opened(kind: EscalationKind = EscalationKind.COMPLEX) -> Step:
    need = Need(need_id=new_id(), code=NeedCode.DEBT)
    return cases.open_escalation(new_id(), new_id(), kind, (need,), "thames", Priority.STANDARD, START)


def said(what: Said, case_id: str = "case-1") -> CallBack:
    return CallBack(what, case_id, "CS-1", "not-eligible", EscalationOutcome.HELPED)


def forwarded() -> Escalation:
    claimed = cases.claim(opened()[0], LEASE)
    return cases.taken(claimed, "case-1", "CS-1", START)[0]


def heard(escalation: Escalation, *what: Said) -> tuple[Escalation, list[type]]:
    kinds: list[type] = []
    for one in what:
        escalation, events = cases.hear(escalation, said(one), START)
        kinds += [type(e) for e in events]
    return escalation, kinds


def test_given_a_forwarded_case_when_the_council_answers_in_order_then_each_step_is_told():
    after, told = heard(forwarded(), Said.ACKNOWLEDGED, Said.ACCEPTED, Said.CLOSED)
    assert after.state is State.CLOSED
    assert told == [EscalationAcknowledged, EscalationAccepted, EscalationClosed]


def test_given_an_accepted_case_when_the_acknowledgement_comes_late_then_it_is_old_news():
    after, told = heard(forwarded(), Said.ACCEPTED, Said.ACKNOWLEDGED, Said.ACCEPTED)
    assert after.state is State.ACCEPTED
    assert told == [EscalationAccepted]


@pytest.mark.parametrize("state", UNSENT)
def test_given_a_send_without_an_answer_when_the_call_back_comes_first_then_it_proves_the_arrival(
    state: State,
):
    before = replace(opened()[0], state=state, in_doubt=state is State.UNVERIFIED)
    after, told = heard(before, Said.ACCEPTED)
    assert (after.state, after.case_id, after.in_doubt) == (State.ACCEPTED, "case-1", False)
    assert told == [EscalationForwarded, EscalationAccepted]


def test_given_a_call_back_came_first_when_the_answer_to_the_send_arrives_then_it_changes_nothing():
    accepted, _told = heard(cases.claim(opened()[0], LEASE), Said.ACCEPTED)
    assert cases.taken(accepted, "case-1", "CS-1", START) == (accepted, ())
    assert cases.not_taken(accepted, "council-silent", LEASE, in_doubt=True) == accepted


@pytest.mark.parametrize(
    ("first", "then"),
    [(Said.DECLINED, Said.ACCEPTED), (Said.DECLINED, Said.CLOSED), (Said.CLOSED, Said.DECLINED)],
)
def test_given_a_settled_case_when_the_council_contradicts_itself_then_that_is_refused(
    first: Said, then: Said
):
    after, _told = heard(forwarded(), first)
    with pytest.raises(NotAllowedError):
        cases.hear(after, said(then), START)


def test_given_an_accepted_case_when_the_council_declines_it_then_that_is_refused():
    after, _told = heard(forwarded(), Said.ACCEPTED)
    with pytest.raises(NotAllowedError, match="accepted"):
        cases.hear(after, said(Said.DECLINED), START)


def test_given_a_known_case_when_another_case_answers_then_that_is_refused():
    with pytest.raises(NotAllowedError):
        cases.hear(forwarded(), said(Said.ACCEPTED, "case-2"), START)


def test_given_an_attempt_that_surely_failed_when_it_is_settled_then_the_case_is_open_as_before():
    after = cases.not_taken(cases.claim(opened()[0], LEASE), "council-unreachable", LEASE, in_doubt=False)
    assert (after.state, after.problem, after.attempts) == (State.OPENED, "council-unreachable", 1)


def test_given_a_doubt_when_a_later_attempt_surely_fails_then_the_doubt_remains():
    doubtful = cases.not_taken(cases.claim(opened()[0], LEASE), "council-silent", LEASE, in_doubt=True)
    again = cases.not_taken(cases.claim(doubtful, LEASE), "council-unreachable", LEASE, in_doubt=False)
    assert (doubtful.state, again.state) == (State.UNVERIFIED, State.UNVERIFIED)


def test_given_a_crash_while_forwarding_when_the_lease_runs_out_then_the_send_counts_as_doubtful():
    again = cases.claim(cases.claim(opened()[0], LEASE), LEASE)
    after = cases.not_taken(again, "disclosure-unavailable", LEASE, in_doubt=False)
    assert after.state is State.UNVERIFIED


def test_given_a_case_nobody_was_told_of_when_the_resident_withdraws_then_it_ends():
    after, events = cases.withdraw(opened()[0], START)
    assert (after.state, after.outcome) == (State.CLOSED, EscalationOutcome.WITHDRAWN)
    assert [type(e) for e in events] == [EscalationClosed]


@pytest.mark.parametrize("state", set(State) - {State.OPENED})
def test_given_a_case_the_council_may_have_when_the_resident_withdraws_then_it_stays(state: State):
    before = replace(opened()[0], state=state)
    assert cases.withdraw(before, START) == (before, ())


def test_given_safeguarding_when_the_resident_withdraws_then_it_goes_on():
    before, _events = opened(EscalationKind.SAFEGUARDING)
    assert cases.withdraw(before, START) == (before, ())


@pytest.mark.parametrize(
    ("state", "stage"),
    [
        (State.OPENED, EscalationStage.FORWARD),
        (State.FORWARDING, EscalationStage.FORWARD),
        (State.UNVERIFIED, EscalationStage.FORWARD),
        (State.FORWARDED, EscalationStage.ACKNOWLEDGE),
        (State.ACKNOWLEDGED, EscalationStage.DECIDE),
    ],
)
def test_given_a_step_that_is_late_when_it_is_noticed_then_it_is_told_and_looked_at_again(state, stage):
    after, events = cases.overdue(replace(opened()[0], state=state), START)
    (event,) = events
    assert isinstance(event, EscalationOverdue)
    assert (event.stage, event.next_check_at) == (stage, after.due_at)
    assert after.due_at is not None
    assert after.due_at > START


def test_given_an_accepted_case_that_drags_on_when_it_is_noticed_then_it_is_late_without_an_event():
    after, events = cases.overdue(heard(forwarded(), Said.ACCEPTED)[0], START)
    assert (events, after.late) == ((), EscalationStage.DECIDE)


class EscalationMachine(RuleBasedStateMachine):
    """Sends, answers, call-backs, withdrawals and alarms in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.escalation, events = opened()
        self.told: list[type] = [type(e) for e in events]

    def take(self, step: Step) -> None:
        self.escalation = step[0]
        self.told += [type(e) for e in step[1] if not isinstance(e, EscalationOverdue)]

    @rule()
    def claim(self) -> None:
        if self.escalation.state in UNSENT:
            self.escalation = cases.claim(self.escalation, LEASE)

    @rule()
    def taken(self) -> None:
        self.take(cases.taken(self.escalation, "case-1", "CS-1", START))

    @rule(in_doubt=st.booleans())
    def not_taken(self, in_doubt: bool) -> None:
        self.escalation = cases.not_taken(self.escalation, "council-503", LEASE, in_doubt=in_doubt)

    @rule(what=st.sampled_from(Said))
    def hear(self, what: Said) -> None:
        try:
            self.take(cases.hear(self.escalation, said(what), START))
        except NotAllowedError:
            assert self.escalation.state in FINAL | {State.ACCEPTED}

    @rule()
    def withdraw(self) -> None:
        self.take(cases.withdraw(self.escalation, START))

    @rule()
    def overdue(self) -> None:
        self.take(cases.overdue(self.escalation, START))

    @invariant()
    def each_thing_is_told_once_and_in_order(self) -> None:
        order = [
            EscalationOpened,
            EscalationForwarded,
            EscalationAcknowledged,
            EscalationAccepted,
            EscalationDeclined,
            EscalationClosed,
        ]
        places = [order.index(kind) for kind in self.told]
        assert places == sorted(set(places))
        assert not {EscalationDeclined, EscalationAccepted} <= set(self.told)

    @invariant()
    def whatever_is_not_at_its_end_has_a_promise(self) -> None:
        assert (self.escalation.due_at is None) == (self.escalation.state in FINAL)

    @invariant()
    def what_is_settled_has_a_case(self) -> None:
        withdrawn = self.escalation.outcome is EscalationOutcome.WITHDRAWN
        assert self.escalation.state in UNSENT or self.escalation.case_id or withdrawn

    @invariant()
    def a_doubt_is_never_forgotten(self) -> None:
        assert not (self.escalation.state is State.OPENED and self.escalation.in_doubt)


TestEscalation = EscalationMachine.TestCase
TestEscalation.settings = settings(max_examples=100, stateful_step_count=25, deadline=None)
