"""Every metric of escalation beside the chassis's. Ages and spans are seconds of domain time.

A count of five or more may be shown, and the age of what waits. How many safeguarding concerns wait, nobody is told: one is
enough to act.
"""

from __future__ import annotations

from prometheus_client import Counter, Histogram

from bdcan_chassis.housekeeping import Sample, promised
from bdcan_chassis.sampled import Sampled
from bdcan_escalation.domain.escalation import Said
from bdcan_escalation.store import escalations

ESCALATIONS = Sampled(
    "bdcan_escalations",
    "Escalations by kind and state, and whether they are late; counts of five and more",
    ["kind", "state", "late"],
)
LATE = Sampled(
    "bdcan_escalations_late",
    "Escalations with a late step, by step",
    ["stage"],
    {"stage": ("forward", "acknowledge", "decide")},
)
OLDEST = Sampled(
    "bdcan_escalation_oldest_seconds",
    "Age of the oldest escalation that has not ended, by kind and state; absent where none is",
    ["kind", "state"],
)
NEXT_DUE = Sampled(
    "bdcan_escalation_due_seconds",
    "In how many seconds the first step must be done, by kind and stage: below 0, it is late; absent where none waits",
    ["kind", "stage"],
)
SAFEGUARDING_WAITS = Sampled(
    "bdcan_safeguarding_waiting", "1 while a safeguarding concern is not with the council yet, else 0"
)
SAFEGUARDING_OLDEST = Sampled(
    "bdcan_safeguarding_waiting_seconds",
    "For how long the first safeguarding concern has not been with the council; absent where none waits",
)
PROBLEMS = Sampled(
    "bdcan_escalation_forward_problems",
    "Escalations that are not sent yet, by the problem of the last attempt",
    ["problem"],
    {},
)

COUNCIL_RESULTS = (
    "taken",
    "unreachable",
    "silent",
    "refused-us",
    "refused-case",
    "busy",
    "failing",
    "unreadable",
    "no-disclosure",
)
"""`refused-us`: 401 or 403. `refused-case`: another 4xx. `no-disclosure`: intake did not say who the person is."""

COUNCIL_REQUESTS = Counter(
    "bdcan_council_requests_total",
    "Attempts to send a case to the council, by lane (safeguarding or other) and result",
    ["lane", "result"],
)
COUNCIL_SECONDS = Histogram(
    "bdcan_council_request_seconds",
    "Time of one attempt, with the question to intake",
    ["lane"],
    buckets=(0.05, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0),
)
CALL_BACKS = Counter(
    "bdcan_call_backs_total",
    "Call-backs of the council, by what they say and how they were answered",
    ["event", "answer"],
)
CALL_BACK_ANSWERS = ("taken", "repeated", "contradiction", "unknown-case")

for _lane in ("safeguarding", "other"):
    for _result in COUNCIL_RESULTS:
        COUNCIL_REQUESTS.labels(_lane, _result)
for _event in Said:
    for _answer in CALL_BACK_ANSWERS:
        CALL_BACKS.labels(_event, _answer)
for _answer in ("unsigned", "unreadable"):
    CALL_BACKS.labels("unknown", _answer)

SAMPLES = (
    *promised("escalations", escalations.PROMISED),
    Sample(ESCALATIONS, escalations.COUNT_BY_KIND_AND_STATE),
    Sample(LATE, escalations.COUNT_LATE),
    Sample(OLDEST, escalations.OLDEST),
    Sample(NEXT_DUE, escalations.NEXT_DUE),
    Sample(SAFEGUARDING_WAITS, escalations.SAFEGUARDING_WAITS),
    Sample(SAFEGUARDING_OLDEST, escalations.SAFEGUARDING_OLDEST),
    Sample(PROBLEMS, escalations.COUNT_PROBLEMS),
)
"""What housekeeping reads."""
