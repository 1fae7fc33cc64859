"""When a resident who was not reached is called again.

The published ladder (domain notes of the project): ring once, then three more times over 24 hours, one each in the
morning, the afternoon and the evening. After that a person decides; a welfare concern is open meanwhile.
All hours are local: a slot begins at nine in the morning in June, too.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from itertools import count

from bdcan_chassis.calendar import Calendar, Hours, Span

CALLS_IN_LADDER = 4
"""The first call and three more."""

MOST_ATTEMPTS = 20
"""Calls in one round at most, put-off ones included: a round must end."""

LEAST_GAP = timedelta(hours=2)
"""From a call that failed to the next: five minutes later is not another time of day."""

_SLOTS = (
    Hours(time(9), time(12)),
    Hours(time(12), time(17)),
    Hours(time(17), time(20)),
)  # local: morning, afternoon, evening


def next_slot(now: datetime, calendar: Calendar) -> Span:
    """The first slot that begins after `now`: another time of day than the call that just failed."""
    today = calendar.local_date(now)
    slots = (slot for later in count() for slot in _slots_of(today + timedelta(days=later), calendar))
    return next(
        Span(max(slot.begins, now + LEAST_GAP), slot.ends)
        for slot in slots
        if slot.begins > now and slot.ends > now + LEAST_GAP
    )


def _slots_of(day: date, calendar: Calendar) -> list[Span]:
    """The slots of a day, as far as people may be rung in them; the calling hours themselves where none lies in them."""
    allowed = calendar.span(day, calendar.calling_hours)
    slots = [calendar.span(day, hours) for hours in _SLOTS]
    within = [Span(max(slot.begins, allowed.begins), min(slot.ends, allowed.ends)) for slot in slots]
    return [slot for slot in within if slot.begins < slot.ends] or [allowed]
