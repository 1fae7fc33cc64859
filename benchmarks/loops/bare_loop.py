"""By hand: aiokafka and asyncpg, the same statements, a batch in one transaction, and nothing that can be left out.

It checks no envelope and no schema, knows no parking and no order, and dies at the first fault.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import orjson
from aiokafka import AIOKafkaConsumer
from uuid_utils.compat import uuid7

from benchmarks.contender import Span, main
from benchmarks.events import INBOX, LOCK, OUT, OUTBOX, SAVE, WENT


async def work(task: dict[str, Any]) -> dict[str, Any]:
    """Consume the topic to its end."""
    connection = await asyncpg.connect(task["dsn"], server_settings={"plan_cache_mode": "force_custom_plan"})
    consumer = AIOKafkaConsumer(
        task["topic"],
        group_id=task["group"],
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        **task["kafka"],
    )
    await consumer.start()
    span = Span(task["count"])
    while not span.finished.is_set():
        polled = await consumer.getmany(timeout_ms=500, max_records=task["batch"])
        if polled:
            span.begin()
            await _take([record for records in polled.values() for record in records], connection)
            span.done(sum(map(len, polled.values())))
            await consumer.commit({tp: records[-1].offset + 1 for tp, records in polled.items()})
    await consumer.stop()
    return span.figures()


async def _take(records: list[Any], connection: asyncpg.Connection) -> None:
    events = {_id(record): orjson.loads(record.value) for record in records}
    now = datetime.now(UTC).isoformat().encode()
    async with connection.transaction():
        fresh = {row[0] for row in await connection.fetch(INBOX, "bare", sorted(events))}
        ids = sorted({UUID(event["thing_id"]) for event in events.values()})
        things = {str(row[0]): list(row) for row in await connection.fetch(LOCK, ids)}
        out_ids, keys, headers, bodies = [], [], [], []
        for event_id, event in events.items():
            if event_id not in fresh:
                continue
            key = event["thing_id"]
            due = datetime.fromisoformat(event["due_at"])
            old = things.get(key)
            version, seen = (old[1] + 1, old[3]) if old else (1, 0)
            seen += len(event["needs"])
            things[key] = [UUID(key), version, event["priority"], seen, due]
            body = {
                "thing_id": key,
                "version": version,
                "state": event["priority"],
                "seen": seen,
                "due_at": due,
            }
            out_ids.append(uuid7())
            keys.append(key.encode())
            headers.append(_headers(out_ids[-1], key, now))
            bodies.append(orjson.dumps(body))
        await connection.execute(SAVE, *map(list, zip(*things.values(), strict=True)))
        await connection.execute(OUTBOX, OUT, out_ids, keys, headers, bodies)
        await connection.execute("SELECT pg_notify('bdcan', 'outbox:normal')")


def _id(record: Any) -> UUID:
    return next(UUID(value.decode()) for name, value in record.headers if name == "ce_id")


def _headers(event_id: UUID, key: str, now: bytes) -> bytes:
    return orjson.dumps(
        [
            ["content-type", "application/json"],
            ["ce_specversion", "1.0"],
            ["ce_id", str(event_id)],
            ["ce_type", WENT],
            ["ce_source", "bdcan.bench"],
            ["ce_subject", key],
            ["ce_time", now.decode()],
            ["ce_dataschema", "urn:bench:went"],
        ]
    )


if __name__ == "__main__":
    main(work)
