"""Routing's API: assignments and triage, hubs, the postcode table in use, and where homes lie."""

from __future__ import annotations

from bdcan_chassis.http.guard import Routes
from bdcan_routing.api import assignments, hub_changes, hubs, positions, triage
from bdcan_routing.settings import Settings


def router(settings: Settings) -> Routes:
    """All routes of routing."""
    routes = Routes(prefix="/v1", tags=["routing"])
    assignments.add_routes(routes, settings)
    triage.add_routes(routes)
    hubs.add_routes(routes)
    positions.add_routes(routes)
    hub_changes.add_routes(routes)
    return routes
