"""Which parcel gets stock first."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from msgspec.structs import replace

from bdcan_chassis.ids import new_id
from bdcan_chassis.testing.harness import START
from bdcan_contracts.models import MissingItem, Priority, StockUnit
from bdcan_contracts.vocabulary import NeedCode
from bdcan_foodhub.domain.allocation import allocate, turn
from bdcan_foodhub.domain.contents import Line
from bdcan_foodhub.domain.parcel import Parcel, request
from bdcan_foodhub.domain.stock import Place

SOUP, FISH, ROLLS = (
    Place("central", "soup-tin"),
    Place("central", "fish-tin"),
    Place("central", "toilet-roll"),
)


def parcel(soup: int = 0, fish: int = 0, site_id: str = "central", rolls: int = 0) -> Parcel:
    made = request(
        new_id(),
        new_id(),
        new_id(),
        NeedCode.FOOD_PARCEL,
        "thames",
        site_id,
        Priority.STANDARD,
        None,
        (),
        START,
    ).state
    wanted = {"soup-tin": soup, "fish-tin": fish, "toilet-roll": rolls}
    lines = tuple(Line(item, StockUnit.EACH, n) for item, n in wanted.items() if n)
    return replace(made, lines=lines)


def test_first_in_due_order_gets_what_is_enough_for_one():
    first, second = parcel(soup=2), parcel(soup=2)
    plan = allocate({SOUP: 3}, [first, second])
    assert plan.reserved == (first.parcel_id,)
    assert plan.short == {second.parcel_id: (MissingItem(item_id="soup-tin", quantity=1),)}


def test_nobody_overtakes_on_a_short_item():
    large, small, other = parcel(soup=10), parcel(soup=1), parcel(fish=1)
    plan = allocate({SOUP: 9, FISH: 1}, [large, small, other])
    assert plan.reserved == (other.parcel_id,)
    assert set(plan.short) == {large.parcel_id, small.parcel_id}


def test_short_parcel_keeps_none_of_its_other_items():
    both, fish = parcel(soup=1, fish=1), parcel(fish=1)
    plan = allocate({FISH: 1}, [both, fish])
    assert plan.reserved == (fish.parcel_id,)
    assert plan.short == {both.parcel_id: (MissingItem(item_id="soup-tin", quantity=1),)}


def test_parcel_takes_from_its_own_site_only():
    here, there = parcel(soup=1), parcel(soup=1, site_id="becontree")
    plan = allocate({SOUP: 5}, [there, here])
    assert plan.reserved == (here.parcel_id,)


@given(
    free=st.tuples(st.integers(0, 20), st.integers(0, 20)),
    wanted=st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)).filter(any), max_size=12),
)
def test_no_more_is_promised_than_there_is(free, wanted):
    parcels = [parcel(soup, fish) for soup, fish in wanted]
    plan = allocate({SOUP: free[0], FISH: free[1]}, parcels)
    by_id = {p.parcel_id: p for p in parcels}
    for place in (SOUP, FISH):
        promised = sum(
            x.quantity for i in plan.reserved for x in by_id[i].lines if x.item_id == place.item_id
        )
        assert promised <= {SOUP: free[0], FISH: free[1]}[place]
    assert set(plan.reserved) | set(plan.short) == by_id.keys()
    assert not set(plan.reserved) & set(plan.short)
    assert START + timedelta(hours=72) == parcels[0].due_at if parcels else True


def test_food_goes_when_only_rolls_are_missing():
    both, soup = parcel(soup=1, rolls=2), parcel(soup=1, rolls=1)
    plan = allocate({SOUP: 2, ROLLS: 1}, [both, soup])
    assert plan.reserved == (both.parcel_id, soup.parcel_id)
    assert plan.later == {both.parcel_id: (both.lines[1],), soup.parcel_id: (soup.lines[1],)}, (
        "first is first"
    )


def test_parcel_with_rolls_alone_waits_for_them():
    rolls = parcel(rolls=2)
    assert allocate({ROLLS: 1}, [rolls]).short.keys() == {rolls.parcel_id}


def test_parcel_that_waits_outside_the_pass_is_not_overtaken():
    first, second = parcel(soup=9), replace(parcel(soup=1), due_at=START + timedelta(days=9))
    plan = allocate({SOUP: 8}, [second], ahead={SOUP: turn(first)})
    assert plan.short.keys() == {second.parcel_id}


class Passes(RuleBasedStateMachine):
    """Parcels and stock come in any order, over many passes. Only what became free wakes who lacks it, as in the planner."""

    @initialize()
    def begin(self):
        self.free = {SOUP: 0, FISH: 0, ROLLS: 0}
        self.more, self.waiting, self.short, self.owing, self.age = set(), {}, {}, {}, 0

    @rule(soup=st.integers(0, 5), fish=st.integers(0, 5), rolls=st.integers(0, 3), hours=st.integers(0, 100))
    def ask(self, soup, fish, rolls, hours):
        if soup or fish or rolls:
            one = replace(parcel(soup, fish, rolls=rolls), due_at=START + timedelta(hours=hours))
            self.waiting[one.parcel_id] = one

    @rule(place=st.sampled_from([SOUP, FISH, ROLLS]), quantity=st.integers(1, 8))
    def receive(self, place, quantity):
        self.free[place] += quantity
        self.more.add(place.item_id)

    @rule()
    def run(self):
        for one, missing in list(self.short.values()):
            if missing & self.more:
                del self.short[one.parcel_id]
                self.waiting[one.parcel_id] = one
        owing = {i: p for i, p in self.owing.items() if set(p.owed_items) & self.more}
        self.more.clear()
        queue = sorted([*self.waiting.values(), *owing.values()], key=turn)
        plan = allocate(self.free, queue, ahead=self._ahead(queue), owing=frozenset(owing))
        taken = {}
        for one in queue:
            later = plan.later.get(one.parcel_id, ())
            if one.parcel_id in plan.reserved:
                taken[one.parcel_id] = tuple(x for x in one.lines if x not in later)
                if later:
                    self.owing[one.parcel_id] = replace(one, lines=taken[one.parcel_id], back_order=later)
            elif lines := plan.filled.get(one.parcel_id):
                taken[one.parcel_id] = lines
                rest = tuple(x for x in one.back_order if x not in lines)
                self.owing[one.parcel_id] = replace(one, back_order=rest)
                if not rest:
                    del self.owing[one.parcel_id]
            elif one.parcel_id in plan.short:
                self.short[one.parcel_id] = (one, {m.item_id for m in plan.short[one.parcel_id]})
        self.waiting.clear()
        for one in queue:
            for line in taken.get(one.parcel_id, ()):
                self.free[Place("central", line.item_id)] -= line.quantity
                self._must_not_overtake(one, line.item_id)

    def _must_not_overtake(self, one, item_id):
        for other, missing in self.short.values():
            assert item_id not in missing or turn(one) < turn(other)
        for other in self.owing.values():
            assert item_id not in other.owed_items or turn(one) < turn(other)

    def _ahead(self, queue):
        here = {one.parcel_id for one in queue}
        first = {}
        claims = [(one, missing) for one, missing in self.short.values()]
        claims += [(one, set(one.owed_items)) for one in self.owing.values() if one.parcel_id not in here]
        for one, items in claims:
            for item in items:
                place = Place("central", item)
                first[place] = min(first.get(place, turn(one)), turn(one))
        return first

    @invariant()
    def nothing_is_promised_twice(self):
        assert all(quantity >= 0 for quantity in self.free.values())

    @invariant()
    def food_waits_for_food_only(self):
        for one, missing in self.short.values():
            food = {x.item_id for x in one.lines} - {"toilet-roll"}
            assert not food or missing & food


TestPasses = Passes.TestCase
