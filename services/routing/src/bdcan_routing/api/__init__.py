"""Routing's API: assignments and triage, hubs, and the postcode table in use."""

from __future__ import annotations

from fastapi import APIRouter

from bdcan_routing.api import assignments, hubs


def router() -> APIRouter:
    """All routes of routing."""
    routes = APIRouter(prefix="/v1", tags=["routing"])
    assignments.add_routes(routes)
    hubs.add_routes(routes)
    return routes
