"""When a resident who was not reached is called again."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from volunteer_match_story import CALENDAR

from bdcan_chassis.calendar import make_calendar
from bdcan_volunteer_match.domain.ladder import LEAST_GAP, next_slot

ANY_TIME = st.timedeltas(timedelta(0), timedelta(days=400)).map(lambda later: at(0) + later)


def at(hour: int, minute: int = 0, day: int = 23) -> datetime:
    return datetime(2020, 3, day, hour, minute, tzinfo=UTC)


def test_calls_go_from_morning_to_afternoon_to_evening() -> None:
    assert next_slot(at(10), CALENDAR) == (at(12), at(17))
    assert next_slot(at(12), CALENDAR) == (at(17), at(20))
    assert next_slot(at(19, 59), CALENDAR) == (at(9, day=24), at(12, day=24))


def test_before_the_first_slot_of_a_day_comes_that_slot() -> None:
    assert next_slot(at(3), CALENDAR) == (at(9), at(12))


def test_slots_are_local_in_summer_too() -> None:
    june = datetime(2020, 6, 23, 8, tzinfo=UTC)  # nine o'clock in the morning
    assert next_slot(june, CALENDAR) == (june.replace(hour=11), june.replace(hour=16))
    assert next_slot(june.replace(hour=18), CALENDAR) == (
        datetime(2020, 6, 24, 8, tzinfo=UTC),
        datetime(2020, 6, 24, 11, tzinfo=UTC),
    )


def test_a_call_just_before_noon_is_not_repeated_at_noon() -> None:
    assert next_slot(at(11, 59), CALENDAR) == (at(13, 59), at(17))


def test_slots_keep_to_the_hours_in_which_people_may_be_rung() -> None:
    short = make_calendar(calling_hours="10:00-18:30")
    assert next_slot(at(3), short) == (at(10), at(12))
    assert next_slot(at(14), short) == (at(17), at(18, 30))
    early = make_calendar(calling_hours="06:00-08:00")
    assert next_slot(at(14), early) == (at(6, day=24), at(8, day=24))


@given(ANY_TIME)
def test_the_next_slot_lies_ahead_within_the_day_and_the_calling_hours(now: datetime) -> None:
    slot = next_slot(now, CALENDAR)
    assert now + LEAST_GAP <= slot.begins < slot.ends
    assert slot.begins - now <= timedelta(hours=18)
    assert CALENDAR.may_ring(slot.begins)
    assert CALENDAR.local_date(slot.begins) == CALENDAR.local_date(slot.ends)


@given(ANY_TIME)
def test_three_more_calls_begin_within_a_day_at_three_times(now: datetime) -> None:
    now = CALENDAR.next_calling(now)
    begins = []
    for _ in range(3):
        last, now = now, next_slot(now, CALENDAR).begins
        begins.append((last, now))
    assert begins[-1][1] - begins[0][0] <= timedelta(hours=25)  # 25 in the night in which the clocks go back
    names = [
        "morning" if h < 12 else "afternoon" if h < 17 else "evening" for h in hours(b for _, b in begins)
    ]
    assert len(set(names)) == 3


def hours(begins: Iterable[datetime]) -> list[int]:
    return [CALENDAR.local(at).hour for at in begins]
