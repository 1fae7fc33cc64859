"""When a resident who was not reached is called again.

The published ladder (domain notes of the project): ring once, then three more times over 24 hours, one each in the
morning, the afternoon and the evening; after that nobody is left waiting: the round is exhausted, a welfare concern.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

CALLS_IN_LADDER = 4
"""The first call and three more."""

MOST_ATTEMPTS = 20
"""Calls in one round at most, put-off ones included: a round must end."""

_SLOTS = ((9, 12), (12, 17), (17, 20))  # hours UTC: morning, afternoon, evening


class Slot(NamedTuple):
    """A stretch of a day in which to call."""

    begins: datetime
    ends: datetime


def next_slot(now: datetime) -> Slot:
    """The first slot that begins after `now`: another time of day than the call that just failed."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    for day in (midnight, midnight + timedelta(days=1)):
        for first, last in _SLOTS:
            begins = day + timedelta(hours=first)
            if begins > now:
                return Slot(begins, day + timedelta(hours=last))
    raise AssertionError("the next day's first slot begins after now")
