"""The cheapest assignment, beside every assignment there is."""

from __future__ import annotations

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from bdcan_volunteer_match.domain.matching import Pair
from bdcan_volunteer_match.optimum import assign

MOST = 1000
TASKS, VOLUNTEERS = 4, 3


def test_nobody_is_assigned_where_nobody_may() -> None:
    assert assign(3, [(0,)], [], MOST) == []


def test_a_volunteer_without_room_gets_nothing() -> None:
    assert assign(1, [()], [Pair(0, 0, 5)], MOST) == []


def test_the_sum_decides_and_not_the_first_choice() -> None:
    pairs = [Pair(0, 0, 0), Pair(0, 1, 10), Pair(1, 0, 100), Pair(1, 1, 500)]
    assert assign(2, [(0,), (0,)], pairs, MOST) == [Pair(0, 1, 10), Pair(1, 0, 100)]


def test_the_earlier_task_goes_first_where_one_must_wait() -> None:
    assert assign(2, [(0,)], [Pair(0, 0, 900), Pair(1, 0, -900)], MOST) == [Pair(0, 0, 900)]


def test_as_many_as_possible_are_assigned_before_any_is_cheap() -> None:
    pairs = [Pair(0, 0, -900), Pair(0, 1, 900), Pair(1, 0, 900)]
    assert assign(2, [(0,), (0,)], pairs, MOST) == [Pair(0, 1, 900), Pair(1, 0, 900)]


def test_a_second_task_of_one_costs_more_than_the_first_of_another() -> None:
    pairs = [Pair(t, v, 100 * v) for t in (0, 1) for v in (0, 1)]
    assert {pair.volunteer for pair in assign(2, [(0, 500), (0, 500)], pairs, MOST)} == {0, 1}
    assert {pair.volunteer for pair in assign(2, [(0, 50), (0, 50)], pairs, MOST)} == {0}


@given(
    st.dictionaries(
        st.tuples(st.integers(0, TASKS - 1), st.integers(0, VOLUNTEERS - 1)), st.integers(-MOST, MOST)
    ),
    st.lists(
        st.lists(st.integers(0, MOST), max_size=2).map(sorted), min_size=VOLUNTEERS, max_size=VOLUNTEERS
    ),
)
def test_no_other_assignment_is_better(costs: dict[tuple[int, int], int], places: list[list[int]]) -> None:
    found = assign(TASKS, places, [Pair(t, v, points) for (t, v), points in costs.items()], MOST)

    def worth(choice: dict[int, int]) -> tuple[int, int, int] | None:
        """How many tasks are assigned, how early they are, and the sum; None where somebody has no room."""
        held = [sum(v == who for who in choice.values()) for v in range(VOLUNTEERS)]
        if any(count > len(places[v]) for v, count in enumerate(held)):
            return None
        points = sum(costs[pair] for pair in choice.items())
        points += sum(sum(places[v][:count]) for v, count in enumerate(held))
        return (len(choice), sum(TASKS - t for t in choice), -points)

    options = [[None, *(v for v in range(VOLUNTEERS) if (t, v) in costs)] for t in range(TASKS)]
    every = [{t: v for t, v in enumerate(c) if v is not None} for c in product(*options)]
    best = max(w for choice in every if (w := worth(choice)) is not None)
    assert worth({pair.task: pair.volunteer for pair in found}) == best
