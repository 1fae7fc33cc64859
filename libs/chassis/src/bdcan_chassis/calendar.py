"""Local time: working hours, bank holidays, and the hours in which people may be rung. Instants stay UTC.

A promise to a person is kept in local time. The clocks change twice a year, and an office is closed at night, at weekends and on
bank holidays. A `Calendar` answers all such questions for all services. It is pure: it never asks for the time.
The settings make it (`ServiceSettings.calendar`), and a transaction carries it (`tx.calendar`).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Container
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

import holidays

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_A_DAY = timedelta(days=1)
_NOTHING = timedelta(0)


class Hours(NamedTuple):
    """Hours of a local day, from `first` until `last`. Midnight as `last` is the end of the day."""

    first: time
    last: time


class Span(NamedTuple):
    """A stretch of time, as UTC instants. It ends just before `ends`."""

    begins: datetime
    ends: datetime

    def __contains__(self, at: object) -> bool:
        """Whether the instant lies within."""
        return isinstance(at, datetime) and self.begins <= at < self.ends


@dataclass(frozen=True)
class Calendar:
    """The local time of a borough.

    Working time is the `working_hours` of the `working_days` (Monday is 0) that are not `closed`. `calling_hours` are the
    hours of any day in which people may be rung.
    """

    zone: ZoneInfo
    working_hours: Hours
    working_days: frozenset[int]
    calling_hours: Hours
    closed: Container[date]

    def local(self, at: datetime) -> datetime:
        """The instant as the clock on the wall shows it."""
        return at.astimezone(self.zone)

    def local_date(self, at: datetime) -> date:
        """The date on which the instant falls here. It may differ from the date in UTC."""
        return self.local(at).date()

    def instant(self, day: date, at: time) -> datetime:
        """When the clock on the wall shows `at`, in UTC.

        A time that comes twice in autumn is the first of both. A time that spring skips is the moment of the change.
        So a later time of day never comes earlier.
        """
        wall = datetime.combine(day, at)
        first = wall.replace(tzinfo=self.zone).astimezone(UTC)
        if self.local(first).replace(tzinfo=None) == wall:
            return first
        earlier = wall.replace(tzinfo=self.zone, fold=1, microsecond=0).astimezone(UTC)
        before = self.local(earlier).utcoffset()
        changed = bisect_left(
            range(int((first - earlier).total_seconds())),
            1,
            key=lambda seconds: int(self.local(earlier + timedelta(seconds=seconds)).utcoffset() != before),
        )
        return earlier + timedelta(seconds=changed)

    def span(self, day: date, hours: Hours) -> Span:
        """These hours of a local day, in UTC. A span that spring skips entirely is empty."""
        ends_on = day + _A_DAY if hours.last == time.min else day
        return Span(self.instant(day, hours.first), self.instant(ends_on, hours.last))

    def is_within(self, at: datetime, hours: Hours) -> bool:
        """Whether the instant lies in these hours of its local day."""
        return at in self.span(self.local_date(at), hours)

    def may_ring(self, at: datetime) -> bool:
        """Whether people may be rung at this instant."""
        return self.is_within(at, self.calling_hours)

    def next_calling(self, at: datetime) -> datetime:
        """The first instant from `at` on at which people may be rung."""
        day = self.local_date(at)
        while at not in (hours := self.span(day, self.calling_hours)):
            if at < hours.begins < hours.ends:
                return hours.begins
            day += _A_DAY
        return at

    def is_working_day(self, day: date) -> bool:
        """Whether the office is open on this local date."""
        return day.weekday() in self.working_days and day not in self.closed

    def is_working(self, at: datetime) -> bool:
        """Whether the office is open at this instant."""
        return self.is_working_day(self.local_date(at)) and self.is_within(at, self.working_hours)

    def next_working(self, at: datetime) -> datetime:
        """The first instant from `at` on at which the office is open."""
        return max(at, self._shift(at).begins)

    def add_working_time(self, at: datetime, working: timedelta) -> datetime:
        """The first instant at which so much working time has passed since `at`."""
        if working <= _NOTHING:
            return at
        shift = self._shift(at)
        begins = max(at, shift.begins)
        while shift.ends - begins < working:
            working -= shift.ends - begins
            shift = self._shift(shift.ends)
            begins = shift.begins
        return begins + working

    def add_working_days(self, at: datetime, days: int) -> datetime:
        """The same local time, so many working days later. What comes while the office is closed counts from its opening.

        One working day from Friday 16:00 is Monday 16:00. One working day from Saturday is the close of Monday: the whole of
        Monday was there to do it in.
        """
        if days <= 0:
            return at
        shift = self._shift(at)
        if at > shift.begins:
            day = self._later_day(self.local_date(at), days)
            return self.instant(day, self.local(at).time())
        day = self._later_day(self.local_date(shift.begins), days - 1)
        return self.span(day, self.working_hours).ends

    def _shift(self, at: datetime) -> Span:
        """The working hours that are running at `at`, or else the next ones."""
        day = self.local_date(at)
        while True:
            hours = self.span(day, self.working_hours)
            if self.is_working_day(day) and at < hours.ends and hours.begins < hours.ends:
                return hours
            day += _A_DAY

    def _later_day(self, day: date, days: int) -> date:
        """The working day that comes so many working days after `day`."""
        while days:
            day += _A_DAY
            days -= self.is_working_day(day)
        return day


class _Closed(Container[date]):
    """Bank holidays, and days on which the office is closed besides. A country's days are worked out year by year."""

    def __init__(self, bank_holidays: str, days: frozenset[date]) -> None:
        self._holidays = parse_bank_holidays(bank_holidays)
        self._days = days

    def __contains__(self, day: object) -> bool:
        return day in self._days or (isinstance(day, date) and day in self._holidays)


@cache
def make_calendar(
    time_zone: str = "Europe/London",
    working_hours: str = "08:00-18:00",
    working_days: str = "mon tue wed thu fri",
    calling_hours: str = "09:00-20:00",
    bank_holidays: str = "GB-ENG",
    closed_days: str = "",
) -> Calendar:
    """The calendar that these settings name. The default is an English council's. Raises ValueError."""
    return Calendar(
        parse_zone(time_zone),
        parse_hours(working_hours),
        parse_weekdays(working_days),
        parse_hours(calling_hours),
        _Closed(bank_holidays, parse_days(closed_days)),
    )


def parse_zone(text: str) -> ZoneInfo:
    """Read a name such as `Europe/London`. Raises ValueError."""
    try:
        return ZoneInfo(text)
    except (LookupError, OSError) as error:
        raise ValueError("a time zone is a name such as Europe/London") from error


def parse_hours(text: str) -> Hours:
    """Read hours such as `08:00-18:00` or `00:00-24:00`. Raises ValueError."""
    first, _, last = text.partition("-")
    try:
        hours = Hours(time.fromisoformat(first), time.fromisoformat("00:00" if last == "24:00" else last))
    except ValueError as error:
        raise ValueError("hours are written 08:00-18:00") from error
    if hours.first.tzinfo or hours.last.tzinfo or (hours.last <= hours.first and last != "24:00"):
        raise ValueError("hours are local, and end later than they begin: 08:00-18:00")
    return hours


def parse_weekdays(text: str) -> frozenset[int]:
    """Read the days of a week: `mon tue wed thu fri`. Raises ValueError."""
    names = text.lower().split()
    if not names or not set(names) <= set(_DAYS):
        raise ValueError(f"working days are one or more of {' '.join(_DAYS)}")
    return frozenset(map(_DAYS.index, names))


def parse_days(text: str) -> frozenset[date]:
    """Read dates, with blanks between them: `2026-12-24 2026-12-31`. Raises ValueError."""
    try:
        return frozenset(map(date.fromisoformat, text.split()))
    except ValueError as error:
        raise ValueError("days are dates with blanks between them: 2026-12-24 2026-12-31") from error


@cache
def parse_bank_holidays(text: str) -> Container[date]:
    """Read a country and a part of it as ISO 3166 names them: `GB-ENG`, `IE`; `none` has no bank holidays. Raises ValueError."""
    if text == "none":
        return frozenset()
    country, _, part = text.partition("-")
    try:
        return holidays.country_holidays(country, subdiv=part or None)
    except NotImplementedError as error:  # what holidays raises for a country or a part that it does not have
        raise ValueError("bank holidays are those of a country or a part of it, such as GB-ENG") from error
