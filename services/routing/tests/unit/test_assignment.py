"""The life of one assignment: whatever the order of events, it stays whole, and who ended stays ended."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from msgspec.structs import replace

from bdcan_contracts.models import (
    AssignmentMethod,
    Channel,
    Need,
    NeedCode,
    Priority,
    ReferralAmended,
    ReferralAssigned,
    ReferralHeldForTriage,
    ReferralOutOfArea,
    ReferralReassigned,
    ReferralReceived,
    ReferralReopened,
)
from bdcan_routing.domain import assignment
from bdcan_routing.domain.assignment import Assignment, NotAllowedError, State, TriageTimes
from bdcan_routing.domain.gazetteer import Lookup, OutOfArea, Thresholds, Unit
from bdcan_routing.domain.hubs import Hubs
from bdcan_routing.domain.placement import Placer, ToHub
from bdcan_routing.domain.wards import BOROUGH
from bdcan_routing.hubs.configured import configured_hubs

NOW = datetime(2020, 3, 23, 9, tzinfo=UTC)
ID = UUID(int=7)
NEED = Need(need_id=UUID(int=8), code=NeedCode.SHOPPING)
TIMES = TriageTimes()
ABBEY, BEAM, OUTSIDE, UNSURE = "IG11 7NB", "RM10 9AA", "IG1 1AR", "RM8 1AA"
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
    Hubs.of(configured_hubs(None)[0]),
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
    need = Need(need_id=ID, code=NeedCode.SAFEGUARDING_ADULT)
    return ReferralReopened(referral_id=ID, priority=Priority.URGENT, needs=(need,), reopened_at=NOW)


def placed(postcode: str | None) -> Assignment:
    return assignment.received(None, came(postcode), PLACER, TIMES, NOW)[0]


def test_given_an_assigned_referral_when_the_new_postcode_is_unsure_then_it_stays_where_it_is():
    state, events = assignment.amended(placed(ABBEY), changed(UNSURE), PLACER, TIMES, NOW)
    assert (state.hub_id, events) == ("hub-1", [])
    assert state.facts
    assert state.facts.priority is Priority.URGENT


@pytest.mark.parametrize("postcode", [None, "nowhere"])
def test_given_an_assigned_referral_when_the_new_postcode_is_none_then_it_stays_where_it_is(postcode):
    state, events = assignment.amended(placed(ABBEY), changed(postcode), PLACER, TIMES, NOW)
    assert (state.state, state.hub_id, events) == (State.ASSIGNED, "hub-1", [])


def test_given_a_person_placed_it_when_only_its_needs_change_then_the_decision_stands():
    state, _ = assignment.decided(placed(None), "hub-7", "lives-there", "desk", NOW)
    state, events = assignment.amended(state, changed(None), PLACER, TIMES, NOW)
    assert (state.hub_id, events) == ("hub-7", [])


def test_given_a_person_placed_it_when_a_certain_postcode_comes_then_it_moves():
    state, _ = assignment.decided(placed(None), "hub-7", "lives-there", "desk", NOW)
    state, [event] = assignment.amended(state, changed(ABBEY), PLACER, TIMES, NOW)
    assert isinstance(event, ReferralReassigned)
    assert (state.hub_id, event.previous_hub_id, event.version) == ("hub-1", "hub-7", 2 + 1)


def test_given_an_assigned_referral_when_it_moves_out_of_the_borough_then_out_of_area():
    state, [event] = assignment.amended(placed(ABBEY), changed(OUTSIDE), PLACER, TIMES, NOW)
    assert isinstance(event, ReferralOutOfArea)
    assert state.state is State.OUT_OF_AREA


def test_given_it_is_out_of_area_when_it_moves_into_the_borough_then_it_is_assigned():
    state, [event] = assignment.amended(placed(OUTSIDE), changed(BEAM), PLACER, TIMES, NOW)
    assert isinstance(event, ReferralAssigned)
    assert state.hub_id == "hub-7"


def test_given_an_old_amendment_when_it_comes_late_then_it_changes_nothing():
    state = assignment.amended(placed(ABBEY), changed(BEAM, 3), PLACER, TIMES, NOW)[0]
    assert assignment.amended(state, changed(OUTSIDE, 2), PLACER, TIMES, NOW) == (state, [])


def test_given_a_held_referral_when_a_person_places_it_then_the_caller_asks_for_the_address():
    state, [event] = assignment.decided(placed(None), "hub-2", "known-to-the-hub", "desk", NOW)
    assert isinstance(event, ReferralAssigned)
    assert (event.method, event.hub_id, event.confirm_at_call) == (AssignmentMethod.MANUAL, "hub-2", True)
    assert event.contact_due_at == NOW + timedelta(hours=48)
    assert (state.state, state.triage_due_at, state.decided_by) == (State.ASSIGNED, None, "desk")


def test_given_a_held_referral_when_a_person_finds_it_out_of_area_then_it_is():
    _, [event] = assignment.decided(placed(None), None, "lives-in-havering", "desk", NOW)
    assert isinstance(event, ReferralOutOfArea)
    assert event.district_gss is None


@pytest.mark.parametrize("postcode", [ABBEY, OUTSIDE])
def test_given_it_is_not_held_when_a_person_decides_then_refused(postcode):
    with pytest.raises(NotAllowedError, match="not in triage"):
        assignment.decided(placed(postcode), "hub-2", "why", "desk", NOW)


@pytest.mark.parametrize(
    ("postcode", "state"), [(ABBEY, State.ASSIGNED), (OUTSIDE, State.OUT_OF_AREA), (None, State.HELD)]
)
def test_given_it_has_ended_when_a_need_turns_up_then_it_stands_where_it_stood(postcode, state):
    ended = assignment.ended(placed(postcode), ID)
    again, events = assignment.reopened(ended, open_again(), TIMES, NOW)
    assert (again.state, again.verdict) == (state, ended.verdict)
    assert again.facts
    assert (again.facts.priority, again.facts.needs) == (Priority.URGENT, open_again().needs)
    assert [type(event) for event in events] == [ReferralHeldForTriage] * (state is State.HELD)


def test_given_it_is_open_again_when_a_person_moves_it_then_it_moves():
    again, _ = assignment.reopened(assignment.ended(placed(ABBEY), ID), open_again(), TIMES, NOW)
    moved, [event] = assignment.reassigned(again, "hub-7", "why", "desk", NOW)
    assert isinstance(event, ReferralReassigned)
    assert (moved.hub_id, event.previous_hub_id, event.needs) == ("hub-7", "hub-1", open_again().needs)


def test_given_it_is_open_again_out_of_area_when_its_postcode_is_said_again_then_that_is_no_news():
    again, _ = assignment.reopened(assignment.ended(placed(OUTSIDE), ID), open_again(), TIMES, NOW)
    state, events = assignment.amended(again, changed(OUTSIDE), PLACER, TIMES, NOW)
    assert (state.state, events) == (State.OUT_OF_AREA, [])
    assert state.facts
    assert state.facts.postcode == OUTSIDE


@pytest.mark.parametrize("state", [placed(ABBEY), assignment.ended(None, ID)])
def test_given_nothing_that_has_ended_when_told_of_a_need_then_nothing_changes(state):
    assert assignment.reopened(state, open_again(), TIMES, NOW) == (state, [])


def test_given_its_own_hub_when_moved_there_then_refused():
    with pytest.raises(NotAllowedError, match="already"):
        assignment.reassigned(placed(ABBEY), "hub-1", "why", "desk", NOW)


def test_given_it_is_held_when_moved_then_refused():
    with pytest.raises(NotAllowedError, match="Only an assigned"):
        assignment.reassigned(placed(None), "hub-1", "why", "desk", NOW)


def test_given_it_is_decided_when_its_old_deadline_comes_then_nothing():
    assert assignment.still_waiting(placed(ABBEY), TIMES, NOW) is None
    assert assignment.still_waiting(None, TIMES, NOW) is None


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

    def take(self, step: tuple[Assignment, list[assignment.Published]]) -> None:
        before = self.state
        self.state, events = step
        self.now += timedelta(minutes=10)
        for event in events:
            self.published += 1
            assert event.version == self.published
            assert not self.has_ended, "something was published about a referral that has ended"
        if before is not None and events:
            assert (before.state, before.verdict) != (self.state.state, self.state.verdict) or isinstance(
                events[0], ReferralHeldForTriage
            )

    @rule(postcode=postcodes, outreach=st.booleans())
    def referral_comes(self, postcode, outreach):
        self.take(assignment.received(self.state, came(postcode, outreach), PLACER, TIMES, self.now))

    @rule(postcode=postcodes, version=st.integers(2, 5))
    def amendment_comes(self, postcode, version):
        self.take(assignment.amended(self.state, changed(postcode, version), PLACER, TIMES, self.now))

    @rule()
    def it_ends(self):
        self.state = assignment.ended(self.state, ID)
        self.has_ended = True

    @rule()
    def a_need_turns_up(self):
        if self.state is not None:
            self.has_ended = self.has_ended and self.state.verdict is None
            self.take(assignment.reopened(self.state, open_again(), TIMES, self.now))

    @rule()
    def the_deadline_comes(self):
        step = assignment.still_waiting(self.state, TIMES, self.now)
        if step:
            self.take(step)

    @rule(hub=st.sampled_from(["hub-3", "hub-8", None]))
    def a_person_decides(self, hub):
        if self.state is None:
            return
        try:
            self.take(assignment.decided(self.state, hub, "why", "desk", self.now))
        except NotAllowedError:
            assert self.state.state is not State.HELD

    @rule(hub=st.sampled_from(["hub-3", "hub-8"]))
    def a_person_moves_it(self, hub):
        if self.state is None:
            return
        try:
            self.take(assignment.reassigned(self.state, hub, "why", "desk", self.now))
        except NotAllowedError:
            assert self.state.state is not State.ASSIGNED or self.state.hub_id == hub

    @rule()
    def hubs_change(self):
        if self.state is not None and self.state.facts is not None:
            self.take(assignment.tried_again(self.state, PLACER, TIMES, self.now))

    @invariant()
    def it_is_whole(self):
        state = self.state
        if state is None:
            return
        assert (state.state is State.ENDED) == self.has_ended
        assert (state.state is State.HELD) == (state.triage_due_at is not None)
        if state.state is State.ASSIGNED:
            assert isinstance(state.verdict, ToHub)
        if state.state is State.OUT_OF_AREA:
            assert isinstance(state.verdict, OutOfArea)
        if state.state is State.ENDED and state.facts:
            assert state.facts.postcode is None


TestAnyOrder = AnyOrder.TestCase


def test_given_a_step_when_taken_then_the_state_given_is_unchanged():
    state = placed(None)
    copy = replace(state)
    assignment.decided(state, "hub-2", "why", "desk", NOW)
    assert state == copy
