"""Intake's gauges, read from the database every few seconds."""

from __future__ import annotations

from prometheus_client import Gauge

from bdcan_chassis.housekeeping import Sample
from bdcan_intake.store import views

REFERRALS = Gauge("bdcan_referrals", "Referrals by state", ["state"])
NEEDS = Gauge("bdcan_needs", "Needs by lane and state", ["lane", "state"])
NEXT_DUE = Gauge(
    "bdcan_needs_next_due_timestamp_seconds",
    "When the first open need of each owner is due, domain time since the epoch",
    ["owner"],
)


def samples() -> tuple[Sample, ...]:
    """The gauges with their queries."""
    return (
        Sample(REFERRALS, ("state",), views.GAUGE_REFERRALS),
        Sample(NEEDS, ("lane", "state"), views.GAUGE_NEEDS),
        Sample(NEXT_DUE, ("owner",), views.GAUGE_DUE),
    )
