"""Bare intake: a CSV file by HTTP becomes referrals, needs, residents, timeline and outbox; assignments come back."""

from __future__ import annotations

import asyncio
import csv
import hashlib
import io
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import orjson
import uvicorn
from fastapi import FastAPI, Request

from bdcan_chassis.database import Connection
from benchmarks.bare.stage import BATCH, Received, Sent, consume, main, new_id, publish, relay

RECEIVED = "bdcan.intake.referral.received.v1"


async def work(task: dict[str, Any], pool: asyncpg.Pool) -> None:
    """Serve, relay, consume; only serve if `alone`."""
    app = FastAPI(openapi_url=None)

    @app.get("/readyz")
    async def ready() -> dict[str, str]:
        return {}

    @app.post("/import")
    async def take_file(request: Request) -> dict[str, int]:
        rows = list(csv.DictReader(io.StringIO((await request.body()).decode())))
        for start in range(0, len(rows), BATCH):
            await _take(pool, task["referrals"], rows[start : start + BATCH])
        return {"accepted": len(rows)}

    @app.post("/v1/referrals", status_code=201)
    async def take_one(request: Request) -> dict[str, str]:
        form = orjson.loads(await request.body())
        row = {**form["person"], **form["household"], "reference": form["reference"]}
        row["needs"] = ";".join(form["needs"])
        [referral_id] = await _take(pool, task["referrals"], [row])
        return {"referral_id": str(referral_id)}

    server = uvicorn.Server(uvicorn.Config(app, port=task["port"], log_config=None, access_log=False))
    if task["alone"]:
        await server.serve()
        return
    await asyncio.gather(
        server.serve(),
        relay(task["kafka"], task["dsn"]),
        consume(task["kafka"], task["assignments"], "bench.intake", pool, _on_assigned),
    )


async def _take(pool: asyncpg.Pool, topic: str, rows: Sequence[dict[str, Any]]) -> list[UUID]:
    now = datetime.now(UTC)
    due = now + timedelta(days=2)
    ids = [new_id() for _ in rows]
    keys = [new_id() for _ in rows]
    needs = [
        (referral_id, new_id(), code)
        for referral_id, row in zip(ids, rows, strict=True)
        for code in row["needs"].split(";")
    ]
    of: dict[UUID, list[dict[str, Any]]] = {referral_id: [] for referral_id in ids}
    for referral_id, need_id, code in needs:
        of[referral_id].append({"need_id": need_id, "code": code, "lane": "community", "state": "open"})
    sent = [
        Sent(
            key,
            str(referral_id),
            {
                "referral_id": referral_id,
                "channel": "outreach",
                "priority": "standard",
                "outreach": True,
                "postcode": row["postcode"],
                "household": {
                    "adults": int(row["adults"]),
                    "children": int(row["children"]),
                    "infants": 0,
                },
                "needs": of[referral_id],
                "contact_due_at": due,
                "received_at": now,
            },
        )
        for referral_id, key, row in zip(ids, keys, rows, strict=True)
    ]
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(
            _REFERRAL,
            ids,
            [row["reference"] for row in rows],
            [int(row["adults"]) for row in rows],
            [int(row["children"]) for row in rows],
            now,
            due,
        )
        await connection.execute(
            _RESIDENT,
            ids,
            [row["name"] for row in rows],
            [row["phone"] for row in rows],
            [row["postcode"] for row in rows],
            [hashlib.sha256(row["reference"].encode()).digest() for row in rows],
        )
        await connection.execute(
            _NEED, [n[0] for n in needs], [n[1] for n in needs], [n[2] for n in needs], now, due
        )
        await connection.execute(
            _TIMELINE,
            ids,
            keys,
            now,
            "referral.received",
            ['{"channel": "outreach", "priority": "standard"}'] * len(ids),
        )
        await publish(connection, topic, RECEIVED, "bdcan.intake", sent)
    return ids


async def _on_assigned(connection: Connection, events: Sequence[Received]) -> None:
    ids = [UUID(e.data["referral_id"]) for e in events]
    await connection.fetch("SELECT id FROM referral WHERE id = ANY ($1::uuid[]) ORDER BY id FOR UPDATE", ids)
    hubs = [e.data["hub_id"] for e in events]
    await connection.execute(_ASSIGN, ids, hubs)
    await connection.execute(_HAND_OVER, ids, hubs)
    await connection.execute(
        _TIMELINE,
        ids,
        [e.id for e in events],
        datetime.now(UTC),
        "referral.assigned",
        [
            orjson.dumps({"hub_id": e.data["hub_id"], "explanation": e.data["explanation"]}).decode()
            for e in events
        ],
    )


_REFERRAL = """
INSERT INTO referral (
    id, source, reference, channel, priority, outreach, state, version, assignment_version, called, out_of_area, owner,
    due_at, received_at, contact_due_at, adults, children, infants, diets, flags
)
SELECT id, 'bench', reference, 'outreach', 'standard', true, 'received', 1, 0, false, false, 'routing',
    $6::timestamptz, $5::timestamptz, $6, adults, children, 0, '{}', '{}'
FROM unnest($1::uuid[], $2::text[], $3::smallint[], $4::smallint[]) AS n (id, reference, adults, children)
"""

_RESIDENT = """
INSERT INTO resident (referral_id, name, phone, postcode, content_hash)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bytea[])
"""

_NEED = """
INSERT INTO need (referral_id, id, code, lane, state, owner, due_at, fact_at, fact_rank)
SELECT referral_id, id, code, 'community', 'open', 'routing', $5::timestamptz, $4::timestamptz, 0
FROM unnest($1::uuid[], $2::uuid[], $3::text[]) AS n (referral_id, id, code)
"""

_TIMELINE = """
INSERT INTO timeline (referral_id, event_key, at, kind, detail)
SELECT referral_id, event_key, $3::timestamptz, $4, detail::jsonb
FROM unnest($1::uuid[], $2::uuid[], $5::text[]) AS e (referral_id, event_key, detail)
"""

_ASSIGN = """
UPDATE referral AS r SET state = 'assigned', hub_id = n.hub_id, owner = n.hub_id, assignment_version = 1
FROM unnest($1::uuid[], $2::text[]) AS n (id, hub_id) WHERE r.id = ANY ($1) AND r.id = n.id
"""

_HAND_OVER = """
UPDATE need AS t SET owner = n.hub_id, fact_rank = 1
FROM unnest($1::uuid[], $2::text[]) AS n (id, hub_id) WHERE t.referral_id = ANY ($1) AND t.referral_id = n.id
"""


if __name__ == "__main__":
    main(work)
