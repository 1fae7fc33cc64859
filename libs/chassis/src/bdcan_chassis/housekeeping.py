"""A worker's housekeeping: it reads gauges from the database, and ends what is past its retention.

It deletes rows in small batches, so that no lock is held for long. The inbox must keep every id that a topic could still
deliver: at the start, its retention is checked against the topics'.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import asyncpg
from prometheus_client import Counter

from bdcan_chassis import dead_letters, metrics
from bdcan_chassis.audit import Watch
from bdcan_chassis.database import wait
from bdcan_chassis.errors import DATABASE_ERRORS, ConfigurationError, is_transient
from bdcan_chassis.logs import get_logger
from bdcan_chassis.pauses import HOUSEKEEPING, NOTHING_PAUSED, Pauses
from bdcan_chassis.retention import Kept, end, measure
from bdcan_chassis.sampled import Labels, Sampled
from bdcan_chassis.subscription import Consumer
from bdcan_chassis.table import Statement
from bdcan_chassis.transaction import Transactions

log = get_logger(__name__)

SAMPLE_SECONDS = 10.0
_REST_FACTOR, _LONGEST_SECONDS = 50.0, 20.0  # a large database is read a little less often
_CLEAR_SECONDS = 600.0
_PORTION = 5000


@dataclass(frozen=True, slots=True)
class Sample:
    """A gauge read from the database.

    `statement` returns a column for each label, by the label's name, and `column` with the value. A row whose value is NULL is
    none. The statement may take the parameter `:now`, in domain time. Several samples may fill one gauge. Samples of one
    statement share its result: it is run once.
    """

    gauge: Sampled
    statement: Statement
    every: float = 0.0
    """Seconds between two readings at least, for a statement that reads much."""
    column: str = "value"


def promised(promise: str, live: Statement) -> tuple[Sample, ...]:
    """Samples of one kind of promise.

    `live` returns `hub` and `due_at` of what is not done yet. A row without a `due_at` names a hub where perhaps nothing
    waits, so that its figures are 0 and not absent.
    """
    for kept in (True, False):
        of_promise(promise, (None, kept))
    rows = f"(SELECT hub, due_at, '{promise}' AS promise FROM ({live.sql}) AS live) AS p"  # noqa: S608 # no value of a stranger
    return (
        Sample(metrics.PROMISES_LATE, Statement(_LATE.format(rows=rows))),
        Sample(metrics.PROMISES_LATEST, Statement(_LATEST.format(rows=rows))),
        Sample(metrics.PROMISES_DUE_SOON, Statement(_DUE_SOON.format(rows=rows))),
    )


def of_promise(promise: str, outcome: tuple[str | None, bool] | None) -> tuple[Counter, ...]:
    """What a book counts of a promise. `outcome`: the hub that owns it, and whether it was kept."""
    if outcome is None:
        return ()
    hub, kept = outcome
    return (metrics.PROMISES.labels(promise, hub or metrics.NO_HUB, "kept" if kept else "missed"),)


def check_inbox_retention(consumers: Sequence[Consumer], retention: timedelta) -> None:
    """Raise ConfigurationError if a topic keeps records longer than the inbox keeps their ids."""
    for consumer in consumers:
        for line in consumer.table:
            kept = line.topic.retention
            if kept is not None and kept >= retention:
                raise ConfigurationError(
                    f"BDCAN_INBOX_RETENTION is {retention}, but {line.topic.name} keeps records for {kept}: raise it"
                )


async def keep_house(
    transactions: Transactions,
    samples: Sequence[Sample],
    retention: timedelta,
    kinds: Sequence[Kept],
    kept_for: Mapping[str, timedelta],
    watch: Watch,
    stopping: asyncio.Event,
    pauses: Pauses = NOTHING_PAUSED,
) -> None:
    """Read gauges and end what is past its time until `stopping`. While paused it still reads: alarms follow from it."""
    cleared, read_at = -math.inf, dict[Sample, float]()
    gate = pauses.of(HOUSEKEEPING)
    while not stopping.is_set():
        started = time.monotonic()
        try:
            # deletes first: a gauge that fails must not let the inbox grow
            if time.monotonic() - cleared > _CLEAR_SECONDS and not gate.closed:
                await clear(transactions, retention)
                await end(transactions, kinds, kept_for)
                await measure(transactions, kinds, kept_for)
                cleared = time.monotonic()
            due = [one for one in samples if time.monotonic() - read_at.get(one, -math.inf) >= one.every]
            await sample(transactions, due)
            read_at.update(dict.fromkeys(due, time.monotonic()))
            async with transactions.pool.acquire() as connection:
                await watch.look(connection, transactions.clock.now())
        except DATABASE_ERRORS as error:
            metrics.SAMPLE_FAILURES.inc()
            log.warning("housekeeping.failed", transient=is_transient(error), exc_info=error)
        took = time.monotonic() - started
        await wait(stopping, max(SAMPLE_SECONDS, min(_LONGEST_SECONDS, _REST_FACTOR * took)))


async def sample(transactions: Transactions, samples: Sequence[Sample]) -> None:
    """Read all gauges once. They change together, after the last query: a scrape sees no hole."""
    started, now = time.perf_counter(), transactions.clock.now()
    minute = timedelta(minutes=1) / transactions.clock.real_seconds(timedelta(seconds=1))  # a real one
    read: dict[Sampled, dict[Labels, float]] = {wanted.gauge: {} for wanted in samples}
    async with transactions.pool.acquire() as connection:
        outbox = await connection.fetch(_OUTBOX)
        deadlines = await connection.fetch(_DEADLINES, now - minute)
        letters = await dead_letters.counts(connection)
        results: dict[Statement, list[asyncpg.Record]] = {}
        for wanted in samples:
            if wanted.statement not in results:
                given: dict[str, Any] = {"now": now} if wanted.statement.parameters else {}
                results[wanted.statement] = await wanted.statement.records(connection, **given)
            for row in results[wanted.statement]:
                if (value := row[wanted.column]) is not None:
                    labels = tuple(str(row[name]) for name in wanted.gauge.labels)
                    read[wanted.gauge][labels] = value
    metrics.OUTBOX_PENDING.replace({(row["traffic_class"],): row["pending"] for row in outbox})
    metrics.OUTBOX_OLDEST.replace({(row["traffic_class"],): row["oldest"] for row in outbox})
    metrics.DEADLINES_OVERDUE.replace({(row["kind"],): row["overdue"] for row in deadlines})
    metrics.DEADLINES_FAILING.replace({(row["kind"],): row["failing"] for row in deadlines})
    metrics.DEAD_LETTERS.replace(letters)
    for gauge, rows in read.items():
        gauge.replace(rows)
    metrics.SAMPLE_SECONDS.set(time.perf_counter() - started)
    metrics.SAMPLE_TIME.replace({(): time.time()})


def expect(traffic_classes: Iterable[str], deadlines: Iterable[str], consumers: Iterable[str]) -> None:
    """Export 0 for what a worker has and where nothing waits, instead of nothing."""
    for traffic_class in traffic_classes:
        metrics.OUTBOX_PENDING.expect(traffic_class=traffic_class)
        metrics.OUTBOX_OLDEST.expect(traffic_class=traffic_class)
    for kind in deadlines:
        metrics.DEADLINES_OVERDUE.expect(kind=kind)
        metrics.DEADLINES_FAILING.expect(kind=kind)
    for consumer in consumers:
        metrics.DEAD_LETTERS.expect(consumer=consumer)


async def clear(transactions: Transactions, retention: timedelta) -> None:
    """Delete inbox rows that are past their retention."""
    while True:
        done = await transactions.pool.execute(_CLEAR_INBOX, retention, _PORTION)
        if int(done.rpartition(" ")[2]) < _PORTION:
            break


_OUTBOX = """
SELECT traffic_class, count(*) AS pending, extract(epoch FROM now() - min(created_at))::float8 AS oldest FROM chassis.outbox GROUP BY traffic_class
"""

_DEADLINES = """
SELECT kind, count(*) FILTER (WHERE due_at < $1) AS overdue, count(*) FILTER (WHERE failures > 0) AS failing
FROM chassis.deadline WHERE due_at < $1 OR failures > 0 GROUP BY kind
"""

_LATE = """
SELECT promise, coalesce(hub, 'none') AS hub, count(*) FILTER (WHERE due_at < :now) AS value FROM {rows} GROUP BY promise, hub
"""

_LATEST = """
SELECT promise, coalesce(hub, 'none') AS hub, extract(epoch FROM :now::timestamptz - min(due_at))::float8 AS value
FROM {rows} WHERE due_at < :now GROUP BY promise, hub
"""

_DUE_SOON = """
SELECT promise, coalesce(hub, 'none') AS hub, w.name AS within,
    count(*) FILTER (WHERE due_at >= :now AND due_at <= :now::timestamptz + w.span) AS value
FROM {rows} CROSS JOIN (VALUES ('1h', interval '1 hour'), ('4h', interval '4 hours')) AS w (name, span)
GROUP BY promise, hub, w.name
"""

_CLEAR_INBOX = """
DELETE FROM chassis.inbox WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM chassis.inbox WHERE received_at < now() - $1::interval LIMIT $2
))
"""
