"""Bare routing: a referral's postcode sector says its hub, from a table in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from bdcan_chassis.database import Connection
from benchmarks.bare.stage import Received, Sent, consume, main, new_id, publish, relay

ASSIGNED = "bdcan.routing.referral.assigned.v1"
_HUBS = [f"hub-{number}" for number in range(9)]


async def work(task: dict[str, Any], pool: asyncpg.Pool) -> None:
    """Relay, consume."""
    await asyncio.gather(
        relay(task["kafka"], task["dsn"]),
        consume(
            task["kafka"],
            task["referrals"],
            "bench.routing",
            pool,
            partial(_on_received, topic=task["assignments"]),
        ),
    )


async def _on_received(connection: Connection, events: Sequence[Received], *, topic: str) -> None:
    now = datetime.now(UTC)
    hubs = [_hub(e.data["postcode"]) for e in events]
    sent = [
        Sent(
            new_id(),
            e.data["referral_id"],
            {
                "referral_id": e.data["referral_id"],
                "version": 1,
                "hub_id": hub,
                "method": "coarse",
                "confidence": 0.5,
                "confirm_at_call": True,
                "explanation": f"By the postcode sector: {e.data['postcode']} lies in the wards of {hub}.",
                "priority": e.data["priority"],
                "outreach": e.data["outreach"],
                "household": e.data["household"],
                "needs": e.data["needs"],
                "contact_due_at": e.data["contact_due_at"],
                "assigned_at": now,
            },
        )
        for e, hub in zip(events, hubs, strict=True)
    ]
    await connection.execute(
        _ASSIGNMENT,
        [UUID(e.data["referral_id"]) for e in events],
        [datetime.fromisoformat(e.data["contact_due_at"]) for e in events],
        [orjson.dumps(e.data).decode() for e in events],
        [
            orjson.dumps(
                {"kind": "to-hub", "hub_id": hub, "method": "coarse", "explanation": s.data["explanation"]}
            ).decode()
            for hub, s in zip(hubs, sent, strict=True)
        ],
        hubs,
        now,
    )
    await publish(connection, topic, ASSIGNED, "bdcan.routing", sent)


def _hub(postcode: str) -> str:
    outcode, _, inward = postcode.partition(" ")
    return _HUBS[(sum(outcode.encode()) + int(inward[0])) % len(_HUBS)]


_ASSIGNMENT = """
INSERT INTO assignment (
    referral_id, state, version, amendment_version, outreach, contact_due_at, facts, verdict, hub_id, changed_at
)
SELECT referral_id, 'assigned', 1, 1, true, contact_due_at, facts::jsonb, verdict::jsonb, hub_id, $6::timestamptz
FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::text[])
    AS a (referral_id, contact_due_at, facts, verdict, hub_id)
ON CONFLICT (referral_id) DO NOTHING
"""


if __name__ == "__main__":
    main(work)
