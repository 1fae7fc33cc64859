"""Gauges of escalation, read from the database."""

from __future__ import annotations

from prometheus_client import Gauge

from bdcan_chassis.housekeeping import Sample
from bdcan_escalation.store.escalations import COUNT_BY_KIND_AND_STATE, COUNT_LATE, COUNT_PROBLEMS

ESCALATIONS = Gauge(
    "bdcan_escalations", "Escalations by kind and state, counts of five and more", ["kind", "state"]
)
LATE = Gauge("bdcan_escalations_late", "Escalations with a late step, by step", ["stage"])
PROBLEMS = Gauge(
    "bdcan_escalation_forward_problems",
    "Escalations that are not sent yet, by the problem of the last attempt",
    ["problem"],
)

SAMPLES = (
    Sample(ESCALATIONS, ("kind", "state"), COUNT_BY_KIND_AND_STATE.sql),
    Sample(LATE, ("stage",), COUNT_LATE.sql),
    Sample(PROBLEMS, ("problem",), COUNT_PROBLEMS.sql),
)
"""What housekeeping reads."""
