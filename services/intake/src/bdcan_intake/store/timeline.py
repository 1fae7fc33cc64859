"""The story of each referral, an entry per event."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from bdcan_chassis.database import MANY_ROWS, Connection
from bdcan_intake.domain.timeline import Entry


class Told(NamedTuple):
    """A line as it is read."""

    at: datetime
    kind: str
    need_id: UUID | None
    detail: dict[str, Any]


async def add(connection: Connection, entries: Sequence[Entry]) -> None:
    """Write entries down; one that is there already is left as it is."""
    if entries:
        await connection.execute(
            _ADD,
            [e.referral_id for e in entries],
            [e.event_key for e in entries],
            [e.at for e in entries],
            [e.kind for e in entries],
            [e.need_id for e in entries],
            [orjson.dumps(e.detail).decode() for e in entries],
        )


async def add_new(connection: Connection, entries: Sequence[Entry]) -> None:
    """Write down entries of events that were made in this transaction: none of them can be there already."""
    if len(entries) < MANY_ROWS:
        await add(connection, entries)
        return
    await connection.copy_records_to_table(
        "timeline",
        columns=("referral_id", "event_key", "at", "kind", "need_id", "detail"),
        records=[(*e[:5], orjson.dumps(e.detail).decode()) for e in entries],
    )


async def of_referral(connection: Connection, referral_id: UUID) -> list[Told]:
    """The story, newest last."""
    rows = await connection.fetch(_OF_REFERRAL, referral_id)
    return [Told(r["at"], r["kind"], r["need_id"], orjson.loads(r["detail"])) for r in rows]


_ADD = """
INSERT INTO timeline (referral_id, event_key, at, kind, need_id, detail)
SELECT referral_id, event_key, at, kind, need_id, detail::jsonb
FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::text[], $5::uuid[], $6::text[])
    AS e (referral_id, event_key, at, kind, need_id, detail)
ON CONFLICT (referral_id, event_key) DO NOTHING
"""

# Ids of events are UUIDv7: within one instant they sort in the order in which they were made.
_OF_REFERRAL = """
SELECT at, kind, need_id, detail FROM timeline WHERE referral_id = $1 ORDER BY at, event_key
"""
