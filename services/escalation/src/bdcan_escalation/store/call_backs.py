"""Which call-backs were taken."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from bdcan_chassis.database import Connection


async def take(connection: Connection, event_id: str, escalation_id: UUID, said: str, now: datetime) -> bool:
    """Remember a call-back; False if it was taken before."""
    return bool(await connection.fetchval(_TAKE, event_id, escalation_id, said, now))


_TAKE = """
INSERT INTO call_back (event_id, escalation_id, said, heard_at) VALUES ($1, $2, $3, $4)
ON CONFLICT DO NOTHING RETURNING true
"""
