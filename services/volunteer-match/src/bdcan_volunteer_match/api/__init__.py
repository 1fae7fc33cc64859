"""The service's routes."""

from __future__ import annotations

from fastapi import APIRouter

from bdcan_volunteer_match.api import calls, overview, second_looks, tasks, volunteers


def routers() -> tuple[APIRouter, ...]:
    """All of them."""
    return tuple(part.router() for part in (calls, second_looks, tasks, volunteers, overview))
