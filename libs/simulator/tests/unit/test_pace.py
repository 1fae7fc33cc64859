"""Spread submissions are sent in turn, in portions that follow the time."""

from __future__ import annotations

import time

from bdcan_simulator.pace import Pace


async def test_no_time_sends_everything_at_once_in_the_largest_portions():
    pace = Pace()
    began = time.monotonic()
    for place in range(1000):
        await pace.turn(place, 1000)
    assert time.monotonic() - began < 1
    assert pace.portion(500, 2000) == 500


async def test_none_is_sent_before_its_turn():
    began = time.monotonic()
    pace, went_in = Pace(0.2), []
    for place in range(4):
        await pace.turn(place, 4)
        went_in.append(time.monotonic() - began)
    assert all(at >= 0.2 * place / 4 for place, at in enumerate(went_in))


def test_portion_holds_five_seconds_within_its_limits():
    assert Pace(100).portion(500, 2000) == 100
    assert Pace(100).portion(50, 2000) == 50
    assert Pace(100).portion(500, 3) == 1
