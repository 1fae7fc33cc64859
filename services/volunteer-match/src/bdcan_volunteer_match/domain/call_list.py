"""The order in which a hub makes its calls: how late they are first, then their priority, then the time that was promised."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from msgspec import Struct

from bdcan_contracts.models import Priority
from bdcan_volunteer_match.domain.call import CRITICAL_AFTER, WelfareCall

SOON = {
    Priority.URGENT: timedelta(hours=1),
    Priority.STANDARD: timedelta(hours=4),
    Priority.ROUTINE: timedelta(hours=4),
}
"""How long before its time a call is due soon: about the time that a caller needs for the calls before it."""


class Urgency(StrEnum):
    """The groups of the list, the first to be called first."""

    CRITICAL = "critically-overdue"
    OVERDUE = "overdue"
    SOON = "due-soon"
    LATER = "not-due"


class Band(Struct, frozen=True):
    """Calls of one group and priority: they are due after `after` and by `until` (None: without a limit)."""

    urgency: Urgency
    priority: Priority
    after: datetime | None
    until: datetime | None


def bands(now: datetime) -> tuple[Band, ...]:
    """All groups in the order of the list, as they are now."""
    return tuple(
        Band(urgency, priority, *_limits(priority, now)[urgency])
        for urgency in Urgency
        for priority in Priority
    )


def urgency_of(call: WelfareCall, now: datetime) -> Urgency | None:
    """The group of a call; None where nobody has to ring."""
    due_at = call.must_be_made_by
    if due_at is None:
        return None
    limits = _limits(call.priority, now)
    return next(u for u, (after, _) in reversed([*limits.items()]) if after is None or due_at > after)


def _limits(priority: Priority, now: datetime) -> Mapping[Urgency, tuple[datetime | None, datetime | None]]:
    critical, soon = now - CRITICAL_AFTER[priority], now + SOON[priority]
    return MappingProxyType(
        {
            Urgency.CRITICAL: (None, critical),
            Urgency.OVERDUE: (critical, now),
            Urgency.SOON: (now, soon),
            Urgency.LATER: (soon, None),
        }
    )
