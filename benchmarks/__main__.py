"""`make bench`: what the chassis costs beside a bare loop with the same reads and writes, on the same PostgreSQL.

Batches of 500 events: decode, one transaction with inbox, one upsert and one outgoing event. No Kafka takes part, so
this is the cost of the guarantees alone; fsync is off, which would hide it. Prints medians of five rounds; the machine is shared, so believe the
ratio rather than the figures.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import asyncpg
from pydantic import BaseModel

from bdcan_chassis.clock import SystemClock
from bdcan_chassis.database import open_pool
from bdcan_chassis.dispatch import Dispatcher, ParkLimit
from bdcan_chassis.ids import new_id
from bdcan_chassis.migrate import migrate
from bdcan_chassis.subscription import Batch, Loop, On
from bdcan_chassis.testing.harness import FakeRecord
from bdcan_chassis.transaction import Transactions, Tx, pack_headers
from bdcan_contracts.envelope import Catalogue, EventType, Topic, decode, encode_body, encode_headers
from bdcan_local.guardian import Guardian
from bdcan_local.servers import EmbeddedPostgres

BATCH, BATCHES, ROUNDS = 500, 20, 5
_UPSERT = """
INSERT INTO thing (id, number) SELECT * FROM unnest($1::uuid[], $2::int[])
ON CONFLICT (id) DO UPDATE SET number = excluded.number
"""


class Came(BaseModel):
    """The event that is consumed."""

    thing_id: UUID
    number: int


class Went(BaseModel):
    """The event that is emitted."""

    thing_id: UUID
    number: int


def _topic(name: str, owner: str, kind: str) -> Topic:
    return Topic(
        name=name,
        owner=owner,
        purpose="",
        key="{thing_id}",
        lane="normal",
        partitions=1,
        retention=timedelta(days=1),
        compacted=False,
        event_types=(kind,),
        writers=(owner,),
        consumers=(),
    )


IN, OUT = _topic("bench.in", "feeder", "bench.came.v1"), _topic("bench.out", "bench", "bench.went.v1")
CATALOGUE = Catalogue(
    (IN, OUT),
    (
        EventType("bench.came.v1", Came, "urn:came", (IN,)),
        EventType("bench.went.v1", Went, "urn:went", (OUT,)),
    ),
)


def records() -> list[list[FakeRecord]]:
    """Batches of fresh events."""
    event_type, now = CATALOGUE.of(Came), datetime.now(UTC)
    made = []
    for place in range(BATCH * BATCHES):
        data = Came(thing_id=new_id(), number=place)
        headers = encode_headers(event_type, new_id(), "bdcan.feeder", str(data.thing_id), now, None)
        made.append(FakeRecord(IN.name, 0, place, 0, str(data.thing_id).encode(), headers, encode_body(data)))
    return [made[at : at + BATCH] for at in range(0, len(made), BATCH)]


async def on_came(batch: Batch[Came], tx: Tx) -> None:
    """The chassis's side."""
    await tx.connection.execute(_UPSERT, [e.data.thing_id for e in batch], [e.data.number for e in batch])
    for event in batch:
        tx.emit(Went(thing_id=event.data.thing_id, number=event.data.number), cause=event)


async def bare(pool: asyncpg.Pool, batch: list[FakeRecord]) -> None:
    """The same statements by hand: no order by key, no parking, no isolation of a bad record."""
    events = [decode(CATALOGUE, r.topic, r.key, r.headers, r.value) for r in batch]
    went, now = CATALOGUE.of(Went), datetime.now(UTC)
    async with pool.acquire() as connection, connection.transaction():
        fresh = await connection.fetch(
            "INSERT INTO chassis.inbox (consumer, event_key) SELECT 'bare', k FROM unnest($1::uuid[]) k"
            " ON CONFLICT DO NOTHING RETURNING event_key",
            [e.key for e in events],
        )
        taken = {r["event_key"] for r in fresh}
        events = [e for e in events if e.key in taken]
        await connection.execute(_UPSERT, [e.data.thing_id for e in events], [e.data.number for e in events])
        ids = [new_id() for _ in events]
        await connection.execute(
            "INSERT INTO chassis.outbox (lane, id, topic, record_key, headers, body)"
            " SELECT 'normal', i, 'bench.out', k, h, b FROM unnest($1::uuid[], $2::bytea[], $3::bytea[], $4::bytea[]) x (i, k, h, b)",
            ids,
            [e.subject.encode() for e in events],
            [
                pack_headers(encode_headers(went, i, "bdcan.bench", e.subject, now, None))
                for i, e in zip(ids, events, strict=True)
            ],
            [encode_body(Went(thing_id=e.data.thing_id, number=e.data.number)) for e in events],
        )


async def measure(work: Callable[[list[FakeRecord]], Awaitable[object]]) -> float:
    """Events per second of one round."""
    batches = records()
    started = time.perf_counter()
    for batch in batches:
        await work(batch)
    return BATCH * BATCHES / (time.perf_counter() - started)


async def compare(dsn: str) -> None:
    """Both in turn, in one run."""
    await migrate(dsn, ["bdcan_chassis"])
    pool = await open_pool(dsn, 4, "bench")
    await pool.execute("CREATE TABLE thing (id uuid PRIMARY KEY, number int NOT NULL)")
    transactions = Transactions(pool, SystemClock(), "bench", CATALOGUE)
    dispatcher = Dispatcher(Loop("bench", (On(IN, Came, on_came),)), transactions, ParkLimit(50, 0.5))
    figures: dict[str, list[float]] = {"bare": [], "chassis": []}
    for round_number in range(ROUNDS + 1):  # the first warms up
        for name, work in (("bare", lambda b: bare(pool, b)), ("chassis", dispatcher.process)):
            speed = await measure(work)
            if round_number:
                figures[name].append(speed)
    await pool.close()
    for name, speeds in figures.items():
        print(
            f"{name:8} {statistics.median(speeds):9,.0f} events/s   ({min(speeds):,.0f} to {max(speeds):,.0f})"
        )
    ratio = statistics.median(c / b for c, b in zip(figures["chassis"], figures["bare"], strict=True))
    print(f"chassis / bare = {ratio:.2f}")


def main() -> None:
    """Start a PostgreSQL of its own, measure, stop it."""
    with tempfile.TemporaryDirectory(prefix="bdcan-bench-") as folder, Guardian() as guardian:
        server = EmbeddedPostgres(Path(folder), guardian)
        try:
            asyncio.run(_on(server))
        finally:
            server.close()


async def _on(server: EmbeddedPostgres) -> None:
    await compare(await server.database("bench"))


if __name__ == "__main__":
    main()
