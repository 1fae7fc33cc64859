"""Gauges of volunteer-match, read from the database. Ages and spans are seconds of domain time."""

from __future__ import annotations

from prometheus_client import Counter

from bdcan_chassis.housekeeping import Sample, promised
from bdcan_chassis.sampled import Sampled
from bdcan_contracts.vocabulary import TaskKind
from bdcan_volunteer_match import store
from bdcan_volunteer_match.domain.call import LIVE, CallState
from bdcan_volunteer_match.domain.drops import WhyLeftOut
from bdcan_volunteer_match.domain.ladder import CALLS_IN_LADDER
from bdcan_volunteer_match.domain.rounds import RoundState
from bdcan_volunteer_match.domain.task import TaskState
from bdcan_volunteer_match.domain.volunteer import VolunteerState

CALLS = Sampled(
    "bdcan_welfare_calls", "Welfare calls by hub and state", ["hub", "state"], {"state": CallState}
)
NEXT_DUE = Sampled(
    "bdcan_welfare_call_next_due_seconds",
    "In how many seconds the most pressing welfare call of a hub is due: below 0, it is late; absent where none waits",
    ["hub"],
)
OLDEST_CALL = Sampled(
    "bdcan_welfare_call_oldest_seconds",
    "How long the resident who has waited longest has waited for a call that may be made; absent where none waits",
    ["hub"],
)
ATTEMPTS = Sampled(
    "bdcan_welfare_call_attempts",
    "Welfare calls still to be made, by how many calls of the ladder reached nobody",
    ["hub", "attempt", "state"],
    {"attempt": map(str, range(CALLS_IN_LADDER + 1)), "state": sorted(LIVE)},
)
REVIEWS = Sampled(
    "bdcan_welfare_call_reviews",
    "Referrals at which a person of the hub must look, because nobody was reached or nobody may ring",
    ["hub", "overdue"],
    {"overdue": ("false", "true")},
)
REVIEW_LATE = Sampled(
    "bdcan_welfare_call_review_late_seconds",
    "How late the latest of these looks is; absent where none is",
    ["hub"],
)
LINKED = Sampled(
    "bdcan_welfare_calls_linked",
    "Open welfare calls whose resident another referral may be about, too: the same person, or the same household",
    ["hub", "likeness"],
    {"likeness": ("person", "household")},
)
TASKS = Sampled(
    "bdcan_tasks",
    "Tasks by hub, kind and state",
    ["hub", "kind", "state"],
    {"state": TaskState},
)
OLDEST_TASK = Sampled(
    "bdcan_task_oldest_seconds",
    "How long the oldest task without a volunteer has been open, by hub and kind; absent where none is",
    ["hub", "kind"],
)
UNFILLED = Sampled("bdcan_tasks_unfilled", "Tasks for which nobody was found in time", ["hub"], {})
VOLUNTEERS = Sampled("bdcan_volunteers", "Volunteers by state", ["state"], {"state": VolunteerState})
ACTIVE = Sampled(
    "bdcan_volunteers_active",
    "Active volunteers of a hub for a kind of task; one who helps two hubs counts at both",
    ["hub", "kind"],
    {"kind": TaskKind},
)
PLACES = Sampled(
    "bdcan_volunteer_places_free",
    "How many more tasks the active volunteers of a hub could take, by kind, and whether their check is in force",
    ["hub", "kind", "dbs"],
    {"kind": TaskKind, "dbs": ("no", "yes")},
)
ASKED = Sampled(
    "bdcan_volunteers_asked_share",
    "Share of a hub's active volunteers who got an offer in the last seven days",
    ["hub"],
)
OFFERS_EACH = Sampled(
    "bdcan_offers_per_volunteer_week",
    "Offers of the last seven days for each active volunteer of a hub",
    ["hub"],
)
GINI = Sampled(
    "bdcan_tasks_gini",
    "How unevenly the tasks accepted in the last seven days are spread over a hub's active volunteers: 0 is even, 1 is one person",
    ["hub"],
)
MATCHED = Sampled(
    "bdcan_tasks_matched_share",
    "Share of a hub's tasks that somebody accepted, of those offered in the last seven days or never offered",
    ["hub"],
)
DONE = Sampled(
    "bdcan_tasks_done_share",
    "Share of a hub's tasks that are done, of those offered in the last seven days that are done or past their time",
    ["hub"],
)
OFFER_METRES = Sampled(
    "bdcan_offer_median_metres",
    "Median way from the volunteer to the resident, in metres, of the offers of the last seven days",
    ["hub"],
)
ROUNDS = Sampled(
    "bdcan_rounds",
    "Rounds whose time is not over, by hub and state",
    ["hub", "state"],
    {"state": RoundState},
)
LEFT_OUT = Counter(
    "bdcan_round_stops_left_out_total",
    "Tasks that a plan of rounds, or the confirmation of one, has left out, by reason",
    ["reason"],
)
for _reason in WhyLeftOut:
    LEFT_OUT.labels(_reason)

PARTLY_DONE = Counter(
    "bdcan_tasks_partly_done_total",
    "Tasks that were done in part and opened again for the rest, by kind",
    ["kind"],
)
NO_SHOWS = Counter(
    "bdcan_task_no_shows_total",
    "Tasks for which the volunteer who had accepted did not come, by hub",
    ["hub"],
)
for _kind in TaskKind:
    PARTLY_DONE.labels(_kind)

SAMPLES = (
    *promised("calls", store.calls.PROMISED),
    *promised("tasks", store.tasks.PROMISED),
    *promised("welcome", store.volunteers.PROMISED),
    Sample(CALLS, store.calls.COUNT_BY_STATE),
    Sample(NEXT_DUE, store.calls.NEXT_DUE),
    Sample(OLDEST_CALL, store.calls.OLDEST),
    Sample(ATTEMPTS, store.calls.COUNT_BY_ATTEMPT),
    Sample(REVIEWS, store.calls.COUNT_REVIEWS),
    Sample(REVIEW_LATE, store.calls.REVIEW_LATE),
    Sample(LINKED, store.calls.COUNT_LINKED),
    Sample(TASKS, store.tasks.COUNT_BY_KIND_AND_STATE),
    Sample(OLDEST_TASK, store.tasks.OLDEST),
    Sample(UNFILLED, store.tasks.COUNT_UNFILLED),
    Sample(VOLUNTEERS, store.volunteers.COUNT_BY_STATE),
    Sample(ACTIVE, store.volunteers.COUNT_ACTIVE),
    Sample(PLACES, store.volunteers.COUNT_PLACES),
    Sample(ASKED, store.figures.OF_ALL, column="asked_share"),
    Sample(OFFERS_EACH, store.figures.OF_ALL, column="offers_each"),
    Sample(GINI, store.figures.OF_ALL, column="gini"),
    Sample(MATCHED, store.figures.OF_ALL, column="matched_share"),
    Sample(DONE, store.figures.OF_ALL, column="done_share"),
    Sample(OFFER_METRES, store.figures.OF_ALL, column="metres"),
    Sample(ROUNDS, store.rounds.COUNT_BY_STATE),
)
"""What housekeeping reads."""
