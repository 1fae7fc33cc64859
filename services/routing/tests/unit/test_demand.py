"""When a surge begins and when it ends."""

from __future__ import annotations

import pytest

from bdcan_routing.domain.demand import Change, Sensitivity, expected, judge

USUAL = [4, 6, 5, 5]


@pytest.mark.parametrize(
    ("count", "surging", "over", "change"),
    [
        (20, False, False, Change.SURGED),
        (19, False, False, None),
        (60, True, False, None),
        (60, True, True, None),
        (3, True, False, None),
        (3, True, True, Change.SETTLED),
        (3, False, True, None),
    ],
)
def test_given_a_count_when_judged_then_what_becomes_of_the_surge(count, surging, over, change):
    assert judge(count, USUAL, surging=surging, over=over, sensitivity=Sensitivity(3, 20)) is change


def test_given_a_busy_place_when_judged_then_a_surge_is_so_many_times_the_usual():
    busy = [100, 110, 90]
    assert judge(299, busy, surging=False, over=False, sensitivity=Sensitivity(3, 20)) is None
    assert judge(300, busy, surging=False, over=False, sensitivity=Sensitivity(3, 20)) is Change.SURGED


def test_given_no_history_when_asked_what_is_usual_then_one():
    assert expected([]) == expected([0, 0]) == 1.0
