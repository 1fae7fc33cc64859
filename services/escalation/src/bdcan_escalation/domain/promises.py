"""By when each step must be done.

Working days are Mondays to Fridays. Bank holidays count as working days. An alarm that comes a day early costs a look;
one that comes a day late may cost more.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from bdcan_contracts.models import EscalationKind

_SATURDAY = 5
_SAFEGUARDING_ACKNOWLEDGED = timedelta(hours=1)
_SAFEGUARDING_FORWARDED = timedelta(minutes=15)
_FORWARDED = timedelta(hours=4)
_SAFEGUARDING_LOOKS = timedelta(minutes=30)
_DECIDE_DAYS = 5
_CLOSE_DAYS = 20


def forward_by(kind: EscalationKind, opened_at: datetime) -> datetime:
    """When Community Solutions' system must have the case."""
    safeguarding = kind is EscalationKind.SAFEGUARDING
    return opened_at + (_SAFEGUARDING_FORWARDED if safeguarding else _FORWARDED)


def acknowledge_by(kind: EscalationKind, opened_at: datetime) -> datetime:
    """When a person there must have seen the case: within an hour for safeguarding, else within a working day."""
    if kind is EscalationKind.SAFEGUARDING:
        return opened_at + _SAFEGUARDING_ACKNOWLEDGED
    return working_days_after(opened_at, 1)


def decide_by(acknowledged_at: datetime) -> datetime:
    """When Community Solutions must have accepted or declined the case."""
    return working_days_after(acknowledged_at, _DECIDE_DAYS)


def close_by(accepted_at: datetime) -> datetime:
    """When an accepted case must be closed."""
    return working_days_after(accepted_at, _CLOSE_DAYS)


def next_look(kind: EscalationKind, now: datetime) -> datetime:
    """When a late step is checked again."""
    if kind is EscalationKind.SAFEGUARDING:
        return now + _SAFEGUARDING_LOOKS
    return working_days_after(now, 1)


def working_days_after(start: datetime, days: int) -> datetime:
    """The same time of day, a number of working days later."""
    day = start
    while days:
        day += timedelta(days=1)
        if day.weekday() < _SATURDAY:
            days -= 1
    return day
