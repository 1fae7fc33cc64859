"""Bare volunteer-match: an assignment makes a welfare call due."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from bdcan_chassis.database import Connection
from benchmarks.bare.stage import Received, consume, main, new_id


async def work(task: dict[str, Any], pool: asyncpg.Pool) -> None:
    """Consume."""
    await consume(task["kafka"], task["assignments"], "bench.volunteer_match", pool, _on_assigned)


async def _on_assigned(connection: Connection, events: Sequence[Received]) -> None:
    circumstances = [
        orjson.dumps(
            {
                "needs": [[need["need_id"], need["code"], True] for need in e.data["needs"]],
                "household": list(e.data["household"].values()),
                "diets": [],
                "flags": [],
            }
        ).decode()
        for e in events
    ]
    await connection.execute(
        _CALL,
        [UUID(e.data["referral_id"]) for e in events],
        [new_id() for _ in events],
        [e.data["hub_id"] for e in events],
        circumstances,
        [datetime.fromisoformat(e.data["contact_due_at"]) for e in events],
        datetime.now(UTC),
    )


_CALL = """
INSERT INTO welfare_call (
    referral_id, call_id, state, revision, hub_id, assignment_version, amendment_version, priority, outreach,
    confirm_at_call, circumstances, attempts, misses, not_before, due_at, ended
)
SELECT referral_id, call_id, 'due', 1, hub_id, 1, 1, 'standard', true, true, circumstances::jsonb, 0, 0,
    $6::timestamptz, due_at, false
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::timestamptz[])
    AS c (referral_id, call_id, hub_id, circumstances, due_at)
ON CONFLICT (referral_id) DO NOTHING
"""


if __name__ == "__main__":
    main(work)
