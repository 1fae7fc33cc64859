"""Every metric that routing has beside the chassis's."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

from bdcan_chassis.housekeeping import Sample
from bdcan_routing.store.assignments import COUNT_BY_HUB, COUNT_BY_STATE, COUNT_HELD
from bdcan_routing.store.hubs import COUNT_PAUSED

TRIAGE_LATE = Counter(
    "bdcan_triage_late_total", "Referrals that nobody placed by their triage deadline, counted each time"
)
ASSIGNMENTS = Gauge(
    "bdcan_assignments",
    "Referrals by where they stand: awaited, held, assigned, out-of-area, ended",
    ["state"],
)
OPEN_BY_HUB = Gauge("bdcan_hub_open_referrals", "Assigned referrals that have not ended, by hub", ["hub"])
HELD = Gauge("bdcan_triage_held", "Referrals that wait for a person, by reason", ["reason"])
HUBS_PAUSED = Gauge("bdcan_hubs_paused", "Hubs that take no new referrals")

PULSE_COUNTED = Counter(
    "bdcan_pulse_requests_total", "Requests that the demand pulse has counted, by hub and ward"
)
PULSE_SKIPPED = Counter("bdcan_pulse_skipped_total", "Records that the pulse could not read", ["reason"])
PULSE_SURGES = Counter("bdcan_pulse_surges_total", "Surges that the pulse has published")

SAMPLES = (
    Sample(ASSIGNMENTS, ("state",), COUNT_BY_STATE.sql),
    Sample(OPEN_BY_HUB, ("hub_id",), COUNT_BY_HUB.sql),
    Sample(HELD, ("triage_reason",), COUNT_HELD.sql),
    Sample(HUBS_PAUSED, (), COUNT_PAUSED.sql),
)
"""What housekeeping reads."""
