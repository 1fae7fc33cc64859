"""The story of each referral, an entry per event."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from bdcan_chassis.database import Connection, columns, copied
from bdcan_intake.domain.timeline import Entry


class Told(NamedTuple):
    """A line as it is read."""

    at: datetime
    kind: str
    need_id: UUID | None
    detail: dict[str, Any]


async def add(connection: Connection, entries: Sequence[Entry]) -> None:
    """Write entries down; one that is there already is left as it is."""
    rows = [(*e[:5], orjson.dumps(e.detail).decode()) for e in entries]
    if rows and not await copied(connection, "timeline", Entry._fields, rows):
        await connection.execute(_ADD, *columns(rows))


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
