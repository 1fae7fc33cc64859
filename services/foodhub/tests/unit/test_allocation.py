"""Which parcel gets stock first."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from bdcan_chassis.ids import new_id
from bdcan_chassis.testing.harness import START
from bdcan_contracts.models import MissingItem, Priority, StockUnit
from bdcan_contracts.vocabulary import NeedCode
from bdcan_foodhub.domain.allocation import allocate
from bdcan_foodhub.domain.contents import Line
from bdcan_foodhub.domain.parcel import Parcel, request
from bdcan_foodhub.domain.stock import Place

SOUP, FISH = Place("central", "soup-tin"), Place("central", "fish-tin")


def parcel(soup: int = 0, fish: int = 0, site_id: str = "central") -> Parcel:
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
    wanted = {"soup-tin": soup, "fish-tin": fish}
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
