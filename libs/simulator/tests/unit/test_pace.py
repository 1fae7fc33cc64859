"""Submissions that are spread go in when it is their turn, in portions that follow the time."""

from __future__ import annotations

import time

from bdcan_simulator.pace import Pace


async def test_given_no_stretch_of_time_then_everything_goes_in_at_once_and_in_the_largest_portions():
    pace = Pace()
    began = time.monotonic()
    for place in range(1000):
        await pace.turn(place, 1000)
    assert time.monotonic() - began < 1
    assert pace.portion(500, 2000) == 500


async def test_given_a_stretch_of_time_when_each_waits_for_its_turn_then_none_goes_in_early():
    began = time.monotonic()
    pace, went_in = Pace(0.2), []
    for place in range(4):
        await pace.turn(place, 4)
        went_in.append(time.monotonic() - began)
    assert all(at >= 0.2 * place / 4 for place, at in enumerate(went_in))


def test_given_a_stretch_of_time_then_portions_hold_five_seconds_worth_but_never_nothing_and_never_more():
    assert Pace(100).portion(500, 2000) == 100
    assert Pace(100).portion(50, 2000) == 50
    assert Pace(100).portion(500, 3) == 1
