"""A worker's housekeeping: it deletes old rows, measures what waits, and checks the retention."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import asyncpg
import pytest
from ledger import Added, Faults, Written
from prometheus_client import REGISTRY, CollectorRegistry, Counter
from waiting import running, until_true

from bdcan_chassis import housekeeping, metrics
from bdcan_chassis.audit import Watch
from bdcan_chassis.clock import ScaledClock
from bdcan_chassis.errors import ConfigurationError
from bdcan_chassis.housekeeping import (
    Sample,
    check_inbox_retention,
    clear,
    expect,
    keep_house,
    promised,
    sample,
)
from bdcan_chassis.retention import CHASSIS_KEPT
from bdcan_chassis.sampled import Sampled
from bdcan_chassis.subscription import Consumer, On
from bdcan_chassis.table import Statement
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
    gauge = Sampled("toy_accounts", "accounts", ["kind", "size"], registry=CollectorRegistry())
    plain = Sampled("toy_one", "one", registry=CollectorRegistry())
    samples = (
        Sample(gauge, Statement("SELECT 'a' AS kind, 2 AS size, 7 AS value")),
        Sample(gauge, Statement("SELECT 'b' AS kind, 2 AS size, NULL::int AS value")),
        Sample(plain, Statement("SELECT extract(epoch FROM :now::timestamptz)::float8 AS value")),
    )
    expect(["normal", "urgent"], ["ring"], ["numbers"])
    await sample(ledger.transactions, samples)
    assert value("bdcan_outbox_pending_rows", traffic_class="normal") == 1
    assert (value("bdcan_outbox_oldest_seconds", traffic_class="normal") or -1) >= 0
    assert value("bdcan_outbox_oldest_seconds", traffic_class="urgent") == 0
    assert value("bdcan_deadlines_overdue", kind="ring") == 1
    assert value("bdcan_deadlines_failing", kind="ring") == 1
    letters = {"consumer": "numbers"}
    assert value("bdcan_dead_letters", **letters, state="parked", reason="bad-record") == 1
    assert value("bdcan_dead_letters", **letters, state="queued", reason="behind-parked") == 2
    assert value("bdcan_dead_letters", **letters, state="parked", reason="handler-failed") == 0
    assert gauge.value("a", "2") == 7
    assert gauge.value("b", "2") is None, "what has no value has no series"
    assert plain.value() == ledger.clock.now().timestamp()
    assert time.time() - (value("bdcan_sample_timestamp_seconds") or 0) < 60

    for table in ("outbox", "deadline", "dead_letter"):
        await ledger.fetch(f"DELETE FROM chassis.{table}")
    await sample(ledger.transactions, ())
    assert value("bdcan_outbox_pending_rows", traffic_class="normal") == 0
    assert value("bdcan_deadlines_overdue", kind="ring") == 0
    assert value("bdcan_dead_letters", **letters, state="parked", reason="bad-record") == 0


async def test_samples_of_one_statement_share_one_look(ledger: Harness) -> None:
    """A random value: two looks would not agree."""
    once = Statement("SELECT random() AS one, NULL::float AS none, r AS value FROM random() AS r")
    gauges = [
        Sampled(f"toy_{name}", name, registry=CollectorRegistry()) for name in ("value", "again", "none")
    ]
    await sample(
        ledger.transactions,
        [Sample(gauges[0], once), Sample(gauges[1], once), Sample(gauges[2], once, column="none")],
    )
    assert gauges[0].value() == gauges[1].value() is not None
    assert gauges[2].value() is None


async def test_failed_reading_leaves_no_hole(ledger: Harness) -> None:
    gauge = Sampled("toy_three", "three", ["kind"], registry=CollectorRegistry())
    await sample(ledger.transactions, [Sample(gauge, Statement("SELECT 'a' AS kind, 1 AS value"))])
    broken = [
        Sample(gauge, Statement("SELECT 'b' AS kind, 1 AS value")),
        Sample(gauge, Statement("SELECT 'c' AS kind, 1 / 0 AS value")),
    ]
    with pytest.raises(asyncpg.DivisionByZeroError):
        await sample(ledger.transactions, broken)
    assert (gauge.value("a"), gauge.value("b")) == (1, None)


async def test_overdue_deadlines_are_a_real_minute_old_on_a_fast_clock(ledger: Harness) -> None:
    fast = ScaledClock(START, time.time(), 1000.0)
    transactions = replace(ledger.transactions, clock=fast)
    async with ledger.transactions.begin() as tx:
        tx.set_deadline("ring", uuid4(), fast.now() - timedelta(minutes=5))
    await sample(transactions, ())
    assert not value("bdcan_deadlines_overdue", kind="ring")
    await ledger.fetch("UPDATE chassis.deadline SET due_at = due_at - interval '1000 minutes'")
    await sample(transactions, ())
    assert value("bdcan_deadlines_overdue", kind="ring") == 1
    await ledger.fetch("DELETE FROM chassis.deadline")


async def test_promises_show_who_is_late_and_who_is_due(ledger: Harness) -> None:
    live = Statement("""
        SELECT * FROM (VALUES ('a', '2019-12-31T00:00Z'::timestamptz), ('a', '2020-01-01T00:30Z'),
            ('b', '2020-01-01T03:00Z'), ('b', NULL), (NULL, NULL)) AS live (hub, due_at)
    """)
    ledger.clock.instant = datetime(2020, 1, 1, tzinfo=UTC)
    await sample(ledger.transactions, promised("toys", live))
    late = {hub: value("bdcan_promises_late", promise="toys", hub=hub) for hub in ("a", "b", "none")}
    assert late == {"a": 1, "b": 0, "none": 0}
    assert value("bdcan_promise_latest_seconds", promise="toys", hub="a") == 24 * 3600
    assert value("bdcan_promise_latest_seconds", promise="toys", hub="b") is None
    soon = {
        (hub, within): value("bdcan_promises_due_soon", promise="toys", hub=hub, within=within)
        for hub in ("a", "b")
        for within in ("1h", "4h")
    }
    assert soon == {("a", "1h"): 1, ("a", "4h"): 1, ("b", "1h"): 0, ("b", "4h"): 1}
    ledger.clock.instant = START


async def test_counters_move_only_when_the_transaction_commits(ledger: Harness) -> None:
    counter = Counter("toy_counted", "toys counted", registry=CollectorRegistry())
    async with ledger.transactions.begin() as tx:
        tx.count(counter)
        mark = tx.mark()
        tx.count(counter, counter)
        tx.rewind(mark)
        assert counter._value.get() == 0
    assert counter._value.get() == 1

    async def fail() -> None:
        async with ledger.transactions.begin() as tx:
            tx.count(counter)
            await tx.connection.execute("SELECT 1 / 0")

    with pytest.raises(asyncpg.DivisionByZeroError):
        await fail()
    assert counter._value.get() == 1


async def test_failed_sample_is_counted_and_deletion_continues(
    ledger: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "SAMPLE_SECONDS", 0.01)
    broken = Sample(
        Sampled("toy_two", "two", registry=CollectorRegistry()), Statement("SELECT 1 / 0 AS value")
    )
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
