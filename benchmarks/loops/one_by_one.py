"""What the frameworks' contenders do with an event: the same statements, in a transaction of its own."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import orjson
from uuid_utils.compat import uuid7

from benchmarks.events import OUT, WENT


async def open_pool(dsn: str) -> asyncpg.Pool:
    """Connections, without the round trip that asyncpg makes when one is given back."""
    return await asyncpg.create_pool(dsn, min_size=1, max_size=4, reset=_nothing)


async def take(pool: asyncpg.Pool, event_id: str, value: bytes | dict[str, Any]) -> None:
    """Inbox, look, upsert, outbox."""
    event = orjson.loads(value) if isinstance(value, bytes) else value
    key, due = event["thing_id"], datetime.fromisoformat(event["due_at"])
    async with pool.acquire() as connection, connection.transaction():
        if not await connection.fetchval(_INBOX, UUID(event_id)):
            return
        old = await connection.fetchrow(_LOCK, UUID(key))
        version, seen = (old[0] + 1, old[1]) if old else (1, 0)
        seen += len(event["needs"])
        await connection.execute(_SAVE, UUID(key), version, event["priority"], seen, due)
        out_id, now = uuid7(), datetime.now(UTC).isoformat()
        headers = [
            ["content-type", "application/json"],
            ["ce_specversion", "1.0"],
            ["ce_id", str(out_id)],
            ["ce_type", WENT],
            ["ce_source", "bdcan.bench"],
            ["ce_subject", key],
            ["ce_time", now],
            ["ce_dataschema", "urn:bench:went"],
        ]
        body = {"thing_id": key, "version": version, "state": event["priority"], "seen": seen, "due_at": due}
        await connection.execute(
            _OUTBOX, out_id, OUT, key.encode(), orjson.dumps(headers), orjson.dumps(body)
        )


async def _nothing(_connection: object) -> None:
    """Nothing to reset."""


_INBOX = """
INSERT INTO chassis.inbox (consumer, event_key) VALUES ('naive', $1) ON CONFLICT DO NOTHING RETURNING true
"""

_LOCK = "SELECT version, seen FROM thing WHERE id = $1 FOR UPDATE"

_SAVE = """
INSERT INTO thing (id, version, state, seen, due_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (id) DO UPDATE SET version = excluded.version, state = excluded.state, seen = excluded.seen,
    due_at = excluded.due_at
"""

_OUTBOX = """
INSERT INTO chassis.outbox (traffic_class, id, topic, record_key, headers, body) VALUES ('normal', $1, $2, $3, $4, $5)
"""
