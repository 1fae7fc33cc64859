"""The life of one assignment: it stays whole in any order of events, and what has ended stays ended."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from msgspec.structs import replace

from bdcan_chassis.step import Step
from bdcan_contracts.models import (
    AssignmentMethod,
    Lane,
    Need,
    Priority,
    ReferralAmended,
    ReferralAssigned,
    ReferralHeldForTriage,
    ReferralOutOfArea,
    ReferralReassigned,
    ReferralReceived,
    ReferralReopened,
)
from bdcan_contracts.vocabulary import Channel, NeedCode
from bdcan_routing.domain import assignment
from bdcan_routing.domain.assignment import TRIAGE_DUE, Assignment, State, TriageTimes
from bdcan_routing.domain.errors import HubPausedError, NotAllowedError
from bdcan_routing.domain.gazetteer import Lookup, OutOfArea, Thresholds, Unit
from bdcan_routing.domain.hubs import Coverage, establish, pause
from bdcan_routing.domain.placement import Placer, ToHub
from bdcan_routing.domain.wards import BOROUGH
from bdcan_routing.hubs.configured import configured_hubs

NOW = datetime(2020, 3, 23, 9, tzinfo=UTC)
ID = UUID(int=7)
NEED = Need(need_id=UUID(int=8), code=NeedCode.SHOPPING, lane=Lane.COMMUNITY)
TIMES = TriageTimes()
ABBEY, BEAM, OUTSIDE, UNSURE = "IG11 7NB", "RM10 9AA", "IG1 1AR", "RM8 1AA"
COVERAGE = Coverage.of(establish(plan, NOW).state for plan in configured_hubs(None))
HUBS = COVERAGE.by_id
PLACER = Placer(
    Lookup(
        "release 1",
        False,
        {
            ABBEY: Unit(BOROUGH, "E05014053"),
            BEAM: Unit(BOROUGH, "E05014056"),
            OUTSIDE: Unit("E09000026", None),
        },
        {"RM8 1A": {"E05014071": 5, "E05014057": 4}},
    ),
    COVERAGE,
    Thresholds(),
)


def came(postcode: str | None, outreach: bool = False) -> ReferralReceived:
    return ReferralReceived(
        referral_id=ID,
        channel=Channel.PHONE,
        priority=Priority.STANDARD,
        outreach=outreach,
        postcode=postcode,
        needs=(NEED,),
        received_at=NOW,
        contact_due_at=NOW + timedelta(hours=48),
    )


def changed(postcode: str | None, version: int = 2) -> ReferralAmended:
    return ReferralAmended(
        referral_id=ID,
        version=version,
        priority=Priority.URGENT,
        postcode=postcode,
        needs=(NEED,),
        amended_at=NOW,
    )


def open_again() -> ReferralReopened:
    need = Need(need_id=ID, code=NeedCode.SAFEGUARDING_ADULT, lane=Lane.SAFEGUARDING)
    return ReferralReopened(referral_id=ID, priority=Priority.URGENT, needs=(need,), reopened_at=NOW)


def placed(postcode: str | None) -> Assignment:
    return assignment.receive(None, came(postcode), PLACER, TIMES, NOW).state


def amended(state: Assignment, postcode: str | None, version: int = 2) -> Step[Assignment]:
    return assignment.amend(state, changed(postcode, version), PLACER, TIMES, NOW)


def placed_by_a_person() -> Assignment:
    return assignment.decide(placed(None), HUBS["hub-7"], "lives-there", "desk", NOW).state


def reopened(state: Assignment) -> Step[Assignment]:
    step = assignment.reopen(state, open_again(), TIMES, NOW)
    assert step
    return step


@pytest.mark.parametrize(("postcode", "sector"), [(ABBEY, "IG11 7"), (BEAM, "RM10 9")])
def test_assignment_names_the_sector_and_not_the_postcode(postcode, sector):
    step = assignment.receive(None, came(postcode), PLACER, TIMES, NOW)
    [event] = step.events
    assert isinstance(event, ReferralAssigned)
    assert event.sector == sector
    assert postcode not in event.model_dump_json()


def test_assignment_by_a_person_without_a_postcode_names_no_sector():
    [event] = assignment.decide(placed(None), next(iter(HUBS.values())), "near", "carol", NOW).events
    assert isinstance(event, ReferralAssigned)
    assert event.sector is None


def test_unsure_new_postcode_moves_nobody():
    step = amended(placed(ABBEY), UNSURE)
    assert (step.state.hub_id, step.events) == ("hub-1", ())
    assert step.state.facts
    assert step.state.facts.priority is Priority.URGENT


@pytest.mark.parametrize("postcode", [None, "nowhere"])
def test_missing_new_postcode_moves_nobody(postcode):
    step = amended(placed(ABBEY), postcode)
    assert (step.state.state, step.state.hub_id, step.events) == (State.ASSIGNED, "hub-1", ())


def test_change_of_needs_keeps_the_decision_of_a_person():
    step = amended(placed_by_a_person(), None)
    assert (step.state.hub_id, step.events) == ("hub-7", ())


def test_certain_postcode_moves_a_referral_that_a_person_placed():
    step = amended(placed_by_a_person(), ABBEY)
    [event] = step.events
    assert isinstance(event, ReferralReassigned)
    assert (step.state.hub_id, event.previous_hub_id, event.version) == ("hub-1", "hub-7", 2 + 1)


def test_move_out_of_the_borough_is_out_of_area():
    step = amended(placed(ABBEY), OUTSIDE)
    [event] = step.events
    assert isinstance(event, ReferralOutOfArea)
    assert step.state.state is State.OUT_OF_AREA


def test_move_into_the_borough_is_assigned():
    step = amended(placed(OUTSIDE), BEAM)
    [event] = step.events
    assert isinstance(event, ReferralAssigned)
    assert step.state.hub_id == "hub-7"


def test_old_amendment_that_comes_late_changes_nothing():
    state = amended(placed(ABBEY), BEAM, 3).state
    assert amended(state, OUTSIDE, 2) == Step(state)


def test_caller_asks_for_the_address_of_a_referral_that_a_person_placed():
    step = assignment.decide(placed(None), HUBS["hub-2"], "known-to-the-hub", "desk", NOW)
    state, [event] = step.state, step.events
    assert isinstance(event, ReferralAssigned)
    assert (event.method, event.hub_id, event.confirm_at_call) == (AssignmentMethod.MANUAL, "hub-2", True)
    assert event.contact_due_at == NOW + timedelta(hours=48)
    assert (state.state, state.triage_due_at, state.decided_by) == (State.ASSIGNED, None, "desk")
    assert step.deadlines == {TRIAGE_DUE: None}


def test_person_finds_a_held_referral_out_of_area():
    [event] = assignment.decide(placed(None), None, "lives-in-havering", "desk", NOW).events
    assert isinstance(event, ReferralOutOfArea)
    assert event.district_gss is None


@pytest.mark.parametrize("postcode", [ABBEY, OUTSIDE])
def test_decision_about_a_referral_that_is_not_held_is_refused(postcode):
    with pytest.raises(NotAllowedError, match="not in triage"):
        assignment.decide(placed(postcode), HUBS["hub-2"], "why", "desk", NOW)


def test_nobody_places_or_moves_a_referral_to_a_paused_hub():
    paused = pause(HUBS["hub-2"], "storm", NOW).state
    with pytest.raises(HubPausedError):
        assignment.decide(placed(None), paused, "why", "desk", NOW)
    with pytest.raises(HubPausedError):
        assignment.reassign(placed(ABBEY), paused, "why", "desk", NOW)


@pytest.mark.parametrize(
    ("postcode", "state"), [(ABBEY, State.ASSIGNED), (OUTSIDE, State.OUT_OF_AREA), (None, State.HELD)]
)
def test_reopened_referral_returns_to_where_it_was(postcode, state):
    ended = assignment.end(placed(postcode), ID).state
    step = reopened(ended)
    again = step.state
    assert (again.state, again.verdict) == (state, ended.verdict)
    assert again.facts
    assert (again.facts.priority, again.facts.needs) == (Priority.URGENT, open_again().needs)
    assert [type(event) for event in step.events] == [ReferralHeldForTriage] * (state is State.HELD)


def test_person_moves_a_reopened_referral():
    again = reopened(assignment.end(placed(ABBEY), ID).state).state
    step = assignment.reassign(again, HUBS["hub-7"], "why", "desk", NOW)
    [event] = step.events
    assert isinstance(event, ReferralReassigned)
    assert (step.state.hub_id, event.previous_hub_id) == ("hub-7", "hub-1")
    assert event.needs == open_again().needs


def test_reopened_referral_out_of_area_ignores_its_old_postcode():
    again = reopened(assignment.end(placed(OUTSIDE), ID).state).state
    step = amended(again, OUTSIDE)
    assert (step.state.state, step.events) == (State.OUT_OF_AREA, ())
    assert step.state.facts
    assert step.state.facts.postcode == OUTSIDE


@pytest.mark.parametrize("state", [None, placed(ABBEY), assignment.end(None, ID).state])
def test_only_a_known_referral_that_has_ended_is_reopened(state):
    assert assignment.reopen(state, open_again(), TIMES, NOW) is None


def test_move_to_its_own_hub_is_refused():
    with pytest.raises(NotAllowedError, match="already"):
        assignment.reassign(placed(ABBEY), HUBS["hub-1"], "why", "desk", NOW)


def test_move_of_a_held_referral_is_refused():
    with pytest.raises(NotAllowedError, match="Only an assigned"):
        assignment.reassign(placed(None), HUBS["hub-1"], "why", "desk", NOW)


def test_deadline_of_a_decided_referral_changes_nothing():
    assert assignment.ask_again(placed(ABBEY), TIMES, NOW) == Step(placed(ABBEY))


postcodes = st.sampled_from([ABBEY, BEAM, OUTSIDE, UNSURE, None, "nowhere"])


@settings(max_examples=150, stateful_step_count=12)
class AnyOrder(RuleBasedStateMachine):
    """Every event in any order, any number of times, and people in between."""

    def __init__(self) -> None:
        super().__init__()
        self.state: Assignment | None = None
        self.now = NOW
        self.published = 0
        self.has_ended = False
        self.due_at: datetime | None = None

    def take(self, step: Step[Assignment]) -> None:
        before = self.state
        self.state = step.state
        self.now += timedelta(minutes=10)
        self.due_at = step.deadlines.get(TRIAGE_DUE, self.due_at)
        for event in step.events:
            self.published += 1
            assert getattr(event, "version") == self.published  # noqa: B009 # of a body of any type
            assert not self.has_ended, "something was published about a referral that has ended"
        if before is not None and step.events:
            changed = (before.state, before.verdict) != (self.state.state, self.state.verdict)
            assert changed or isinstance(step.events[0], ReferralHeldForTriage)

    @rule(postcode=postcodes, outreach=st.booleans())
    def referral_comes(self, postcode, outreach):
        self.take(assignment.receive(self.state, came(postcode, outreach), PLACER, TIMES, self.now))

    @rule(postcode=postcodes, version=st.integers(2, 5))
    def amendment_comes(self, postcode, version):
        self.take(assignment.amend(self.state, changed(postcode, version), PLACER, TIMES, self.now))

    @rule()
    def it_ends(self):
        self.has_ended = True
        self.take(assignment.end(self.state, ID))

    @rule()
    def somebody_reopens_it(self):
        if step := assignment.reopen(self.state, open_again(), TIMES, self.now):
            self.has_ended = False
            self.take(step)

    @rule()
    def the_deadline_comes(self):
        if self.state is not None:
            self.take(assignment.ask_again(self.state, TIMES, self.now))

    @rule(hub=st.sampled_from(["hub-3", "hub-8", None]))
    def a_person_decides(self, hub):
        if self.state is None:
            return
        try:
            self.take(assignment.decide(self.state, HUBS.get(hub), "why", "desk", self.now))
        except NotAllowedError:
            assert self.state.state is not State.HELD

    @rule(hub=st.sampled_from(["hub-3", "hub-8"]))
    def a_person_moves_it(self, hub):
        if self.state is None:
            return
        try:
            self.take(assignment.reassign(self.state, HUBS[hub], "why", "desk", self.now))
        except NotAllowedError:
            assert self.state.state is not State.ASSIGNED or self.state.hub_id == hub

    @rule()
    def hubs_change(self):
        if self.state is not None:
            self.take(assignment.place_again(self.state, PLACER, TIMES, self.now))

    @invariant()
    def it_is_whole(self):
        state = self.state
        if state is None:
            return
        assert (state.state is State.ENDED) == self.has_ended
        assert (state.state is State.HELD) == (state.triage_due_at is not None)
        assert state.triage_due_at == self.due_at, "the deadline follows the state"
        if state.state is State.ASSIGNED:
            assert isinstance(state.verdict, ToHub)
        if state.state is State.OUT_OF_AREA:
            assert isinstance(state.verdict, OutOfArea)
        if state.state is State.ENDED and state.facts:
            assert state.facts.postcode is None


TestAnyOrder = AnyOrder.TestCase


def test_step_leaves_the_given_state_unchanged():
    state = placed(None)
    copy = replace(state)
    assignment.decide(state, HUBS["hub-2"], "why", "desk", NOW)
    assert state == copy
