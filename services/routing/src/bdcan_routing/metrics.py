"""Every metric that routing has beside the chassis's."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

from bdcan_chassis.housekeeping import Sample

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
    Sample(ASSIGNMENTS, ("state",), "SELECT state, count(*) AS value FROM assignment GROUP BY state"),
    Sample(
        OPEN_BY_HUB,
        ("hub_id",),
        "SELECT hub_id, count(*) AS value FROM assignment WHERE state = 'assigned' AND hub_id IS NOT NULL GROUP BY hub_id",
    ),
    Sample(
        HELD,
        ("triage_reason",),
        "SELECT triage_reason, count(*) AS value FROM assignment WHERE state = 'held' GROUP BY triage_reason",
    ),
    Sample(HUBS_PAUSED, (), "SELECT count(*) AS value FROM hub WHERE paused"),
)
