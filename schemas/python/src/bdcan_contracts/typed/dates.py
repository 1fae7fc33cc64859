"""Dates in the notations that people, systems and spreadsheets use here. The day is before the month, unless it cannot be."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from bdcan_contracts.typed.text import DASH, compatible

DATE_NOTATIONS = {"YYYY-MM-DD": "%Y-%m-%d", "DD/MM/YYYY": "%d/%m/%Y"}
"""The notations that we recommend, as people see them and as `strptime` reads them."""

_LONDON = ZoneInfo("Europe/London")
_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_DECEMBER = len(_MONTHS)
_MARK = r"\s*[-/.,\\\s]\s*"
_DAY = r"(?:the\s+)?(?P<day>\d{1,2})(?:st|[nr]d|th)?"
_WORD = r"(?P<word>[a-z]{3,9})\.?"
_YEAR = r"(?P<year>'?\d{2}|\d{4})"
_GRAMMARS = tuple(
    map(
        re.compile,
        (
            rf"(?P<year>\d{{4}}){_MARK}(?P<month>\d{{1,2}}){_MARK}(?P<day>\d{{1,2}})",
            rf"(?P<day>\d{{1,2}}){_MARK}(?P<month>\d{{1,2}}){_MARK}{_YEAR}",
            rf"{_DAY}(?:{_MARK})?(?:of\s+)?{_WORD}(?:{_MARK})?{_YEAR}",
            rf"{_WORD}(?:{_MARK})?{_DAY}{_MARK}{_YEAR}",
            rf"(?P<year>\d{{4}}){_MARK}{_WORD}{_MARK}{_DAY}",
            r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})",
            r"(?P<day>\d{2})(?P<month>\d{2})(?P<year>\d{4})",
        ),
    )
)
_WEEKDAY = re.compile(r"(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?\.?(?:,\s*|\s+)")
_CLOCK = re.compile(r"(?:t|[,\s]\s*)\d{1,2}[:.]\d{2}(?:[:.]\d{2}(?:[.,]\d+)?)?\s*(?:[ap]m)?$")
_SERIAL = re.compile(r"(\d{4,5})(?:\.\d*)?")
_AROUND = " .,;()[]\"'"
_DAY_ZERO = date(1899, 12, 30)
"""From here a spreadsheet counts its days, for every day after February 1900."""
_LAST_YEAR = 2200
"""A number of four digits up to this one is a year, not a day of a spreadsheet."""
_LIFE = timedelta(days=130 * 366)


def read_date(typed: str | None, today: date) -> date | None:
    """Read a date; None where the text is none, or where it can be several days.

    A year of two digits is the latest one whose day is not after `today`. Eight digits and a spreadsheet's number of a
    day are read for days of the past 130 years only. A time of day does not matter, but an instant with an offset from
    UTC is read as the day that it was here.
    """
    text = compatible(typed)
    if "T" in text or ":" in text:
        try:
            instant = datetime.fromisoformat(text)
        except ValueError:
            pass
        else:
            return _here(instant)
    text = _CLOCK.sub("", _WEEKDAY.sub("", DASH.sub("-", text).lower().strip(_AROUND), count=1))
    found = {
        day for grammar in _GRAMMARS if (match := grammar.fullmatch(text)) for day in _days(match, today)
    }
    if (match := _SERIAL.fullmatch(text)) and int(match[1]) > _LAST_YEAR:
        day = _DAY_ZERO + timedelta(days=int(match[1]))
        found |= {day} if _lived(day, today) else set()
    return found.pop() if len(found) == 1 else None


def _here(instant: datetime) -> date | None:
    """The day of an instant. Midnight is nobody's instant: a system has written a day, whatever offset it adds."""
    if instant.tzinfo is None or instant.time() == time():
        return instant.date()
    try:
        return instant.astimezone(_LONDON).date()
    except OverflowError:  # in the year 1 or 9999
        return None


def _days(match: re.Match[str], today: date) -> Iterator[date]:
    """The day that a match names, if there is such a day."""
    parts = match.groupdict()
    day, year = int(parts["day"]), parts["year"].lstrip("'")
    month = _month(parts["word"]) if "word" in parts else int(parts["month"])
    if month is None:
        return
    if month > _DECEMBER >= day and match.start("day") < match.start(
        "year"
    ):  # American: the other way round it is no date
        day, month = month, day
    if len(year) > 2:
        found = _day(int(year), month, day)
        if found is not None and (not match[0].isdigit() or _lived(found, today)):
            yield found
        return
    century = today.year - today.year % 100
    for first in (century, century - 100):
        found = _day(first + int(year), month, day)
        if found is not None and found <= today:
            yield found
            return


def _day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _lived(day: date, today: date) -> bool:
    return today - _LIFE <= day <= today


def _month(word: str) -> int | None:
    """The month that a word names in full or shortened to three letters or more, such as `sept`."""
    return next((number for number, name in enumerate(_MONTHS, 1) if name.startswith(word)), None)
