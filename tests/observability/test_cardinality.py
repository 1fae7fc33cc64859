"""How many series a process can have at most: each label has a bound, and each process a budget."""

from __future__ import annotations

import importlib
from math import prod

import pytest
from prometheus_client import Histogram
from prometheus_client.metrics import MetricWrapperBase

from bdcan_chassis.sampled import Sampled
from bdcan_local.processes import SERVICES, own_name

BUDGET = 3200
"""Series of one process. Eleven processes are then 35,000 at the very most, which one small Prometheus holds for a year."""

BOUNDS = {
    "hub": 13,  # nine, none, and three more
    "site": 3,
    "ward": 26,
    "item": 40,
    "consumer": 7,
    "loop": 20,
    "name": 12,
    "kind": 14,  # of task, of need, of deadline, of record that is kept
    "promise": 3,  # of one service
    "outcome": 5,
    "late": 2,
    "route": 60,
    "method": 4,
    "status": 6,
    "state": 8,
    "reason": 12,
    "sender": 30,
    "code": 30,
    "owner": 20,
    "owner_kind": 7,
    "problem": 20,
    "event": 5,
    "place": 40,
    "priority": 3,
    "stage": 5,
    "lane": 4,
    "channel": 10,
    "setting": 4,
    "traffic_class": 3,
}
"""How many values a label has that no list in the code closes. A label that is not here has few, as its metric says."""

FEW = 6
TOGETHER = {
    "bdcan_http_requests_total": 400,  # a route has one or two methods, and few statuses
    "bdcan_http_request_seconds": 70,
    "bdcan_requests_by_ward": 60,  # a ward has one hub, and its cover
    "bdcan_pulse_requests": 60,
    "bdcan_welfare_call_attempts": 13 * 5 * 3,
    "bdcan_stock_moved": 3 * 40 * 3,
    "bdcan_messages": 14 * (2 * 3 + 6),  # what was dropped has no channel
    "bdcan_needs_open": 24 * 3 * 5,  # a kind has few owners
    "bdcan_escalations": 3 * 8 * 2,
    "bdcan_tasks": 13 * 8 * 5,
    "bdcan_intake_inbound_records": 30 * 4,
    "bdcan_intake_inbound_problems": 30 * 10,  # a sender makes few kinds of mistake
    "bdcan_intake_later_receipts": 30 * 2,
    "bdcan_loop_paused": 20,  # a loop is urgent or not
    "bdcan_escalation_oldest_seconds": 3 * 8,
}
"""Where labels do not multiply, because one follows from the other."""


def series_of(collector: MetricWrapperBase | Sampled) -> int:
    [family] = collector.describe()
    if isinstance(collector, Sampled):
        labels, known = collector.labels, collector.known or {}
    else:
        labels, known = collector._labelnames, {}
    counts = [len(known[label]) if label in known else BOUNDS.get(label, FEW) for label in labels]
    children = TOGETHER.get(family.name, TOGETHER.get(f"{family.name}_total", prod(counts)))
    return children * (len(collector._upper_bounds) + 2 if isinstance(collector, Histogram) else 1)


def collectors_of(module: str) -> list[MetricWrapperBase | Sampled]:
    found = vars(importlib.import_module(f"{module}.metrics")).values()
    return list({id(x): x for x in found if isinstance(x, MetricWrapperBase | Sampled)}.values())


@pytest.mark.parametrize("process", ["api", "worker"])
@pytest.mark.parametrize("service", SERVICES)
def test_process_stays_within_its_budget(service: str, process: str) -> None:
    """An API reads no gauges from the database and no topic of upstream systems, and a worker answers few requests."""
    sizes = {
        next(iter(collector.describe())).name: series_of(collector)
        for module in ("bdcan_chassis", own_name(service))
        for collector in collectors_of(module)
        if process == "worker" or not isinstance(collector, Sampled)
    }
    elsewhere = "bdcan_http_request" if process == "worker" else "bdcan_intake_inbound"
    sizes = {name: size for name, size in sizes.items() if not name.startswith(elsewhere)}
    largest = sorted(sizes.items(), key=lambda item: -item[1])[:8]
    assert sum(sizes.values()) <= BUDGET, (sum(sizes.values()), largest)


def test_no_label_can_name_a_person_or_a_referral() -> None:
    labels = {
        label
        for module in ("bdcan_chassis", *map(own_name, SERVICES))
        for collector in collectors_of(module)
        for label in (collector.labels if isinstance(collector, Sampled) else collector._labelnames)
    }
    assert labels.isdisjoint(
        {"referral", "referral_id", "reference", "account", "caller", "volunteer", "phone", "postcode"}
    )
