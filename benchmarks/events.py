"""What the loops consume, keep and emit: an event of about 400 bytes, a row for each thing, an event for each event.

Every contender does the same to the database for an event: a row in the inbox, a look at the thing's row under a lock,
an upsert of it, a row in the outbox. The relay takes no part; it has a benchmark of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Literal, NamedTuple
from uuid import UUID

import asyncpg
from aiokafka import AIOKafkaProducer
from pydantic import BaseModel

from bdcan_chassis.ids import new_id
from bdcan_chassis.migrate import migrate
from bdcan_contracts.envelope import Catalogue, EventType, Topic, encode_body, encode_headers

OUT = "bench.loop.out"
WENT = "bdcan.bench.thing.went.v1"
CAME = "bdcan.feeder.thing.came.v1"


class Need(BaseModel):
    """A part of the event, as real ones have."""

    need_id: UUID
    code: str


class Came(BaseModel):
    """The event that is consumed."""

    thing_id: UUID
    version: int
    channel: Literal["phone", "web", "list"]
    priority: Literal["urgent", "standard", "routine"]
    needs: tuple[Need, ...]
    postcode: str | None
    due_at: datetime


class Went(BaseModel):
    """The event that is emitted."""

    thing_id: UUID
    version: int
    state: str
    seen: int
    due_at: datetime


class Thing(NamedTuple):
    """The state that is kept."""

    thing_id: UUID
    version: int
    state: str
    seen: int
    due_at: datetime


def decide(thing: Thing | None, came: Came) -> tuple[Thing, Went]:
    """The pure rule between the event and the state."""
    seen = len(came.needs) + (thing.seen if thing else 0)
    after = Thing(came.thing_id, (thing.version if thing else 0) + 1, came.priority, seen, came.due_at)
    return after, Went(
        thing_id=after.thing_id,
        version=after.version,
        state=after.state,
        seen=after.seen,
        due_at=after.due_at,
    )


def catalogue(topic: str) -> Catalogue:
    """The catalogue of the chassis's contender: `topic` in, OUT out."""
    came, went = _topic(topic, "feeder", CAME), _topic(OUT, "bench", WENT)
    return Catalogue(
        (came, went),
        (EventType(CAME, Came, "urn:bench:came", (came,)), EventType(WENT, Went, "urn:bench:went", (went,))),
    )


async def prepare(dsn: str, rows: int = 0) -> None:
    """The chassis's tables and one for the things; `rows` of each are there already."""
    await migrate(dsn, ["bdcan_chassis"])
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(_TABLE)
        if rows:
            await connection.execute(_OLD_THINGS, rows, timeout=600)
            await connection.execute(_OLD_INBOX, rows, timeout=600)
            await connection.execute("ANALYZE", timeout=600)
    finally:
        await connection.close()


async def empty(dsn: str) -> None:
    """Take out what an earlier contender has written."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("TRUNCATE thing, chassis.inbox, chassis.outbox")
    finally:
        await connection.close()


async def forget(dsn: str) -> None:
    """Take out what contenders have written, and leave the rows that were there before them."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("TRUNCATE chassis.outbox")
        await connection.execute("DELETE FROM chassis.inbox WHERE consumer <> 'old'", timeout=120)
        await connection.execute("DELETE FROM thing WHERE state <> 'old'", timeout=120)
    finally:
        await connection.close()


async def counts(dsn: str) -> tuple[int, int, int]:
    """How many rows a contender has left in inbox, thing and outbox."""
    connection = await asyncpg.connect(dsn)
    try:
        row = await connection.fetchrow(_COUNTS)
    finally:
        await connection.close()
    assert row is not None
    return row[0], row[1], row[2]


async def feed(kafka: dict[str, Any], topic: str, count: int, partitions: int) -> None:
    """Fill a topic: two events for each thing, the second a thousand records behind the first."""
    producer = AIOKafkaProducer(**kafka, linger_ms=20, max_batch_size=262_144, compression_type="lz4")
    await producer.start()
    try:
        for place, (key, headers, body) in enumerate(_records(count, topic)):
            partition = hash(key) % partitions
            await producer.send(topic, body, key=key, headers=headers, partition=partition)
            if place % 2000 == 0:
                await asyncio.sleep(0)
        await producer.flush()
    finally:
        await producer.stop()


def _records(count: int, topic: str) -> Iterator[tuple[bytes, list[tuple[str, bytes]], bytes]]:
    event_type, random = catalogue(topic).of(Came), Random(1)  # the same events each time
    now, waiting = datetime.now(UTC), []
    for _ in range(count):
        thing_id = waiting.pop(0) if len(waiting) > 1000 and random.random() < 0.5 else new_id()
        waiting.append(thing_id)
        came = Came(
            thing_id=thing_id,
            version=1,
            channel="phone",
            priority=random.choice(("urgent", "standard", "routine")),
            needs=(Need(need_id=new_id(), code="food-parcel"), Need(need_id=new_id(), code="prescription")),
            postcode="RM10 7AB",
            due_at=now + timedelta(days=2),
        )
        headers = encode_headers(event_type, new_id(), "bdcan.feeder", str(thing_id), now, None)
        yield str(thing_id).encode(), headers, encode_body(came)


def _topic(name: str, owner: str, kind: str) -> Topic:
    return Topic(
        name=name,
        owner=owner,
        purpose="",
        key="{thing_id}",
        traffic_class="normal",
        partitions=1,
        retention=timedelta(days=1),
        compacted=False,
        event_types=(kind,),
        writers=(owner,),
        consumers=(),
    )


LOCK = "SELECT id, version, state, seen, due_at FROM thing WHERE id = ANY ($1::uuid[]) ORDER BY id FOR UPDATE"

SAVE = """
INSERT INTO thing (id, version, state, seen, due_at)
SELECT * FROM unnest($1::uuid[], $2::int[], $3::text[], $4::int[], $5::timestamptz[])
ON CONFLICT (id) DO UPDATE SET version = excluded.version, state = excluded.state, seen = excluded.seen,
    due_at = excluded.due_at
"""

INBOX = """
INSERT INTO chassis.inbox (consumer, event_key) SELECT $1, key FROM unnest($2::uuid[]) AS key
ON CONFLICT DO NOTHING RETURNING event_key
"""

OUTBOX = """
INSERT INTO chassis.outbox (traffic_class, id, topic, record_key, headers, body)
SELECT 'normal', id, $1, record_key, headers, body
FROM unnest($2::uuid[], $3::bytea[], $4::bytea[], $5::bytea[]) AS o (id, record_key, headers, body)
"""

_TABLE = """
CREATE TABLE thing (
    id uuid PRIMARY KEY, version int NOT NULL, state text NOT NULL, seen int NOT NULL, due_at timestamptz NOT NULL
)
"""

_OLD_THINGS = """
INSERT INTO thing SELECT gen_random_uuid(), 1, 'old', 2, now() FROM generate_series(1, $1::int)
"""

_OLD_INBOX = """
INSERT INTO chassis.inbox (consumer, event_key) SELECT 'old', gen_random_uuid() FROM generate_series(1, $1::int)
"""

_COUNTS = """
SELECT (SELECT count(*) FROM chassis.inbox), (SELECT count(*) FROM thing), (SELECT count(*) FROM chassis.outbox)
"""
