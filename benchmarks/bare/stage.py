"""What the three bare processes share: a loop, a relay, and a program around them.

A batch of 500 in one transaction, offsets after it; the relay selects, sends a batch a partition, deletes. No check of
an envelope, no order by key, no parking, no retry: it dies at the first fault.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
import orjson
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.partitioner import DefaultPartitioner
from uuid_utils.compat import uuid7

from bdcan_chassis.database import Connection

BATCH = 500
_ROUND = 1000


class Received(NamedTuple):
    """An event as it came."""

    id: UUID
    data: dict[str, Any]


class Sent(NamedTuple):
    """An event on its way out."""

    id: UUID
    key: str
    data: dict[str, Any]


Handler = Callable[[Connection, Sequence[Received]], Awaitable[None]]


async def consume(
    kafka: dict[str, Any], topic: str, group: str, pool: asyncpg.Pool, handler: Handler
) -> None:
    """Hand over batches of events that have not been seen."""
    consumer = AIOKafkaConsumer(
        topic,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        **kafka,
    )
    await consumer.start()
    while True:
        polled = await consumer.getmany(timeout_ms=500, max_records=BATCH)
        if not polled:
            continue
        events = {_id(r): orjson.loads(r.value or b"") for records in polled.values() for r in records}
        async with pool.acquire() as connection, connection.transaction():
            fresh = await connection.fetch(_INBOX, topic, sorted(events))
            await handler(connection, [Received(row[0], events[row[0]]) for row in fresh])
        await consumer.commit({tp: records[-1].offset + 1 for tp, records in polled.items()})


async def publish(connection: Connection, topic: str, kind: str, source: str, events: Sequence[Sent]) -> None:
    """Put events into the outbox."""
    now = datetime.now(UTC).isoformat()
    await connection.execute(
        _OUTBOX,
        topic,
        [e.id for e in events],
        [e.key.encode() for e in events],
        [_headers(e.id, e.key, kind, source, now) for e in events],
        [orjson.dumps(e.data) for e in events],
    )
    await connection.execute("SELECT pg_notify('bdcan', 'outbox')")


async def relay(kafka: dict[str, Any], dsn: str) -> None:
    """Send what is in the outbox, for ever."""
    connection = await asyncpg.connect(dsn)
    woken = asyncio.Event()
    await connection.add_listener("bdcan", lambda *_: woken.set())
    producer = make_producer(kafka)
    await producer.start()
    partitioner = DefaultPartitioner()
    while True:
        woken.clear()
        if not await relay_round(connection, producer, partitioner):
            await woken.wait()


def make_producer(kafka: dict[str, Any]) -> AIOKafkaProducer:
    """A producer that sends whole batches, as safely as the product's."""
    return AIOKafkaProducer(
        **{"compression_type": "zstd", **kafka}, acks="all", enable_idempotence=True, max_batch_size=524_288
    )


async def relay_round(
    connection: asyncpg.Connection, producer: AIOKafkaProducer, partitioner: DefaultPartitioner
) -> int:
    """One round: select unsent, send, delete; returns how many."""
    rows = await connection.fetch(_UNSENT, _ROUND)
    batches: dict[tuple[str, int], Any] = {}
    partitions: dict[str, list[int]] = {}
    numbers = []
    for row in rows:
        topic = row["topic"]
        if topic not in partitions:
            partitions[topic] = sorted(await producer.partitions_for(topic))
        place = (topic, partitioner(row["record_key"], partitions[topic], partitions[topic]))
        batch = batches.get(place) or batches.setdefault(place, producer.create_batch())
        headers = [(k, v.encode()) for k, v in orjson.loads(row["headers"])]
        if batch.append(key=row["record_key"], value=row["body"], timestamp=None, headers=headers):
            numbers.append(row["seq"])
    sent = [await producer.send_batch(b, t, partition=p) for (t, p), b in batches.items()]
    await asyncio.gather(*sent)
    if numbers:
        await connection.execute(
            "DELETE FROM chassis.outbox WHERE traffic_class = 'bulk' AND seq = ANY ($1::bigint[])", numbers
        )
    return len(numbers)


def main(work: Callable[[dict[str, Any], asyncpg.Pool], Awaitable[None]]) -> None:
    """A bare process: its task comes by the environment."""
    task = json.loads(os.environ["BENCH_TASK"])

    async def run() -> None:
        pool = await asyncpg.create_pool(task["dsn"], min_size=1, max_size=4, reset=_nothing)
        await work(task, pool)

    uvloop.run(run())


def _id(record: Any) -> UUID:
    return next(UUID(value.decode()) for name, value in record.headers if name == "ce_id")


def _headers(event_id: UUID, key: str, kind: str, source: str, now: str) -> bytes:
    return orjson.dumps(
        [
            ["content-type", "application/json"],
            ["ce_specversion", "1.0"],
            ["ce_id", str(event_id)],
            ["ce_type", kind],
            ["ce_source", source],
            ["ce_subject", key],
            ["ce_time", now],
            ["ce_dataschema", f"urn:bench:{kind}"],
        ]
    )


async def _nothing(_connection: object) -> None:
    """Nothing to reset."""


def new_id() -> UUID:
    """A UUIDv7."""
    return uuid7()


_INBOX = """
INSERT INTO chassis.inbox (consumer, event_key) SELECT $1, key FROM unnest($2::uuid[]) AS key
ON CONFLICT DO NOTHING RETURNING event_key
"""

_OUTBOX = """
INSERT INTO chassis.outbox (traffic_class, id, topic, record_key, headers, body)
SELECT 'bulk', id, $1, record_key, headers, body
FROM unnest($2::uuid[], $3::bytea[], $4::bytea[], $5::bytea[]) AS o (id, record_key, headers, body)
"""

_UNSENT = """
SELECT seq, topic, record_key, headers, body FROM chassis.outbox WHERE traffic_class = 'bulk' ORDER BY seq LIMIT $1
"""
