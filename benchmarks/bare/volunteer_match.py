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
    needs = [
        orjson.dumps(
            [
                {"need_id": need["need_id"], "code": need["code"], "lane": need["lane"], "open": True}
                for need in e.data["needs"]
            ]
        ).decode()
        for e in events
    ]
    await connection.execute(
        _CALL,
        [UUID(e.data["referral_id"]) for e in events],
        [new_id() for _ in events],
        [e.data["hub_id"] for e in events],
        needs,
        [orjson.dumps(e.data["household"]).decode() for e in events],
        [datetime.fromisoformat(e.data["contact_due_at"]) for e in events],
        datetime.now(UTC),
    )


_CALL = """
INSERT INTO welfare_call (
    referral_id, call_id, state, hub_id, assignment_version, amendment_version, priority, outreach,
    confirm_at_call, needs, household, attempts, misses, not_before, due_at, ended
)
SELECT referral_id, call_id, 'due', hub_id, 1, 1, 'standard', true, true, needs::jsonb, household::jsonb, 0, 0,
    $7::timestamptz, due_at, false
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::timestamptz[])
    AS c (referral_id, call_id, hub_id, needs, household, due_at)
ON CONFLICT (referral_id) DO NOTHING
"""


if __name__ == "__main__":
    main(work)
