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
def test_count_begins_or_ends_a_surge(count, surging, over, change):
    assert judge(count, USUAL, surging=surging, over=over, sensitivity=Sensitivity(3, 20)) is change


def test_surge_of_a_busy_place_is_a_multiple_of_its_usual_demand():
    busy = [100, 110, 90]
    assert judge(299, busy, surging=False, over=False, sensitivity=Sensitivity(3, 20)) is None
    assert judge(300, busy, surging=False, over=False, sensitivity=Sensitivity(3, 20)) is Change.SURGED


def test_usual_demand_without_a_history_is_one():
    assert expected([]) == expected([0, 0]) == 1.0
