"""What may happen to a parcel."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from bdcan_chassis.ids import new_id
from bdcan_chassis.testing.harness import START
from bdcan_contracts.models import (
    Diet,
    Household,
    MissingItem,
    NeedCode,
    ParcelCancelled,
    ParcelDelivered,
    ParcelRequested,
    ParcelReturned,
    ParcelShort,
    Priority,
)
from bdcan_foodhub.domain import parcel as parcels
from bdcan_foodhub.domain.errors import NotAllowedError
from bdcan_foodhub.domain.parcel import Parcel, State

SOUP = (MissingItem(item_id="soup-tin", quantity=1),)


def a_parcel(state: State = State.REQUESTED, priority: Priority = Priority.STANDARD) -> Parcel:
    made, _events = parcels.request(
        new_id(), new_id(), new_id(), NeedCode.FOOD_PARCEL, "thames", "central", priority, None, (), START
    )
    packed = state in {State.PACKED, State.DISPATCHED, State.DELIVERED}
    return replace(made, state=state, bags=1 if packed else None, weight_grams=1 if packed else None)


@pytest.mark.parametrize(
    ("priority", "hours"), [(Priority.URGENT, 24), (Priority.STANDARD, 72), (Priority.ROUTINE, 120)]
)
def test_given_a_priority_when_a_parcel_is_requested_then_it_is_due_accordingly(priority, hours):
    assert a_parcel(priority=priority).due_at == START + timedelta(hours=hours)


@pytest.mark.parametrize("state", set(State) - {State.RESERVED, State.PICKING})
def test_given_a_parcel_that_holds_no_stock_when_it_is_picked_then_that_is_refused(state):
    with pytest.raises(NotAllowedError, match=state.value):
        parcels.start_picking(a_parcel(state), START)


@pytest.mark.parametrize("state", set(State) - {State.PICKING, State.PACKED})
def test_given_a_parcel_that_is_not_being_picked_when_it_is_packed_then_that_is_refused(state):
    with pytest.raises(NotAllowedError, match=state.value):
        parcels.pack(a_parcel(state), None, None, START)


def test_given_a_packed_parcel_when_it_is_packed_again_then_nothing_changes():
    packed = a_parcel(State.PACKED)
    assert parcels.pack(packed, 9, 9, START) == (packed, ())


def test_given_no_count_when_it_is_packed_then_bags_and_weight_follow_from_the_lines():
    packed, _events = parcels.pack(a_parcel(State.PICKING), None, None, START)
    assert packed.weight_grams is not None
    assert packed.weight_grams > 5000
    assert packed.bags == -(-packed.weight_grams // 8000)


def test_given_a_short_parcel_when_it_is_looked_at_before_its_time_then_it_says_nothing_new():
    short, events = parcels.fall_short(a_parcel(), SOUP, START)
    again, silence = parcels.fall_short(
        replace(short, state=State.REQUESTED), SOUP, START + timedelta(hours=1)
    )
    assert [type(e) for e in events] == [ParcelShort]
    assert silence == ()
    assert again.retry_at == short.retry_at


def test_given_a_short_parcel_when_its_time_has_come_then_it_says_so_again_with_a_new_time():
    short, _events = parcels.fall_short(a_parcel(), SOUP, START)
    later = START + parcels.RETRY_AFTER
    again, events = parcels.fall_short(replace(short, state=State.REQUESTED), SOUP, later)
    assert [type(e) for e in events] == [ParcelShort]
    assert again.retry_at == later + parcels.RETRY_AFTER


def test_given_a_parcel_on_the_road_when_the_delivery_fails_then_it_waits_packed_for_the_next_volunteer():
    back, events = parcels.come_back(a_parcel(State.DISPATCHED), "nobody-home", START)
    assert back.state is State.PACKED
    assert [type(e) for e in events] == [ParcelReturned]


@pytest.mark.parametrize("state", [State.PACKED, State.DISPATCHED])
def test_given_a_packed_parcel_when_its_task_is_done_then_it_is_delivered(state):
    after, events = parcels.deliver(a_parcel(state), START)
    assert after.state is State.DELIVERED
    assert [type(e) for e in events] == [ParcelDelivered]


@pytest.mark.parametrize("state", [State.DELIVERED, State.CANCELLED, State.DISPATCHED])
def test_given_a_parcel_on_the_road_or_at_its_end_when_it_is_cancelled_then_it_is_left_alone(state):
    before = a_parcel(state)
    assert parcels.cancel(before, "referral-withdrawn", START) == (before, ())


@pytest.mark.parametrize("state", [State.REQUESTED, State.SHORT, State.RESERVED, State.PICKING, State.PACKED])
def test_given_a_parcel_that_has_not_left_when_it_is_cancelled_then_it_ends(state):
    after, events = parcels.cancel(a_parcel(state), "referral-withdrawn", START)
    assert after.state is State.CANCELLED
    assert [type(e) for e in events] == [ParcelCancelled]


def test_given_a_reserved_parcel_when_a_call_finds_an_allergy_then_it_is_made_up_again():
    before = a_parcel(State.RESERVED)
    after, events = parcels.refill(before, before.code, None, (Diet.NUT_ALLERGY, Diet.SEAFOOD_ALLERGY), START)
    assert after.state is State.REQUESTED
    assert "fish-tin" not in {line.item_id for line in after.lines}
    assert [type(e) for e in events] == [ParcelRequested]


def test_given_a_parcel_in_picking_when_a_call_changes_the_household_then_it_goes_out_as_it_is():
    before = a_parcel(State.PICKING)
    assert parcels.refill(before, before.code, Household(adults=9), (), START) == (before, ())


def test_given_the_same_contents_when_a_call_confirms_again_then_nothing_changes():
    before = a_parcel(State.RESERVED)
    assert parcels.refill(before, before.code, before.household, (), START) == (before, ())


def test_given_a_reserved_parcel_when_another_hub_takes_over_then_its_stock_stays_where_it_is():
    assert parcels.move_hub(a_parcel(State.RESERVED), "heath", "becontree").site_id == "central"
    assert parcels.move_hub(a_parcel(State.SHORT), "heath", "becontree").site_id == "becontree"
