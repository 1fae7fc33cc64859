"""The service's routes."""

from __future__ import annotations

from fastapi import APIRouter

from bdcan_volunteer_match.api import calls, overview, second_looks, tasks, volunteers


def router() -> APIRouter:
    """All of them."""
    every = APIRouter()
    for part in (calls, second_looks, tasks, volunteers, overview):
        every.include_router(part.router())
    return every
