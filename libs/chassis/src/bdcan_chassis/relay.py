"""The relay: sends committed events from the outbox to Kafka. One leader for each traffic class sends them in order.

The relay selects rows that are *unsent* (still in the table), never from a remembered position, because sequence order
is not commit order. In one round all rows of a partition go as one Kafka batch, which the broker takes whole or not at
all. The relay deletes a row when the broker has it. The next round starts at the earliest row that is left. Events of
one key therefore never overtake each other, even if a round fails half way. After a crash between send and delete the
relay sends the same ids again in the same order, and the consumers' inboxes ignore them. A topic that does not exist holds up no other: its events wait.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Sequence
from typing import Any
from zlib import crc32

import asyncpg
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError, UnknownTopicOrPartitionError

from bdcan_chassis import metrics
from bdcan_chassis.database import backoff_seconds, dedicated_connection, rest, wait, wait_for_either
from bdcan_chassis.errors import DATABASE_ERRORS, is_transient
from bdcan_chassis.kafka import make_producer, start
from bdcan_chassis.logs import get_logger
from bdcan_chassis.pauses import NOTHING_PAUSED, Pauses
from bdcan_chassis.settings import ServiceSettings
from bdcan_chassis.tracing import Tracer
from bdcan_chassis.transaction import unpack_headers
from bdcan_chassis.wake import Wakes

log = get_logger(__name__)

ROUND = 1000
"""Rows taken from the outbox at once."""

ROUND_BYTES = 8_000_000
"""Bodies taken from the outbox at once, and the first row whatever its size: 1,000 of the largest would be half a gigabyte."""

_FEW = 50  # a round with fewer rows is mostly overhead
_IDLE_SECONDS = 1.0  # a NOTIFY may be lost; leadership may become free
_SEND_SECONDS = 120.0
_STOP_SECONDS = 3.0
_FIND_SECONDS = 5.0
_ABSENT_SECONDS = 30.0  # an upstream system's topic is made before its first event, or was deleted


class Relay:
    """Sends one traffic class of a service's outbox while it is leader."""

    def __init__(
        self,
        traffic_class: str,
        service: str,
        settings: ServiceSettings,
        wakes: Wakes,
        pauses: Pauses = NOTHING_PAUSED,
        tracer: Tracer | None = None,
    ) -> None:
        self.traffic_class = traffic_class
        self._name = f"bdcan.{service}.relay.{traffic_class}"
        self._settings = settings
        self._absent: dict[str, float] = {}
        self._gate = pauses.of(f"relay:{traffic_class}")
        self._tracer = tracer
        self._wake = wakes.of(f"outbox:{traffic_class}")

    async def run(self, stopping: asyncio.Event) -> None:
        """Relay until `stopping`; becomes leader when it can, and starts again after any failure."""
        attempt = 0
        dsn = self._settings.database_url.get_secret_value()
        while not stopping.is_set():
            try:
                async with dedicated_connection(dsn, self._name) as connection:
                    if await connection.fetchval(_LEAD, self._name):
                        metrics.RELAY_LEADER.labels(self.traffic_class).set(1)
                        await self._lead(connection, stopping)
                        attempt = 0
                    else:
                        attempt = 0
                        await self._follow(connection, stopping)
            except (*DATABASE_ERRORS, KafkaError) as error:
                if not is_transient(error):
                    raise
                attempt += 1
                metrics.RELAY_FAILURES.labels(self.traffic_class).inc()
                log.warning("relay.failed", traffic_class=self.traffic_class, attempt=attempt, exc_info=error)
                await wait(stopping, backoff_seconds(attempt))
            finally:
                metrics.RELAY_LEADER.labels(self.traffic_class).set(0)

    async def _follow(self, connection: asyncpg.Connection[asyncpg.Record], stopping: asyncio.Event) -> None:
        while not await wait(stopping, _IDLE_SECONDS):
            if await connection.fetchval(_LEAD, self._name):
                metrics.RELAY_LEADER.labels(self.traffic_class).set(1)
                await self._lead(connection, stopping)
                return

    async def _lead(self, connection: asyncpg.Connection[asyncpg.Record], stopping: asyncio.Event) -> None:
        producer = make_producer(self._settings, self._name)
        try:
            await start(producer)
            log.info("relay.leading", traffic_class=self.traffic_class)
            while not stopping.is_set():
                if self._gate.closed:
                    await self._gate.opened(stopping)
                    continue
                self._wake.clear()
                started = time.perf_counter()
                rows = await _unless_stopped(self._round(connection, producer), stopping)
                if 0 < rows < _FEW:
                    await rest(stopping, time.perf_counter() - started)
                if rows < _FEW:  # all that was there is sent
                    await wait_for_either(self._wake, stopping, _IDLE_SECONDS)
        finally:
            await _close(producer)

    async def _round(self, connection: asyncpg.Connection[asyncpg.Record], producer: AIOKafkaProducer) -> int:
        """Send the earliest unsent rows; returns how many were taken on, or _FEW if more may be left."""
        rows = await connection.fetch(_UNSENT, self.traffic_class, ROUND, ROUND_BYTES, self._absent_now())
        if not rows:
            return 0
        partitions = await self._partitions(producer, {row["topic"] for row in rows})
        if any(row["topic"] not in partitions for row in rows):
            return _FEW  # the next round leaves them out
        by_partition: dict[tuple[str, int], list[asyncpg.Record]] = {}
        for row in rows:
            place = (row["topic"], partition_of(row["record_key"], partitions[row["topic"]]))
            by_partition.setdefault(place, []).append(row)
        sent: list[int] = []
        failure: BaseException | None = None
        async with asyncio.timeout(_SEND_SECONDS):
            flights = [await self._send(producer, *place, batch) for place, batch in by_partition.items()]
            for (future, numbers), batch in zip(flights, by_partition.values(), strict=True):
                try:
                    await future
                    sent.extend(numbers)
                    if self._tracer is not None:
                        _trace(self._tracer, batch[: len(numbers)])
                except KafkaError as error:
                    failure = error
        if sent:
            await connection.execute(_SENT, self.traffic_class, sent)
            metrics.RELAYED.labels(self.traffic_class).inc(len(sent))
        if failure is not None:
            raise failure
        is_cut = len(rows) == ROUND or sum(len(row["body"]) for row in rows) >= ROUND_BYTES
        return max(_FEW, len(rows)) if is_cut or len(sent) < len(rows) else len(rows)

    def _absent_now(self) -> list[str]:
        """The topics that were missing a moment ago."""
        now = time.monotonic()
        self._absent = {topic: until for topic, until in self._absent.items() if until > now}
        return list(self._absent)

    async def _partitions(self, producer: AIOKafkaProducer, topics: set[str]) -> dict[str, list[int]]:
        """The partitions of these topics. One that does not exist, or may not be written, holds up no other."""
        found: dict[str, list[int]] = {}
        for topic in topics:
            try:
                async with asyncio.timeout(_FIND_SECONDS):
                    found[topic] = sorted(await producer.partitions_for(topic))
            except (TimeoutError, UnknownTopicOrPartitionError, TopicAuthorizationFailedError) as error:
                self._absent[topic] = time.monotonic() + _ABSENT_SECONDS
                metrics.RELAY_FAILURES.labels(self.traffic_class).inc()
                log.error("relay.topic_missing", topic=topic, exc_info=error)
        return found

    async def _send(
        self, producer: AIOKafkaProducer, topic: str, partition: int, rows: list[asyncpg.Record]
    ) -> tuple[asyncio.Future[Any], list[int]]:
        batch = producer.create_batch()
        numbers: list[int] = []
        for row in rows:
            headers = unpack_headers(row["headers"])
            if (
                batch.append(key=row["record_key"], value=row["body"], timestamp=None, headers=headers)
                is None
            ):
                break  # the batch is full: the next round begins with the rows that are left
            numbers.append(row["seq"])
        batch.close()
        return await producer.send_batch(batch, topic, partition=partition), numbers


def _trace(tracer: Tracer, rows: list[asyncpg.Record]) -> None:
    for row in rows:
        tracer.relayed(row["topic"], unpack_headers(row["headers"]), row["created_at"].timestamp())


def partition_of(key: bytes, partitions: Sequence[int]) -> int:
    """The partition of a key among those of the topic.

    aiokafka computes Kafka's own hash in Python, which took a sixth of a relayed event's time. Only this relay writes to the
    topic, so any hash will do, as long as it never changes: then an aggregate's records would overtake each other.
    """
    return partitions[crc32(key) % len(partitions)]


async def _unless_stopped(work: Coroutine[Any, Any, int], stopping: asyncio.Event) -> int:
    """A round's result. One that hangs on an absent broker must not hold up a stop: what it has sent goes again."""
    running, stop = asyncio.ensure_future(work), asyncio.ensure_future(stopping.wait())
    try:
        await asyncio.wait({running, stop}, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait({running}, timeout=_STOP_SECONDS)
    finally:
        stop.cancel()
        running.cancel()
    await asyncio.wait({running})
    return 0 if running.cancelled() else running.result()


async def _close(producer: AIOKafkaProducer) -> None:
    try:
        async with asyncio.timeout(5):
            await producer.stop()
    except (KafkaError, OSError, TimeoutError) as error:
        log.info("relay.closed_without_flush", exc_info=error)


_LEAD = "SELECT pg_try_advisory_lock(hashtextextended($1, 0))"

_UNSENT = """
SELECT seq, topic, record_key, headers, body, created_at
FROM (
    SELECT seq, topic, record_key, headers, body, created_at,
        sum(length(body)) OVER (ORDER BY seq ROWS UNBOUNDED PRECEDING) - length(body) AS before
    FROM chassis.outbox WHERE traffic_class = $1 AND topic <> ALL ($4::text[]) ORDER BY seq LIMIT $2
) AS earliest
WHERE before < $3
ORDER BY seq
"""

_SENT = "DELETE FROM chassis.outbox WHERE traffic_class = $1 AND seq = ANY ($2::bigint[])"
