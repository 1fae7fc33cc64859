"""Gauges of volunteer-match, read from the database. Due times are epoch seconds of domain time."""

from __future__ import annotations

from prometheus_client import Gauge

from bdcan_chassis.housekeeping import Sample
from bdcan_volunteer_match import store

CALLS = Gauge("bdcan_welfare_calls", "Welfare calls by state", ["state"])
FIRST_DUE = Gauge(
    "bdcan_welfare_call_due_timestamp_seconds", "When the most pressing welfare call of a hub is due", ["hub"]
)
REVIEWS = Gauge(
    "bdcan_welfare_call_reviews",
    "Referrals at which a person of the hub must look, because nobody was reached or nobody may ring",
    ["hub", "overdue"],
)
LINKED = Gauge(
    "bdcan_welfare_calls_linked",
    "Open welfare calls whose resident another referral may be about, too: the same person, or the same household",
    ["hub", "likeness"],
)
TASKS = Gauge("bdcan_tasks", "Tasks by kind and state", ["kind", "state"])
UNFILLED = Gauge("bdcan_tasks_unfilled", "Tasks for which nobody was found in time", ["hub"])
VOLUNTEERS = Gauge("bdcan_volunteers", "Volunteers by state", ["state"])
FIRST_WELCOME = Gauge(
    "bdcan_volunteer_welcome_due_timestamp_seconds",
    "When the enquiry that has waited longest must be answered; absent where none waits",
)

SAMPLES = (
    Sample(CALLS, ("state",), store.calls.COUNT_BY_STATE.sql),
    Sample(FIRST_DUE, ("hub",), store.calls.FIRST_DUE.sql),
    Sample(REVIEWS, ("hub", "overdue"), store.calls.COUNT_REVIEWS.sql),
    Sample(LINKED, ("hub", "likeness"), store.calls.COUNT_LINKED.sql),
    Sample(TASKS, ("kind", "state"), store.tasks.COUNT_BY_KIND_AND_STATE.sql),
    Sample(UNFILLED, ("hub",), store.tasks.COUNT_UNFILLED.sql),
    Sample(VOLUNTEERS, ("state",), store.volunteers.COUNT_BY_STATE.sql),
    Sample(FIRST_WELCOME, (), store.volunteers.FIRST_WELCOME.sql),
)
"""What housekeeping reads."""
