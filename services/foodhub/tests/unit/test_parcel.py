"""What may happen to a parcel."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from bdcan_chassis.ids import new_id
from bdcan_chassis.step import Step
from bdcan_chassis.testing.harness import START
from bdcan_contracts.models import (
    Household,
    MissingItem,
    ParcelCancelled,
    ParcelDelivered,
    ParcelRequested,
    ParcelReturned,
    ParcelShort,
    Priority,
)
from bdcan_contracts.vocabulary import Diet, NeedCode
from bdcan_foodhub.domain import parcel as parcels
from bdcan_foodhub.domain.errors import NotAllowedError
from bdcan_foodhub.domain.parcel import DUE, RETRY, Parcel, State
from bdcan_foodhub.domain.stock import MoveKind, Movement

SOUP = (MissingItem(item_id="soup-tin", quantity=1),)


def a_parcel(state: State = State.REQUESTED, priority: Priority = Priority.STANDARD) -> Parcel:
    made = parcels.request(
        new_id(), new_id(), new_id(), NeedCode.FOOD_PARCEL, "thames", "central", priority, None, (), START
    ).state
    packed = state in {State.PACKED, State.DISPATCHED, State.DELIVERED}
    return replace(made, state=state, bags=1 if packed else None, weight_grams=1 if packed else None)


@pytest.mark.parametrize(
    ("priority", "hours"), [(Priority.URGENT, 24), (Priority.STANDARD, 72), (Priority.ROUTINE, 120)]
)
def test_parcel_is_due_by_its_priority(priority, hours):
    assert a_parcel(priority=priority).due_at == START + timedelta(hours=hours)


def test_new_parcel_has_a_deadline():
    step = parcels.request(
        new_id(), new_id(), new_id(), NeedCode.FOOD_PARCEL, "x", "y", Priority.URGENT, None, (), START
    )
    assert step.deadlines == {DUE: step.state.due_at}


@pytest.mark.parametrize("state", set(State) - {State.RESERVED, State.PICKING})
def test_parcel_without_stock_cannot_be_picked(state):
    with pytest.raises(NotAllowedError, match=state.value):
        parcels.start_picking(a_parcel(state), START)


@pytest.mark.parametrize("state", set(State) - {State.PICKING, State.PACKED})
def test_parcel_that_is_not_being_picked_cannot_be_packed(state):
    with pytest.raises(NotAllowedError, match=state.value):
        parcels.pack(a_parcel(state), None, None, START)


def test_packing_twice_changes_nothing():
    packed = a_parcel(State.PACKED)
    assert parcels.pack(packed, 9, 9, START) == Step(packed)


def test_bags_and_weight_follow_from_the_lines():
    packed = parcels.pack(a_parcel(State.PICKING), None, None, START).state
    assert packed.weight_grams is not None
    assert packed.weight_grams > 5000
    assert packed.bags == -(-packed.weight_grams // 8000)


def test_short_parcel_says_nothing_new_before_its_time():
    short = parcels.fall_short(a_parcel(), SOUP, START)
    again = parcels.fall_short(parcels.look_again(short.state).state, SOUP, START + timedelta(hours=1))
    assert [type(e) for e in short.events] == [ParcelShort]
    assert again.events == ()
    assert again.deadlines == short.deadlines == {RETRY: short.state.retry_at}


def test_short_parcel_says_so_again_at_its_time():
    short = parcels.fall_short(a_parcel(), SOUP, START).state
    later = START + parcels.RETRY_AFTER
    again = parcels.fall_short(parcels.look_again(short).state, SOUP, later)
    assert [type(e) for e in again.events] == [ParcelShort]
    assert again.deadlines == {RETRY: later + parcels.RETRY_AFTER}


def test_reserved_parcel_is_not_looked_at_again():
    short = parcels.fall_short(a_parcel(), SOUP, START).state
    assert parcels.reserve(short, START).deadlines == {RETRY: None}


@pytest.mark.parametrize("state", set(State) - {State.SHORT})
def test_only_short_parcels_are_looked_at_again(state):
    before = a_parcel(state)
    assert parcels.look_again(before) == Step(before)


@pytest.mark.parametrize("state", set(State) - parcels.FINAL)
def test_parcel_that_is_due_is_overdue_until_it_is_at_the_door(state):
    step = parcels.fall_due(a_parcel(state), START)
    assert step.state.overdue
    assert step.deadlines == {DUE: START + parcels.LOOK_AGAIN_AFTER}


def test_failed_delivery_waits_packed_for_the_next_volunteer():
    step = parcels.come_back(a_parcel(State.DISPATCHED), "nobody-home", START)
    assert step.state.state is State.PACKED
    assert [type(e) for e in step.events] == [ParcelReturned]


@pytest.mark.parametrize("state", [State.PACKED, State.DISPATCHED])
def test_parcel_is_delivered_when_its_task_is_done(state):
    step = parcels.deliver(a_parcel(state), START)
    assert step.state.state is State.DELIVERED
    assert [type(e) for e in step.events] == [ParcelDelivered]
    assert step.deadlines == {DUE: None}


@pytest.mark.parametrize("state", [State.DELIVERED, State.CANCELLED, State.DISPATCHED])
def test_parcel_on_the_road_or_at_its_end_is_not_cancelled(state):
    before = a_parcel(state)
    assert parcels.cancel(before, "referral-withdrawn", START) == Step(before)


@pytest.mark.parametrize("state", [State.REQUESTED, State.SHORT, State.RESERVED, State.PICKING, State.PACKED])
def test_parcel_that_has_not_left_can_be_cancelled(state):
    step = parcels.cancel(a_parcel(state), "referral-withdrawn", START)
    assert step.state.state is State.CANCELLED
    assert [type(e) for e in step.events] == [ParcelCancelled]
    assert step.deadlines == {DUE: None}


def test_reserved_parcel_is_refilled_when_diets_change():
    before = a_parcel(State.RESERVED)
    diets = (Diet.NUT_ALLERGY, Diet.SEAFOOD_ALLERGY)
    step = parcels.refill(before, before.code, None, diets, START)
    assert step.state.state is State.REQUESTED
    assert "fish-tin" not in {line.item_id for line in step.state.lines}
    assert [type(e) for e in step.events] == [ParcelRequested]


def test_parcel_in_picking_goes_out_as_it_is():
    before = a_parcel(State.PICKING)
    assert parcels.refill(before, before.code, Household(adults=9), (), START) == Step(before)


def test_same_contents_change_nothing():
    before = a_parcel(State.RESERVED)
    assert parcels.refill(before, before.code, before.household, (), START) == Step(before)


def test_reserved_stock_stays_at_its_site_when_another_hub_takes_over():
    assert parcels.move_hub(a_parcel(State.RESERVED), "heath", "becontree").state.site_id == "central"
    assert parcels.move_hub(a_parcel(State.SHORT), "heath", "becontree").state.site_id == "becontree"


def test_stock_follows_the_parcel():
    requested, reserved, packed = map(a_parcel, (State.REQUESTED, State.RESERVED, State.PACKED))
    moves = parcels.stock_moves
    assert [move.quantity for move in moves(requested, reserved)] == [x.quantity for x in reserved.lines]
    assert [move.quantity for move in moves(reserved, requested)] == [-x.quantity for x in reserved.lines]
    assert {move.kind for move in moves(reserved, packed) if isinstance(move, Movement)} == {MoveKind.ISSUED}
    assert {move.kind for move in moves(packed, requested) if isinstance(move, Movement)} == {
        MoveKind.PUT_BACK
    }
    assert moves(packed, a_parcel(State.DISPATCHED)) == ()
