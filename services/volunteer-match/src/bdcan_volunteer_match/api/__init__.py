"""The service's routes."""

from __future__ import annotations

from bdcan_chassis.http.guard import Routes
from bdcan_volunteer_match.api import (
    call_list,
    calls,
    checks,
    completions,
    duty,
    matching,
    overview,
    rounds,
    second_looks,
    tasks,
    volunteers,
)
from bdcan_volunteer_match.settings import Settings


def routers(settings: Settings) -> tuple[Routes, ...]:
    """All of them."""
    configured = (calls, call_list, rounds, tasks)
    others = (completions, second_looks, matching, volunteers, duty, checks, overview)
    return (*(part.router(settings) for part in configured), *(part.router() for part in others))
