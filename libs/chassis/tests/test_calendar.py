"""One calendar: local time over the changes of the clocks, working time, and bank holidays."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import example
from hypothesis import given as for_all
from hypothesis import strategies as st

from bdcan_chassis.calendar import Hours, make_calendar, parse_hours

ENGLAND = make_calendar()
ZONES = [
    make_calendar(time_zone=zone, working_hours=hours, working_days="mon tue wed thu fri sat sun")
    for zone in ("Europe/London", "Australia/Lord_Howe", "Asia/Beirut", "America/St_Johns", "UTC")
    for hours in ("08:00-18:00", "00:00-24:00", "01:15-02:45")
]
SPRING, AUTUMN = date(2020, 3, 29), date(2020, 10, 25)

calendars = st.sampled_from([ENGLAND, *ZONES])
instants = st.integers(0, 21_000_000).map(
    lambda minute: utc("2000-01-01T00:00") + timedelta(minutes=minute)
) | st.builds(
    lambda day, minutes: datetime.combine(day, time(), UTC) + timedelta(minutes=minutes),
    st.sampled_from(
        [SPRING, AUTUMN, date(2019, 12, 31), date(2020, 12, 24), date(2020, 2, 29), date(2024, 2, 29)]
    ),
    st.integers(-180, 36 * 60),
)
days = st.dates(date(2000, 1, 1), date(2040, 12, 31)) | st.sampled_from([SPRING, AUTUMN])
clock_times = st.times().filter(lambda at: at.tzinfo is None)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_local_date_is_the_one_on_the_wall() -> None:
    assert ENGLAND.local_date(utc("2020-06-30T23:30")) == date(2020, 7, 1)
    assert ENGLAND.local_date(utc("2020-12-31T23:30")) == date(2020, 12, 31)


def test_hours_of_a_day_follow_the_clocks() -> None:
    morning = Hours(time(9), time(12))
    assert ENGLAND.span(date(2020, 3, 28), morning) == (utc("2020-03-28T09:00"), utc("2020-03-28T12:00"))
    assert ENGLAND.span(SPRING, morning) == (utc("2020-03-29T08:00"), utc("2020-03-29T11:00"))
    assert ENGLAND.span(date(2020, 6, 1), morning).begins == utc("2020-06-01T08:00")
    whole = parse_hours("00:00-24:00")
    assert ENGLAND.span(SPRING, whole).ends - ENGLAND.span(SPRING, whole).begins == timedelta(hours=23)
    assert ENGLAND.span(AUTUMN, whole).ends - ENGLAND.span(AUTUMN, whole).begins == timedelta(hours=25)


def test_time_that_spring_skips_is_the_moment_of_the_change() -> None:
    for skipped in (time(1), time(1, 30), time(1, 59, 59, 5), time(2)):
        assert ENGLAND.instant(SPRING, skipped) == utc("2020-03-29T01:00")


def test_time_that_comes_twice_is_the_first() -> None:
    assert ENGLAND.instant(AUTUMN, time(1, 30)) == utc("2020-10-25T00:30")
    assert ENGLAND.instant(AUTUMN, time(2)) == utc("2020-10-25T02:00")


@for_all(calendars, days, clock_times, clock_times)
def test_later_time_of_day_never_comes_earlier(calendar, day: date, one: time, other: time) -> None:
    first, last = sorted((one, other))
    assert calendar.instant(day, first) <= calendar.instant(day, last)
    assert calendar.instant(day, last) <= calendar.instant(day + timedelta(days=1), time.min)


@for_all(calendars, instants)
def test_every_instant_lies_in_its_local_day(calendar, at: datetime) -> None:
    assert at in calendar.span(calendar.local_date(at), parse_hours("00:00-24:00"))


@pytest.mark.parametrize(
    ("at", "rings"),
    [
        ("2020-06-01T08:00", True),  # nine o'clock in summer
        ("2020-06-01T07:59", False),
        ("2020-06-01T19:00", False),
        ("2020-12-01T08:30", False),
        ("2020-12-01T19:59", True),
        ("2020-03-23T23:08", False),
        ("2020-12-25T12:00", True),  # volunteers ring on holidays, too
    ],
)
def test_people_are_rung_in_calling_hours_only(at: str, rings: bool) -> None:
    assert ENGLAND.may_ring(utc(at)) is rings


@for_all(calendars, instants)
def test_next_calling_is_the_first_instant_that_is_allowed(calendar, at: datetime) -> None:
    found = calendar.next_calling(at)
    assert found >= at
    assert calendar.may_ring(found)
    assert found == at or not calendar.may_ring(at)
    assert found == at or not calendar.may_ring(found - timedelta(microseconds=1))


@pytest.mark.parametrize(
    ("start", "days", "end"),
    [
        (
            "2020-12-24T16:00",
            1,
            "2020-12-29T16:00",
        ),  # Christmas, a weekend, and the day in place of Boxing Day
        ("2020-12-24T17:59", 1, "2020-12-29T17:59"),
        ("2020-12-24T18:00", 1, "2020-12-29T18:00"),
        ("2020-12-31T10:00", 1, "2021-01-04T10:00"),
        ("2020-05-07T09:00", 1, "2020-05-11T09:00"),  # VE day: a Friday in 2020
        ("2020-03-27T16:00", 1, "2020-03-30T15:00"),  # the clocks change at the weekend
        ("2020-03-28T03:00", 1, "2020-03-30T17:00"),  # Saturday: all of Monday
        ("2020-02-28T10:00", 1, "2020-03-02T10:00"),  # a leap day that is a Saturday
        ("2024-02-28T10:00", 1, "2024-02-29T10:00"),
        ("2020-03-23T10:00", 5, "2020-03-30T09:00"),
        ("2020-03-23T10:00", 0, "2020-03-23T10:00"),
    ],
)
def test_working_days_skip_what_the_office_skips(start: str, days: int, end: str) -> None:
    assert ENGLAND.add_working_days(utc(start), days) == utc(end)


@pytest.mark.parametrize(
    ("start", "hours", "end"),
    [
        ("2020-12-24T16:00", 4, "2020-12-29T10:00"),
        ("2020-03-23T10:00", 4, "2020-03-23T14:00"),
        ("2020-03-23T17:00", 1, "2020-03-23T18:00"),
        ("2020-03-23T23:08", 4, "2020-03-24T12:00"),
        ("2020-03-27T17:00", 2, "2020-03-30T08:00"),
        ("2020-03-23T10:00", 0, "2020-03-23T10:00"),
    ],
)
def test_working_time_runs_while_the_office_is_open(start: str, hours: int, end: str) -> None:
    assert ENGLAND.add_working_time(utc(start), timedelta(hours=hours)) == utc(end)


def test_closed_days_are_added_to_bank_holidays() -> None:
    calendar = make_calendar(closed_days="2020-12-29")
    assert calendar.add_working_days(utc("2020-12-24T16:00"), 1) == utc("2020-12-30T16:00")


@for_all(calendars, instants)
def test_next_working_is_the_first_instant_of_open_hours(calendar, at: datetime) -> None:
    found = calendar.next_working(at)
    assert found >= at
    assert calendar.is_working(found)
    assert (found == at) == calendar.is_working(at)


@for_all(calendars, instants, st.integers(1, 30), st.timedeltas(timedelta(0), timedelta(days=3)))
@example(ENGLAND, utc("2020-12-24T18:00"), 1, timedelta(microseconds=1))
def test_who_asks_later_is_never_promised_earlier(calendar, at: datetime, count: int, by: timedelta) -> None:
    later = at + by
    assert calendar.add_working_days(at, count) <= calendar.add_working_days(later, count)
    span = timedelta(hours=count)
    assert calendar.add_working_time(at, span) <= calendar.add_working_time(later, span)


@for_all(calendars, instants, st.integers(0, 60), st.integers(0, 60))
def test_working_time_adds_up(calendar, at: datetime, first: int, second: int) -> None:
    once = calendar.add_working_time(at, timedelta(minutes=first + second))
    assert once == calendar.add_working_time(
        calendar.add_working_time(at, timedelta(minutes=first)), timedelta(minutes=second)
    )


@for_all(calendars, instants, st.integers(1, 15))
def test_so_many_working_days_lie_before_the_promise(calendar, at: datetime, count: int) -> None:
    promised = calendar.add_working_days(at, count)
    first, last = (
        calendar.local_date(calendar.next_working(at)),
        calendar.local_date(promised - timedelta(microseconds=1)),
    )
    between = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    open_days = sum(map(calendar.is_working_day, between))
    assert open_days in (count, count + 1)
