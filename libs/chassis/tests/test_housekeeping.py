"""A worker's housekeeping: it deletes old rows, measures what waits, and checks the retention."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from ledger import Added, Faults, Written
from prometheus_client import REGISTRY, CollectorRegistry, Gauge
from waiting import running, until_true

from bdcan_chassis import housekeeping, metrics
from bdcan_chassis.audit import Watch
from bdcan_chassis.errors import ConfigurationError
from bdcan_chassis.housekeeping import Sample, check_inbox_retention, clear, keep_house, sample
from bdcan_chassis.retention import CHASSIS_KEPT
from bdcan_chassis.subscription import Consumer, On
from bdcan_chassis.testing.harness import START, Harness

DAYS_45 = timedelta(days=45)


def value(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, labels)


async def test_inbox_retention_shorter_than_a_topics_is_refused(
    ledger: Harness,
) -> None:
    consumers = ledger.service.consumers
    check_inbox_retention(consumers, timedelta(days=7, seconds=1))
    for too_short in (timedelta(days=7), timedelta(days=1)):
        with pytest.raises(ConfigurationError, match=r"BDCAN_INBOX_RETENTION.*numbers.*7 days"):
            check_inbox_retention(consumers, too_short)


async def test_only_old_rows_are_deleted_in_batches(ledger: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(housekeeping, "_PORTION", 10)
    await ledger.fetch(
        "INSERT INTO chassis.inbox SELECT 'numbers', gen_random_uuid(), now() - interval '45 days 1 minute' FROM generate_series(1, 35)"
    )
    record = ledger.record(Added(account_id=uuid4(), number=1))
    await ledger.deliver(record)
    await clear(ledger.transactions, DAYS_45)
    [inbox] = await ledger.fetch("SELECT count(*) AS n FROM chassis.inbox")
    assert inbox["n"] == 1
    assert (await ledger.deliver(record))["duplicate"] == 1


async def test_gauges_follow_what_waits(ledger: Harness, shared_faults: Faults) -> None:
    shared_faults.refuse = {1}
    account = uuid4()
    await ledger.deliver(*(Added(account_id=account, number=n) for n in (1, 2, 3)))
    async with ledger.transactions.begin() as tx:
        tx.emit(Written(account_id=account, number=1))
        tx.set_deadline("ring", account, START - timedelta(minutes=2))
        tx.set_deadline("ring", uuid4(), START - timedelta(seconds=30))
    await ledger.fetch("UPDATE chassis.deadline SET failures = 2 WHERE subject <> $1", account)
    gauge = Gauge("toy_accounts", "accounts", ["kind", "size"], registry=CollectorRegistry())
    plain = Gauge("toy_one", "one", registry=CollectorRegistry())
    samples = (
        Sample(gauge, ("kind", "size"), "SELECT 'a' AS kind, 2 AS size, 7 AS value"),
        Sample(plain, (), "SELECT 3 AS value"),
    )
    await sample(ledger.transactions, samples)
    assert value("bdcan_outbox_pending_rows", traffic_class="normal") == 1
    assert (value("bdcan_outbox_oldest_seconds", traffic_class="normal") or -1) >= 0
    assert value("bdcan_deadlines_overdue", kind="ring") == 1
    assert value("bdcan_deadlines_failing", kind="ring") == 1
    assert value("bdcan_dead_letters", consumer="numbers", state="parked") == 1
    assert value("bdcan_dead_letters", consumer="numbers", state="queued") == 2
    assert gauge.labels("a", "2")._value.get() == 7
    assert plain._value.get() == 3

    for table in ("outbox", "deadline", "dead_letter"):
        await ledger.fetch(f"DELETE FROM chassis.{table}")
    await sample(ledger.transactions, ())
    for name, labels in (
        ("bdcan_outbox_pending_rows", {"traffic_class": "normal"}),
        ("bdcan_deadlines_overdue", {"kind": "ring"}),
        ("bdcan_dead_letters", {"consumer": "numbers", "state": "parked"}),
    ):
        assert not value(name, **labels)


async def test_failed_sample_is_counted_and_deletion_continues(
    ledger: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "SAMPLE_SECONDS", 0.01)
    broken = Sample(Gauge("toy_two", "two", registry=CollectorRegistry()), (), "SELECT 1 / 0 AS value")
    await ledger.fetch(
        "INSERT INTO chassis.inbox VALUES ('numbers', gen_random_uuid(), now() - interval '50 days')"
    )
    await ledger.fetch(
        "INSERT INTO chassis.idempotency_key SELECT 'a', days::text, '', 200, '', now() - interval '1 day' * days"
        " FROM generate_series(1, 4) AS days"
    )
    kept_for = ledger.service.kept_for
    before = metrics.SAMPLE_FAILURES._value.get()
    async with running(
        lambda stopping: keep_house(
            ledger.transactions, (broken,), DAYS_45, CHASSIS_KEPT, kept_for, Watch(100), stopping
        )
    ):
        await until_true(lambda: metrics.SAMPLE_FAILURES._value.get() > before + 1)
    assert await ledger.fetch("SELECT 1 FROM chassis.inbox") == []
    keys = await ledger.fetch("SELECT key FROM chassis.idempotency_key")
    assert [key["key"] for key in keys] == ["1"]
    assert value("bdcan_retention_past_rows", kind="stored-replies") == 0
    assert (value("bdcan_retention_run_timestamp_seconds") or 0) > 0


def test_compacted_topic_demands_no_retention(ledger) -> None:
    async def handler(batch, tx) -> None:
        """Never called."""

    topic = replace(ledger.service.catalogue.topics[0], retention=None, compacted=True)
    check_inbox_retention([Consumer("compacted", (On(topic, Added, handler),))], timedelta(days=1))
