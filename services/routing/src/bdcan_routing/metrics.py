"""Every metric that routing has beside the chassis's. Ages and spans are seconds of domain time."""

from __future__ import annotations

from prometheus_client import Counter

from bdcan_chassis.housekeeping import Sample, promised
from bdcan_chassis.sampled import Sampled
from bdcan_contracts.models import Priority
from bdcan_contracts.vocabulary import TriageReason
from bdcan_routing.domain.assignment import State
from bdcan_routing.store import assignments, hubs, load

TRIAGE_LATE = Counter(
    "bdcan_triage_late_total", "Referrals that nobody placed by their triage deadline, counted each time"
)
BY_WARD = Counter(
    "bdcan_requests_by_ward_total",
    "Referrals that got a hub, by the ward of the home and the hub; none: a person placed them",
    ["ward", "hub"],
)
ASSIGNMENTS = Sampled(
    "bdcan_assignments",
    "Referrals by where they stand: awaited, held, assigned, out-of-area, ended",
    ["state"],
    {"state": State},
)
OPEN_BY_HUB = Sampled(
    "bdcan_hub_open_referrals", "Assigned referrals that have not ended, by hub", ["hub"], {}
)
_TRIAGE = ["reason", "priority"]
HELD = Sampled(
    "bdcan_triage_held",
    "Referrals that wait for a person, by reason and priority",
    _TRIAGE,
    {"reason": TriageReason, "priority": Priority},
)
OLDEST_HELD = Sampled(
    "bdcan_triage_oldest_seconds",
    "How long the referral that has waited longest for a person has waited; absent where none waits",
    _TRIAGE,
)
NEXT_HELD = Sampled(
    "bdcan_triage_next_due_seconds",
    "In how many seconds the most pressing of them must be placed: below 0, it is late; absent where none waits",
    _TRIAGE,
)
HUBS_PAUSED = Sampled("bdcan_hubs_paused", "Hubs that take no new referrals")
HUB_PAUSED = Sampled("bdcan_hub_paused", "1 for a hub that takes no new referrals", ["hub"])

HUB_LOAD = Sampled(
    "bdcan_hub_load_ratio",
    "How much of its capacity for today a hub was given, by kind of work (1: full); only kinds that it has a capacity for",
    ["hub", "kind"],
)
HUB_FULL = Counter(
    "bdcan_hub_full_total",
    "Referrals whose own hub was full, by the hub that got them: a neighbour, or their own (stayed: all neighbours were full)",
    ["hub", "outcome"],
)
HUB_MOVES = Counter(
    "bdcan_hub_moves_total", "Referrals that moved to another hub by a rule, by reason", ["reason"]
)
TRIAGE_CLAIMED = Sampled("bdcan_triage_claimed", "Held referrals that somebody decides about at present")
TRIAGE_CLAIMS = Counter("bdcan_triage_claims_total", "Claims in triage: next, claimed, released", ["how"])

PULSE_COUNTED = Counter(
    "bdcan_pulse_requests_total",
    "Needs that the demand pulse has counted, by hub and by ward: each need counts once for either",
    ["scope", "place"],
)
PULSE_SKIPPED = Counter("bdcan_pulse_skipped_total", "Records that the pulse could not read", ["reason"])
PULSE_SURGES = Counter("bdcan_pulse_surges_total", "Surges that the pulse has published")

SAMPLES = (
    *promised("triage", assignments.PROMISED),
    Sample(ASSIGNMENTS, assignments.COUNT_BY_STATE),
    Sample(OPEN_BY_HUB, assignments.COUNT_BY_HUB),
    Sample(HELD, assignments.COUNT_HELD),
    Sample(OLDEST_HELD, assignments.OLDEST_HELD),
    Sample(NEXT_HELD, assignments.NEXT_HELD),
    Sample(TRIAGE_CLAIMED, assignments.COUNT_CLAIMED),
    Sample(HUB_LOAD, load.RATIO),
    Sample(HUBS_PAUSED, hubs.COUNT_PAUSED),
    Sample(HUB_PAUSED, hubs.PAUSED),
)
"""What housekeeping reads."""
