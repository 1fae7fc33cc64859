"""Routing's API: assignments and triage, hubs, and the postcode table in use."""

from __future__ import annotations

from fastapi import APIRouter

from bdcan_routing.api import assignments, hubs
from bdcan_routing.settings import Settings


def router(settings: Settings) -> APIRouter:
    """All routes of routing."""
    routes = APIRouter(prefix="/v1", tags=["routing"])
    assignments.add_routes(routes, settings)
    hubs.add_routes(routes)
    return routes
