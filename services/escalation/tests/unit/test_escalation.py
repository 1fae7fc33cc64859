"""What may happen to an escalation, in any order."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from msgspec.structs import replace

from bdcan_chassis.calendar import make_calendar
from bdcan_chassis.ids import new_id
from bdcan_chassis.step import Step
from bdcan_chassis.testing.harness import START
from bdcan_contracts.models import (
    EscalationAccepted,
    EscalationAcknowledged,
    EscalationClosed,
    EscalationDeclined,
    EscalationForwarded,
    EscalationKind,
    EscalationOpened,
    EscalationOverdue,
    EscalationStage,
    Lane,
    Need,
    Priority,
)
from bdcan_contracts.vocabulary import EscalationOutcome, NeedCode
from bdcan_escalation.domain import escalation as cases
from bdcan_escalation.domain.errors import NotAllowedError
from bdcan_escalation.domain.escalation import FINAL, LATE, UNSENT, CallBack, Escalation, Said, State

ENGLAND = make_calendar()
LONG_AFTER = START + timedelta(days=100)
LEASE = START + timedelta(minutes=1)


def opened(kind: EscalationKind = EscalationKind.COMPLEX) -> Step[Escalation]:
    need = Need(need_id=new_id(), code=NeedCode.DEBT, lane=Lane.COMPLEX)
    return cases.open_escalation(
        new_id(), new_id(), kind, (need,), "thames", Priority.STANDARD, START, ENGLAND
    )


def said(what: Said, case_id: str = "case-1") -> CallBack:
    return CallBack(what, case_id, "CS-1", "not-eligible", EscalationOutcome.HELPED)


def forwarded() -> Escalation:
    claimed = cases.claim(opened().state, LEASE).state
    return cases.taken(claimed, "case-1", "CS-1", START).state


def heard(escalation: Escalation, *what: Said) -> tuple[Escalation, list[type]]:
    kinds: list[type] = []
    for one in what:
        step = cases.hear(escalation, said(one), START, ENGLAND)
        escalation = step.state
        kinds += [type(e) for e in step.events]
    return escalation, kinds


def test_each_answer_of_the_council_is_told_in_order():
    after, told = heard(forwarded(), Said.ACKNOWLEDGED, Said.ACCEPTED, Said.CLOSED)
    assert after.state is State.CLOSED
    assert told == [EscalationAcknowledged, EscalationAccepted, EscalationClosed]


def test_acknowledgement_after_the_acceptance_is_ignored():
    after, told = heard(forwarded(), Said.ACCEPTED, Said.ACKNOWLEDGED, Said.ACCEPTED)
    assert after.state is State.ACCEPTED
    assert told == [EscalationAccepted]


@pytest.mark.parametrize("state", UNSENT)
def test_call_back_before_the_answer_proves_that_the_case_arrived(
    state: State,
):
    before = replace(opened().state, state=state, in_doubt=state is State.UNVERIFIED)
    after, told = heard(before, Said.ACCEPTED)
    assert (after.state, after.case_id, after.in_doubt) == (State.ACCEPTED, "case-1", False)
    assert told == [EscalationForwarded, EscalationAccepted]


def test_answer_after_the_call_back_changes_nothing():
    accepted, _told = heard(cases.claim(opened().state, LEASE).state, Said.ACCEPTED)
    assert cases.taken(accepted, "case-1", "CS-1", START) == Step(accepted)
    assert cases.not_taken(accepted, "council-silent", LEASE, in_doubt=True) == Step(accepted)


@pytest.mark.parametrize(
    ("first", "then"),
    [(Said.DECLINED, Said.ACCEPTED), (Said.DECLINED, Said.CLOSED), (Said.CLOSED, Said.DECLINED)],
)
def test_council_cannot_contradict_a_settled_case(first: Said, then: Said):
    after, _told = heard(forwarded(), first)
    with pytest.raises(NotAllowedError):
        cases.hear(after, said(then), START, ENGLAND)


def test_accepted_case_cannot_be_declined():
    after, _told = heard(forwarded(), Said.ACCEPTED)
    with pytest.raises(NotAllowedError, match="accepted"):
        cases.hear(after, said(Said.DECLINED), START, ENGLAND)


def test_answer_of_another_case_is_refused():
    with pytest.raises(NotAllowedError):
        cases.hear(forwarded(), said(Said.ACCEPTED, "case-2"), START, ENGLAND)


def attempted(escalation: Escalation, problem: str, *, in_doubt: bool) -> Escalation:
    claimed = cases.claim(escalation, LEASE).state
    return cases.not_taken(claimed, problem, LEASE, in_doubt=in_doubt).state


def test_attempt_that_surely_failed_leaves_the_case_open():
    after = attempted(opened().state, "council-unreachable", in_doubt=False)
    assert (after.state, after.problem, after.attempts) == (State.OPENED, "council-unreachable", 1)


def test_doubt_remains_when_a_later_attempt_surely_fails():
    doubtful = attempted(opened().state, "council-silent", in_doubt=True)
    again = attempted(doubtful, "council-unreachable", in_doubt=False)
    assert (doubtful.state, again.state) == (State.UNVERIFIED, State.UNVERIFIED)


def test_send_counts_as_doubtful_after_its_lease_ran_out():
    again = cases.claim(opened().state, LEASE).state
    assert attempted(again, "disclosure-unavailable", in_doubt=False).state is State.UNVERIFIED


def test_withdrawal_ends_a_case_that_nobody_was_told_of():
    step = cases.withdraw(opened().state, START)
    assert (step.state.state, step.state.outcome) == (State.CLOSED, EscalationOutcome.WITHDRAWN)
    assert [type(e) for e in step.events] == [EscalationClosed]
    assert step.deadlines == {LATE: None}


@pytest.mark.parametrize("state", set(State) - {State.OPENED})
def test_withdrawal_leaves_a_case_that_the_council_may_have(state: State):
    before = replace(opened().state, state=state)
    assert cases.withdraw(before, START) == Step(before)


def test_withdrawal_leaves_safeguarding():
    before = opened(EscalationKind.SAFEGUARDING).state
    assert cases.withdraw(before, START) == Step(before)


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
def test_late_step_is_told_and_looked_at_again(state, stage):
    step = cases.overdue(replace(opened().state, state=state), LONG_AFTER, ENGLAND)
    (event,) = step.events
    assert isinstance(event, EscalationOverdue)
    assert (event.stage, event.next_check_at) == (stage, step.state.due_at)
    assert step.deadlines == {LATE: event.next_check_at}
    assert event.next_check_at > LONG_AFTER


def test_step_that_is_not_due_is_not_late():
    before = opened().state
    assert cases.overdue(before, START, ENGLAND) == Step(before)


def test_accepted_case_that_drags_on_is_late_without_an_event():
    step = cases.overdue(heard(forwarded(), Said.ACCEPTED)[0], LONG_AFTER, ENGLAND)
    assert (step.events, step.state.late) == ((), EscalationStage.DECIDE)


class EscalationMachine(RuleBasedStateMachine):
    """Sends, answers, call-backs, withdrawals and alarms in any order."""

    def __init__(self) -> None:
        super().__init__()
        step = opened()
        self.escalation = step.state
        self.told: list[type] = [type(e) for e in step.events]
        self.deadlines = dict(step.deadlines)

    def take(self, step: Step[Escalation]) -> None:
        self.escalation = step.state
        self.told += [type(e) for e in step.events if not isinstance(e, EscalationOverdue)]
        self.deadlines |= step.deadlines

    @rule()
    def claim(self) -> None:
        if self.escalation.state in UNSENT:
            self.take(cases.claim(self.escalation, LEASE))

    @rule()
    def taken(self) -> None:
        self.take(cases.taken(self.escalation, "case-1", "CS-1", START))

    @rule(in_doubt=st.booleans())
    def not_taken(self, in_doubt: bool) -> None:
        self.take(cases.not_taken(self.escalation, "council-503", LEASE, in_doubt=in_doubt))

    @rule(what=st.sampled_from(Said))
    def hear(self, what: Said) -> None:
        try:
            self.take(cases.hear(self.escalation, said(what), START, ENGLAND))
        except NotAllowedError:
            assert self.escalation.state in FINAL | {State.ACCEPTED}

    @rule()
    def withdraw(self) -> None:
        self.take(cases.withdraw(self.escalation, START))

    @rule()
    def overdue(self) -> None:
        self.take(cases.overdue(self.escalation, LONG_AFTER, ENGLAND))

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
        assert self.deadlines[LATE] == self.escalation.due_at

    @invariant()
    def what_is_settled_has_a_case(self) -> None:
        withdrawn = self.escalation.outcome == EscalationOutcome.WITHDRAWN
        assert self.escalation.state in UNSENT or self.escalation.case_id or withdrawn

    @invariant()
    def a_doubt_is_never_forgotten(self) -> None:
        assert not (self.escalation.state is State.OPENED and self.escalation.in_doubt)


TestEscalation = EscalationMachine.TestCase
TestEscalation.settings = settings(max_examples=100, stateful_step_count=25, deadline=None)
