"""SQL, and nothing but SQL. Lock order: assignments by id, then the setup lock, then hubs by id."""

from bdcan_routing.store import (
    assignments,
    decisions,
    gazetteer,
    handovers,
    hub_history,
    hubs,
    load,
    positions,
)

__all__ = ["assignments", "decisions", "gazetteer", "handovers", "hub_history", "hubs", "load", "positions"]
