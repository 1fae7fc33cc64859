"""When a resident who was not reached is called again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from bdcan_volunteer_match.domain.ladder import next_slot

ANY_TIME = st.timedeltas(timedelta(0), timedelta(days=400)).map(lambda later: at(0) + later)


def at(hour: int, minute: int = 0, day: int = 23) -> datetime:
    return datetime(2020, 3, day, hour, minute, tzinfo=UTC)


def test_calls_go_from_morning_to_afternoon_to_evening() -> None:
    assert next_slot(at(10)) == (at(12), at(17))
    assert next_slot(at(12)) == (at(17), at(20))
    assert next_slot(at(19, 59)) == (at(9, day=24), at(12, day=24))


def test_before_the_first_slot_of_a_day_comes_that_slot() -> None:
    assert next_slot(at(3)) == (at(9), at(12))


@given(ANY_TIME)
def test_the_next_slot_always_lies_ahead_and_within_the_day(now: datetime) -> None:
    slot = next_slot(now)
    assert now < slot.begins < slot.ends
    assert slot.begins - now <= timedelta(hours=16)


@given(ANY_TIME)
def test_three_more_calls_begin_within_a_day_at_three_times(now: datetime) -> None:
    begins = []
    for _ in range(3):
        now, start = next_slot(now).begins, now
        begins.append((now, start))
    assert begins[-1][0] - begins[0][1] <= timedelta(hours=24)
    assert {b.hour for b, _ in begins} == {9, 12, 17}
