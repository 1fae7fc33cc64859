"""A request to be erased under answers in any order, repeated and late: it is done when all have erased, and not before."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product
from uuid import UUID, uuid4

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bdcan_chassis.step import Step
from bdcan_contracts.models import ErasureAnswered
from bdcan_intake.domain import rights
from bdcan_intake.domain.enquiry import Enquiry
from bdcan_intake.domain.rights import ERASURE_DUE, SERVICES, Erasure, State

START = datetime(2020, 4, 23, 9, 0, tzinfo=UTC)


class Erasing(RuleBasedStateMachine):
    """Answers of five services about two referrals, a volunteer who enquired, and one whom a hub took on."""

    @initialize(referrals=st.integers(0, 2), enquiries=st.integers(0, 1), volunteers=st.integers(0, 1))
    def ask(self, referrals: int, enquiries: int, volunteers: int) -> None:
        self.now, self.due = START, START
        self.referrals = [UUID(int=n + 1) for n in range(referrals)]
        self.volunteers = [UUID(int=100 + n) for n in range(volunteers)]
        enquired = [Enquiry(UUID(int=200 + n), START) for n in range(enquiries)]
        self.enquiries = [one.enquiry_id for one in enquired]
        self.open = {
            *product(self.referrals, SERVICES),
            *((i, "volunteer") for i in (*self.volunteers, *self.enquiries)),
        }
        self.heard: list[ErasureAnswered] = []
        self.erasure = Erasure(
            uuid4(),
            tuple(self.referrals),
            tuple(self.enquiries),
            "resident-asked",
            "person:ada",
            START,
            START + rights.WAITS_FOR_WORK,
            START + rights.ANSWERED_WITHIN,
            volunteer_ids=tuple(self.volunteers),
        )
        self._take(rights.answer(self.erasure, self._answer(UUID(int=999), "intake", erased=True), START))

    @precondition(lambda self: self.referrals)
    @rule(place=st.integers(0, 1), service=st.sampled_from(SERVICES), erased=st.booleans())
    def service_answers(self, place: int, service: str, erased: bool) -> None:
        referral_id = self.referrals[place % len(self.referrals)]
        said = self._answer(referral_id, service, erased=erased)
        self.heard.append(said)
        self._hear(said)

    @precondition(lambda self: self.heard)
    @rule(place=st.integers(0, 50))
    def answer_comes_again(self, place: int) -> None:
        self._hear(self.heard[place % len(self.heard)])

    @rule(unknown=st.booleans())
    def volunteers_leave(self, unknown: bool) -> None:
        strangers = self.volunteers if unknown else []
        self._take(rights.volunteers_erased(self.erasure, self.volunteers, self.now, unknown=strangers))
        assert set(self.erasure.unknown_ids) <= set(self.volunteers)
        self._take(rights.enquiry_erased(self.erasure, self.enquiries, self.now))
        self.open -= {(i, "volunteer") for i in (*self.volunteers, *self.enquiries)}

    @rule(days=st.integers(1, 30))
    def time_passes(self, days: int) -> None:
        self.now += timedelta(days=days)
        if self.due is not None and self.now >= self.due:
            self.due = None
            if step := rights.overdue(self.erasure, self.now):
                self._take(step)

    @invariant()
    def it_is_done_when_nothing_is_open(self) -> None:
        if hasattr(self, "erasure"):
            assert (self.erasure.state is State.DONE) == (not self.open)
            assert (self.erasure.ended_at is not None) == (not self.open)

    @invariant()
    def an_open_request_always_has_a_deadline(self) -> None:
        if hasattr(self, "erasure"):
            assert (self.due is not None) == bool(self.open)
            assert self.due is None or self.due > self.now - timedelta(hours=1), "it would fire at once"

    @invariant()
    def nobody_is_missing_who_has_erased(self) -> None:
        if hasattr(self, "erasure"):
            assert {*self.erasure.missing} == {key for key in self.open if key[1] != "volunteer"}

    def _answer(self, referral_id: UUID, service: str, *, erased: bool) -> ErasureAnswered:
        self.now += timedelta(seconds=1)
        return ErasureAnswered(
            referral_id=referral_id,
            erasure_id=uuid4(),
            service=service,
            erased=erased,
            waits_for=() if erased else ("task-in-hand",),
            answered_at=self.now,
        )

    def _hear(self, said: ErasureAnswered) -> None:
        self._take(rights.answer(self.erasure, said, self.now))
        if said.erased:
            self.open.discard((said.referral_id, said.service))

    def _take(self, step: Step[Erasure]) -> None:
        self.erasure = step.state
        if ERASURE_DUE in step.deadlines:
            self.due = step.deadlines[ERASURE_DUE]


TestErasing = Erasing.TestCase
TestErasing.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
