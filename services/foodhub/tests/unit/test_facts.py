"""The table of facts and states, cell by cell, and any order of changes and work."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec.structs import replace

from bdcan_chassis.ids import new_id
from bdcan_chassis.step import Step
from bdcan_chassis.testing.harness import START
from bdcan_contracts.models import (
    Household,
    ParcelRequested,
    ParcelStopped,
    ParcelWarned,
    Priority,
    ReferralAmended,
)
from bdcan_contracts.vocabulary import Diet, Fact, NeedCode
from bdcan_foodhub.domain import parcel as parcels
from bdcan_foodhub.domain.contents import unsuitable
from bdcan_foodhub.domain.facts import RULES, Rule, bring_back, follow
from bdcan_foodhub.domain.parcel import FINAL, PACKED, Decision, Parcel, State, stock_moves
from bdcan_foodhub.domain.referral import Referral, Word, amend
from bdcan_foodhub.domain.stock import MoveKind, Movement, Promise

LATER = START + timedelta(minutes=5)
ONE, SIX = Household(adults=1), Household(adults=6)


def in_state(state: State) -> Parcel:
    made = parcels.request(
        new_id(),
        new_id(),
        new_id(),
        NeedCode.FOOD_PARCEL,
        "thames",
        "central",
        Priority.STANDARD,
        ONE,
        (),
        START,
    ).state
    return replace(made, state=state, bags=1 if state in PACKED else None, weight_grams=1, retry_at=START)


def changed(fact: Fact, parcel: Parcel) -> Step[Parcel]:
    """Tell the parcel that a fact changed."""
    desk = Word(LATER, Priority.STANDARD, (), ONE, LATER)
    match fact:
        case Fact.DIETS:
            desk = replace(desk, diets=(Diet.SEAFOOD_ALLERGY.value,))
        case Fact.HOUSEHOLD:
            desk = replace(desk, household=SIX)
        case Fact.PRIORITY:
            desk = replace(desk, priority=Priority.URGENT)
        case Fact.FLAGS:
            desk = replace(desk, flags=("shielding",))
        case _:
            pass
    code = NeedCode.HYGIENE_SUPPLIES if fact is Fact.NEEDS else None
    named = (fact.value,) if fact in {Fact.ADDRESS, Fact.CONSENT, Fact.LANGUAGE, Fact.PERSON} else ()
    return follow(parcel, Referral(parcel.referral_id, desk=desk), LATER, named=named, code=code)


CELLS = [(fact, state) for fact in RULES for state in State]


@pytest.mark.parametrize(("fact", "state"), CELLS, ids=lambda it: it.value)
def test_each_cell_of_the_table_holds(fact, state):
    before = in_state(state)
    step = changed(fact, before)
    kinds = {type(event) for event in step.events}
    match RULES[fact][state]:
        case Rule.FOLLOW:
            assert not step.state.noticed
            assert step.state.stopped is False
            if fact in {Fact.DIETS, Fact.HOUSEHOLD, Fact.NEEDS}:
                assert step.state.state is State.REQUESTED
                assert step.state.lines == step.state.wanted != before.lines
                assert kinds == {ParcelRequested}
            if fact is Fact.PRIORITY:
                assert step.state.due_at == LATER + timedelta(hours=24)
                assert step.deadlines[parcels.DUE] == step.state.due_at
        case Rule.STOP:
            assert (step.state.stopped, step.state.state, step.state.lines) == (True, state, before.lines)
            assert kinds == {ParcelStopped}
        case Rule.WARN:
            assert (step.state.stopped, step.state.noticed, step.state.lines) == (False, True, before.lines)
            assert kinds == {ParcelWarned}
        case Rule.LEAVE:
            assert step == Step(before)
    assert changed(fact, step.state).events == (), "the same news changes nothing more"


@pytest.mark.parametrize("state", [State.PACKED, State.DISPATCHED])
def test_all_that_changed_at_once_is_one_notice(state):
    desk = Word(LATER, Priority.STANDARD, (Diet.SEAFOOD_ALLERGY.value,), SIX, LATER, ("no-postcode",))
    named = (Fact.DIETS.value, Fact.HOUSEHOLD.value, Fact.ADDRESS.value)
    before = in_state(state)
    step = follow(before, Referral(before.referral_id, desk=desk), LATER, named=named)
    (notice,) = step.events
    assert isinstance(notice, ParcelStopped | ParcelWarned)
    assert set(notice.facts) == set(named), "flags that foodhub had not heard of are no change"
    assert step.state.flags == ("no-postcode",)


def test_table_has_a_rule_for_every_state():
    assert all(set(row) == set(State) for row in RULES.values())
    about_goods = {Fact.RECALL, Fact.EXPIRED, Fact.BACK_ORDER, Fact.MISCOUNT, Fact.NOTES}
    assert set(RULES) == set(Fact) - about_goods


@dataclass
class Shelf:
    """What the moves of one parcel add up to."""

    reserved: int = 0
    issued: int = 0


DIETS = st.sets(st.sampled_from([*Diet, "celery-allergy"]), max_size=3)
HOMES = st.builds(Household, adults=st.integers(1, 6), children=st.integers(0, 3), infants=st.integers(0, 1))


class Life(RuleBasedStateMachine):
    """Facts change while people reserve, pick, pack, carry and decide. What leaves fits what was known, or a person said so."""

    @initialize(diets=DIETS, home=HOMES)
    def begin(self, diets, home):
        self.now, self.version, self.task_id = START, 1, new_id()
        self.parcel = in_state(State.REQUESTED)
        self.referral = Referral(self.parcel.referral_id)
        self.shelf = Shelf()
        self.amend(diets, home, Priority.STANDARD)

    def put(self, step):
        for one in stock_moves(self.parcel, step.state):
            if isinstance(one, Promise):
                self.shelf.reserved += one.quantity
            elif isinstance(one, Movement):
                sign = 1 if one.kind is MoveKind.ISSUED else -1
                self.shelf.issued += sign * one.quantity
                self.shelf.reserved -= one.quantity if sign > 0 else 0
        self.parcel = step.state

    @rule(diets=DIETS, home=HOMES, priority=st.sampled_from(Priority))
    def amend(self, diets, home, priority):
        self.now += timedelta(minutes=1)
        self.version += 1
        event = ReferralAmended(
            referral_id=self.referral.referral_id,
            version=self.version,
            priority=priority,
            household=home,
            needs=(),
            diets=tuple(sorted(diets)),
            amended_at=self.now,
        )
        self.referral = amend(self.referral, event).state
        self.put(follow(self.parcel, self.referral, self.now))

    @precondition(lambda self: self.parcel.state in parcels.WAITING and not self.parcel.stopped)
    @rule()
    def reserve(self):
        if self.parcel.undecided:
            self.put(parcels.decide_diets(self.parcel, (Diet.VEGAN.value,), self.now))
        else:
            self.put(parcels.reserve(self.parcel, self.now))

    @precondition(lambda self: self.parcel.state is State.RESERVED)
    @rule()
    def pick(self):
        self.put(parcels.start_picking(self.parcel, self.now))

    @precondition(lambda self: self.parcel.state is State.PICKING and not self.parcel.stopped)
    @rule()
    def pack(self):
        self.put(parcels.pack(self.parcel, None, None, self.now))

    @precondition(lambda self: self.parcel.state is State.PACKED)
    @rule()
    def accept(self):
        self.put(parcels.dispatch(self.parcel, self.task_id, self.now))

    @precondition(lambda self: self.parcel.state is State.DISPATCHED)
    @rule(delivered=st.booleans())
    def report(self, delivered):
        step = parcels.deliver(self.parcel, self.now) if delivered else bring_back(self.parcel, "x", self.now)
        self.put(step)

    @precondition(lambda self: self.parcel.stopped)
    @rule(decision=st.sampled_from(Decision))
    def decide(self, decision):
        self.put(parcels.decide(self.parcel, decision, "seen", "site", self.now))

    @invariant()
    def what_leaves_fits(self):
        left = self.parcel.departure
        if left is not None and not left.kept:
            assert unsuitable(self.parcel.lines, left.diets) == ()

    @invariant()
    def what_does_not_fit_waits_for_a_person(self):
        parcel = self.parcel
        if parcel.state not in FINAL | {State.DISPATCHED} and frozenset(parcel.lines) != frozenset(
            parcel.wanted
        ):
            kept = any(n.decision == Decision.KEEP for n in parcel.notices)
            assert parcel.stopped or kept

    @invariant()
    def stock_follows(self):
        total = sum(line.quantity for line in self.parcel.lines)
        assert self.shelf.reserved == (total if self.parcel.state in parcels.HOLDING else 0)
        assert self.shelf.issued == (total if self.parcel.state in PACKED else 0)


TestLife = Life.TestCase
