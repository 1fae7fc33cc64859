"""Whatever happens in whatever order, a referral's calls keep their promises."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from volunteer_match_story import CALENDAR, amended, assigned, closed, declined, need, reassigned

from bdcan_chassis.step import Step
from bdcan_chassis.testing.harness import START
from bdcan_contracts.models import WelfareCallCompleted
from bdcan_contracts.vocabulary import CallOutcome, NeedCode
from bdcan_volunteer_match.domain.call import (
    LIVE,
    CallState,
    WelfareCall,
    amend,
    assign,
    claim,
    close,
    give_back,
    give_up,
    lapse,
    nobody_called,
    withdraw,
)
from bdcan_volunteer_match.domain.errors import NotAllowedError
from bdcan_volunteer_match.domain.ladder import CALLS_IN_LADDER
from bdcan_volunteer_match.domain.report import Answer, answered, unanswered

CALLERS = st.sampled_from(["anna", "ben"])


class Calls(RuleBasedStateMachine):
    """Events of other services and reports of callers, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.event = assigned(uuid4())
        self.call: WelfareCall | None = None
        self.now = START
        self.settled: set[UUID] = set()
        self.over = False
        self.listed: set[UUID] = set()
        self.told: set[UUID] = set()

    @rule(version=st.integers(1, 4))
    def the_referral_gets_its_hub(self, version: int) -> None:
        self.call = assign(self.call, self.event.model_copy(update={"version": version})).state

    @rule(version=st.integers(1, 4), hub=st.sampled_from(["heath", "thames"]))
    def it_moves(self, version: int, hub: str) -> None:
        self.call = assign(self.call, reassigned(self.event, hub, version)).state

    @rule(version=st.integers(1, 4))
    def a_need_is_added(self, version: int) -> None:
        before = self.call and self.call.amendment_version
        fresh = need(NeedCode.TRANSPORT)
        told = amended(self.event.referral_id, (*self.event.needs, fresh), version)
        self.call = amend(self.call, told).state
        if not self.over and version > (before or 0) and self.call.hub_id:
            assert fresh.need_id in {n.need_id for n in self.call.asks}
            assert self.call.state in LIVE

    @rule(version=st.integers(1, 4))
    def a_need_is_withdrawn(self, version: int) -> None:
        if self.call is None or self.call.withdrawn or version <= self.call.amendment_version:
            return
        gone, *kept = self.event.needs
        told = amended(self.event.referral_id, tuple(kept), version, (gone.need_id,))
        self.call = amend(self.call, told).state
        self.listed.add(gone.need_id)
        assert gone.need_id not in {n.need_id for n in self.call.asks}

    @rule(heard=st.booleans())
    def the_council_gives_a_need_back(self, heard: bool) -> None:
        self._give_back(self.event.needs[0].need_id, heard=heard)

    @rule()
    def a_concern_that_nobody_knew_is_given_back(self) -> None:
        self._give_back(uuid4(), heard=True)

    def _give_back(self, need_id: UUID, *, heard: bool) -> None:
        """`heard`: escalation had heard of every call before it told of the refusal."""
        before = self.call
        told = declined(self.event.referral_id, need_id, answers=self.settled if heard else ())
        step = give_back(self.call, told, self.now)
        if step is None:
            assert before is None
            return
        self.call = step.state
        if self.over or need_id in self.listed:
            assert self.call is before, "what has ended is not asked about again"
        elif need_id in self.told and not heard:
            assert self.call is before, "a later call has told escalation of it again"
        elif self.call.hub_id:
            assert self.call.state in LIVE
            assert need_id in {n.need_id for n in self.call.asks}

    @rule(all_of_them=st.booleans())
    def the_referral_is_closed(self, all_of_them: bool) -> None:
        asked = () if self.call is None else tuple(n.need_id for n in self.call.asks)
        needs = () if self.call is None else tuple(n.need_id for n in self.call.needs)
        listed = needs if all_of_them else needs[:1]
        self.call = close(self.call, closed(self.event.referral_id, *listed)).state
        assert close(self.call, closed(self.event.referral_id, *listed)) == Step(self.call)
        self.listed |= set(listed)
        assert {n.need_id for n in self.call.asks} == set(asked) - set(listed)
        if all_of_them:
            assert self.call.state not in LIVE

    @rule()
    def the_referral_is_withdrawn(self) -> None:
        self.call = withdraw(self.call, self.event.referral_id).state
        self.over = True

    @rule(caller=CALLERS)
    def somebody_claims(self, caller: str) -> None:
        if self.call is None or self.call.hub_id is None:
            return
        holder = self.call.claimed_by
        try:
            self.call = claim(self.call, caller, self.now).state
        except NotAllowedError:
            assert self.call.state not in LIVE or holder not in (None, caller)
        else:
            assert holder in (None, caller)

    @rule(minutes=st.integers(1, 2000))
    def time_passes_and_claims_run_out(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)
        if self.call is not None:
            self.call = lapse(self.call, self.now).state
            step = nobody_called(self.call, self.now)
            assert len(step.events) == (self.call.alarm_at is not None and self.call.alarm_at <= self.now)
            self.call = step.state

    @rule(caller=CALLERS, reason=st.sampled_from([None, "gone-home"]))
    def a_claim_ends_by_hand(self, caller: str, reason: str | None) -> None:
        if self.call is None:
            return
        try:
            self.call = give_up(self.call, caller, reason).state
        except NotAllowedError:
            assert self.call.claimed_by is None or (self.call.claimed_by != caller and reason is None)
        else:
            assert self.call.claimed_by is None

    @invariant()
    def every_call_that_must_be_made_has_an_alarm_ahead(self) -> None:
        if self.call is not None:
            assert (self.call.alarm_at is None) == (self.call.must_be_made_by is None)

    @rule(caller=CALLERS)
    def the_resident_answers(self, caller: str) -> None:
        if self.call is None or self.call.hub_id is None:
            return
        asked = {n.need_id for n in self.call.asks}
        try:
            step = answered(self.call, caller, Answer(), self.now)
        except NotAllowedError:
            return
        self.call, [event] = step.state, step.events
        assert isinstance(event, WelfareCallCompleted)
        assert {n.need_id for n in event.needs} == asked
        self._settles()
        self.told |= asked

    @rule(caller=CALLERS, outcome=st.sampled_from(CallOutcome))
    def nobody_answers(self, caller: str, outcome: CallOutcome) -> None:
        if self.call is None or self.call.hub_id is None:
            return
        asked = {n.need_id for n in self.call.asks}
        later = self.now + timedelta(hours=1) if outcome == CallOutcome.RESCHEDULED else None
        try:
            self.call = unanswered(self.call, caller, outcome, later, self.now, CALENDAR).state
        except NotAllowedError:
            return
        if self.call.state is CallState.EXHAUSTED:
            self._settles()
            self.told |= asked
        else:
            assert self.call.not_before is not None
            assert self.call.not_before > self.now

    def _settles(self) -> None:
        assert self.call is not None
        assert self.call.call_id not in self.settled, "a round ends once"
        self.settled.add(self.call.call_id)

    @invariant()
    def what_is_live_has_a_hub_and_a_time(self) -> None:
        if self.call is not None and self.call.state in LIVE:
            assert self.call.hub_id
            assert self.call.due_at
            assert self.call.misses < CALLS_IN_LADDER

    @invariant()
    def a_claim_has_a_holder_and_an_end(self) -> None:
        if self.call is not None:
            held = self.call.state is CallState.CLAIMED
            assert (self.call.claimed_by is not None) == held
            assert (self.call.claim_expires_at is not None) == held

    @invariant()
    def what_is_to_be_asked_is_on_a_list(self) -> None:
        if self.call is not None and self.call.hub_id and self.call.asks and not self.over:
            assert self.call.state in LIVE | {CallState.AWAITING, CallState.EXHAUSTED}

    @invariant()
    def nobody_calls_after_the_end(self) -> None:
        if self.over:
            assert self.call is not None
            assert self.call.state not in LIVE


TestCalls = Calls.TestCase
