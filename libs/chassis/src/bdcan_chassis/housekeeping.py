"""A worker's housekeeping: it reads gauges from the database, and ends what is past its retention.

It deletes rows in small batches, so that no lock is held for long. The inbox must keep every id that a topic could still
deliver: at the start, its retention is checked against the topics'.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from prometheus_client import Gauge

from bdcan_chassis import dead_letters, metrics
from bdcan_chassis.audit import Watch
from bdcan_chassis.database import wait
from bdcan_chassis.errors import DATABASE_ERRORS, ConfigurationError, is_transient
from bdcan_chassis.logs import get_logger
from bdcan_chassis.retention import Kept, end, measure
from bdcan_chassis.subscription import Consumer
from bdcan_chassis.transaction import Transactions

log = get_logger(__name__)

SAMPLE_SECONDS = 10.0
_CLEAR_SECONDS = 600.0
_PORTION = 5000


@dataclass(frozen=True, slots=True)
class Sample:
    """A gauge read from the database: `sql` returns a column for each label, in order, and one named `value`."""

    gauge: Gauge
    labels: tuple[str, ...]
    sql: str


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
) -> None:
    """Read gauges and end what is past its time until `stopping`."""
    cleared = -math.inf
    while not stopping.is_set():
        try:
            if (
                time.monotonic() - cleared > _CLEAR_SECONDS
            ):  # deletes first: a gauge that fails must not let the inbox grow
                await clear(transactions, retention)
                await end(transactions, kinds, kept_for)
                await measure(transactions, kinds, kept_for)
                cleared = time.monotonic()
            await sample(transactions, samples)
            async with transactions.pool.acquire() as connection:
                await watch.look(connection, transactions.clock.now())
        except DATABASE_ERRORS as error:
            metrics.SAMPLE_FAILURES.inc()
            log.warning("housekeeping.failed", transient=is_transient(error), exc_info=error)
        await wait(stopping, SAMPLE_SECONDS)


async def sample(transactions: Transactions, samples: Sequence[Sample]) -> None:
    """Read all gauges once."""
    async with transactions.pool.acquire() as connection:
        metrics.OUTBOX_PENDING.clear()
        metrics.OUTBOX_OLDEST.clear()
        for row in await connection.fetch(_OUTBOX):
            metrics.OUTBOX_PENDING.labels(row["traffic_class"]).set(row["pending"])
            metrics.OUTBOX_OLDEST.labels(row["traffic_class"]).set(row["oldest"])
        metrics.DEADLINES_OVERDUE.clear()
        metrics.DEADLINES_FAILING.clear()
        for row in await connection.fetch(_DEADLINES, transactions.clock.now() - timedelta(minutes=1)):
            metrics.DEADLINES_OVERDUE.labels(row["kind"]).set(row["overdue"])
            metrics.DEADLINES_FAILING.labels(row["kind"]).set(row["failing"])
        metrics.DEAD_LETTERS.clear()
        for consumer, state, count in await dead_letters.counts(connection):
            metrics.DEAD_LETTERS.labels(consumer, state).set(count)
        for wanted in samples:
            wanted.gauge.clear()
            for row in await connection.fetch(wanted.sql):
                child = (
                    wanted.gauge.labels(*(str(row[name]) for name in wanted.labels))
                    if wanted.labels
                    else wanted.gauge
                )
                child.set(row["value"])


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

_CLEAR_INBOX = """
DELETE FROM chassis.inbox WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM chassis.inbox WHERE received_at < now() - $1::interval LIMIT $2
))
"""
