"""Intake's gauges, read from the database every few seconds."""

from __future__ import annotations

from prometheus_client import Gauge

from bdcan_chassis.housekeeping import Sample
from bdcan_intake.store.erasures import GAUGE_ERASURES
from bdcan_intake.store.imports import GAUGE_IMPORTS
from bdcan_intake.store.summary import GAUGE_NEEDS, GAUGE_NEXT_DUE, GAUGE_REFERRALS

REFERRALS = Gauge("bdcan_referrals", "Referrals by state", ["state"])
NEEDS = Gauge(
    "bdcan_needs", "Needs by lane and state; of sensitive lanes, counts of five and more", ["lane", "state"]
)
NEXT_DUE = Gauge(
    "bdcan_needs_next_due_timestamp_seconds",
    "When the first open need of each owner is due, domain time since the epoch",
    ["owner"],
)
IMPORTS = Gauge("bdcan_imports", "Imports by state; one that was broken off has to be sent again", ["state"])

ERASURES = Gauge(
    "bdcan_erasures", "Requests to be erased by state; overdue: a service has not answered in time", ["state"]
)

SAMPLES = (
    Sample(REFERRALS, ("state",), GAUGE_REFERRALS.sql),
    Sample(NEEDS, ("lane", "state"), GAUGE_NEEDS.sql),
    Sample(NEXT_DUE, ("owner",), GAUGE_NEXT_DUE.sql),
    Sample(ERASURES, ("state",), GAUGE_ERASURES.sql),
    Sample(IMPORTS, ("state",), GAUGE_IMPORTS.sql),
)
"""What housekeeping reads."""
