"""Every metric of intake beside the chassis's. Ages are seconds of domain time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from prometheus_client import Counter

from bdcan_chassis.housekeeping import Sample
from bdcan_chassis.sampled import Sampled
from bdcan_contracts.vocabulary import Channel, ReferralOutcome
from bdcan_intake.domain.imports import ImportState
from bdcan_intake.domain.referral import ReferralState
from bdcan_intake.store import summary
from bdcan_intake.store.erasures import GAUGE_ERASURES
from bdcan_intake.store.imports import GAUGE_IMPORTS

RECEIVED = Counter(
    "bdcan_referrals_received_total", "Referrals that intake has accepted, by channel", ["channel"]
)
CLOSED = Counter(
    "bdcan_referrals_closed_total",
    "Referrals that intake has closed, by outcome; again after a reopening",
    ["outcome"],
)
for _channel in Channel:
    RECEIVED.labels(_channel)
for _outcome in ReferralOutcome:
    CLOSED.labels(_outcome)

REFERRALS = Sampled("bdcan_referrals", "Referrals by state", ["state"], {"state": ReferralState})
OLDEST = Sampled(
    "bdcan_stage_oldest_seconds",
    "How long ago the oldest open referral of a state came in; absent where none is",
    ["stage"],
)
MEDIAN = Sampled(
    "bdcan_stage_median_seconds",
    "How long ago the open referrals of a state came in: half of them longer ago, half later; absent where none is",
    ["stage"],
)
UNPLACED = Sampled(
    "bdcan_referrals_unplaced",
    "Referrals that routing has neither placed nor sent to a person within an hour",
)
NEEDS = Sampled(
    "bdcan_needs", "Needs by lane and state; of sensitive lanes, counts of five and more", ["lane", "state"]
)
OPEN_NEEDS = Sampled(
    "bdcan_needs_open",
    "Open needs by kind, who owns them, and how long ago they were asked for; of sensitive lanes by lane, five and more",
    ["kind", "owner_kind", "age"],
)
OVERDUE = Sampled(
    "bdcan_needs_overdue",
    "Open needs of lanes that are not sensitive whose time has passed, by owner",
    ["owner"],
    {},
)
IMPORTS = Sampled(
    "bdcan_imports",
    "Imports by state; one that was broken off has to be sent again",
    ["state"],
    {"state": ImportState},
)
ERASURES = Sampled(
    "bdcan_erasures",
    "Requests to be erased by state; overdue: a service has not answered in time",
    ["state"],
    {"state": ("waiting", "overdue", "done")},
)

INBOUND_RECORDS = Counter(
    "bdcan_intake_inbound_records_total",
    "Records of upstream systems by result: accepted, duplicate, refused, or repeated (the same event again)",
    ["sender", "result"],
)
INBOUND_PROBLEMS = Counter(
    "bdcan_intake_inbound_problems_total",
    "Refused records of upstream systems by what is wrong with them",
    ["sender", "code"],
)
LATER_RECEIPTS = Counter(
    "bdcan_intake_later_receipts_total",
    "Receipts that tell an upstream system how a referral goes on: progressed, or closed",
    ["sender", "kind"],
)
KAFKA_USERS = Sampled(
    "bdcan_kafka_user_expires_timestamp_seconds",
    "When the last Kafka user of a system outside ends; a system with a user that does not end has none",
    ["name"],
)

SAMPLES = (
    Sample(REFERRALS, summary.GAUGE_REFERRALS),
    Sample(OLDEST, summary.GAUGE_OLDEST),
    Sample(MEDIAN, summary.GAUGE_MEDIAN, every=15.0),  # it looks at each open referral
    Sample(UNPLACED, summary.GAUGE_UNPLACED),
    Sample(NEEDS, summary.GAUGE_NEEDS),
    Sample(OPEN_NEEDS, summary.GAUGE_OPEN_NEEDS, every=60.0),  # half of what all of them cost
    Sample(OVERDUE, summary.GAUGE_OVERDUE),
    Sample(ERASURES, GAUGE_ERASURES),
    Sample(IMPORTS, GAUGE_IMPORTS),
)
"""What housekeeping reads."""


def show_kafka_users(ends: Callable[[], Mapping[str, datetime]]) -> None:
    """Show when the users end, as it is at each scrape."""
    KAFKA_USERS.set_function(lambda: {(name,): at.timestamp() for name, at in ends().items()})
