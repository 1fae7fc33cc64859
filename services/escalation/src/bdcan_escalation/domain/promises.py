"""By when each step must be done.

Safeguarding runs in real time. So does the sending of a case, because machines work at night. Everything else that Community
Solutions must do runs in working time: its office is closed at night, at weekends and on bank holidays.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from bdcan_chassis.calendar import Calendar
from bdcan_contracts.models import EscalationKind

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


def acknowledge_by(kind: EscalationKind, opened_at: datetime, calendar: Calendar) -> datetime:
    """When a person there must have seen the case: within an hour for safeguarding, else within a working day."""
    if kind is EscalationKind.SAFEGUARDING:
        return opened_at + _SAFEGUARDING_ACKNOWLEDGED
    return calendar.add_working_days(opened_at, 1)


def decide_by(acknowledged_at: datetime, calendar: Calendar) -> datetime:
    """When Community Solutions must have accepted or declined the case."""
    return calendar.add_working_days(acknowledged_at, _DECIDE_DAYS)


def close_by(accepted_at: datetime, calendar: Calendar) -> datetime:
    """When an accepted case must be closed."""
    return calendar.add_working_days(accepted_at, _CLOSE_DAYS)


def next_look(kind: EscalationKind, now: datetime, calendar: Calendar) -> datetime:
    """When a late step is checked again."""
    if kind is EscalationKind.SAFEGUARDING:
        return now + _SAFEGUARDING_LOOKS
    return calendar.add_working_days(now, 1)
