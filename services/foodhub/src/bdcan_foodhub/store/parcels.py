"""Parcels in the database."""

from __future__ import annotations

import json
from collections.abc import Iterable
from uuid import UUID

import asyncpg

from bdcan_chassis.database import Connection, columns
from bdcan_contracts.models import Diet, Household, MissingItem, NeedCode, Priority, StockUnit
from bdcan_foodhub.domain.contents import Line
from bdcan_foodhub.domain.parcel import Parcel, State


async def lock(connection: Connection, parcel_ids: Iterable[UUID]) -> dict[UUID, Parcel]:
    """Lock parcels by id; those that do not exist are absent."""
    rows = await connection.fetch(_LOCK, list(set(parcel_ids)))
    return {r["parcel_id"]: _parcel(r) for r in rows}


async def lock_of_referrals(connection: Connection, referral_ids: Iterable[UUID]) -> list[Parcel]:
    """Lock all parcels of some referrals, in order of their ids."""
    return [_parcel(r) for r in await connection.fetch(_LOCK_OF_REFERRALS, list(set(referral_ids)))]


async def lock_of_site(connection: Connection, site_id: str, item_id: str) -> list[Parcel]:
    """Lock the reserved parcels of a site that hold an item, last due first."""
    rows = await connection.fetch(_LOCK_HOLDING, site_id, json.dumps([{"item_id": item_id}]))
    return sorted(map(_parcel, rows), key=lambda p: (p.due_at, p.parcel_id), reverse=True)


async def lock_waiting(connection: Connection, limit: int) -> list[Parcel]:
    """Lock parcels that want an allocation now, in due order."""
    rows = await connection.fetch(_LOCK_WAITING, limit)
    return sorted(map(_parcel, rows), key=lambda p: (p.due_at, p.parcel_id))


async def wake_short(connection: Connection) -> int:
    """Have short parcels looked at again for which something they lack has become free; returns how many."""
    gone = await connection.fetch(_TAKE_REPLENISHED)
    if not gone:
        return 0
    sites, items = [r["site_id"] for r in gone], [r["item_id"] for r in gone]
    return len(await connection.fetch(_WAKE_SHORT, sites, items))


async def save(connection: Connection, parcels: Iterable[Parcel]) -> None:
    """Insert or update parcels."""
    rows = [_row(p) for p in sorted(parcels, key=lambda p: p.parcel_id)]
    if rows:
        await connection.execute(_SAVE, *columns(rows))


async def get(connection: Connection, parcel_id: UUID) -> Parcel | None:
    """One parcel, without a lock."""
    row = await connection.fetchrow(_GET, parcel_id)
    return _parcel(row) if row else None


async def find(
    connection: Connection,
    *,
    state: str | None,
    site_id: str | None,
    hubs: list[str] | None,
    after: UUID | None,
    limit: int,
) -> list[Parcel]:
    """Parcels in due order, from behind `after`. `hubs`: only these hubs' parcels; None for all."""
    return [_parcel(r) for r in await connection.fetch(_FIND, state, site_id, hubs, after, limit)]


async def counts(connection: Connection) -> dict[str, int]:
    """How many parcels are in which state."""
    return {r["state"]: r["value"] for r in await connection.fetch(COUNT_BY_STATE)}


async def overdue(connection: Connection) -> int:
    """How many parcels should be at the door by now and are not."""
    return await connection.fetchval(COUNT_OVERDUE)


def _row(p: Parcel) -> tuple[object, ...]:
    lines = [
        {"item_id": x.item_id, "unit": x.unit, "quantity": x.quantity, "instead_of": x.instead_of}
        for x in p.lines
    ]
    missing = [{"item_id": m.item_id, "quantity": m.quantity} for m in p.missing]
    return (
        p.parcel_id,
        p.referral_id,
        p.need_id,
        p.hub_id,
        p.site_id,
        p.code,
        p.priority,
        p.household.model_dump_json() if p.household else None,
        ",".join(p.diets),
        json.dumps(lines),
        p.state,
        p.requested_at,
        p.due_at,
        p.changed_at,
        json.dumps(missing),
        ",".join(m.item_id for m in p.missing),
        p.retry_at,
        p.task_id,
        p.bags,
        p.weight_grams,
        p.overdue,
    )


def _parcel(r: asyncpg.Record) -> Parcel:
    return Parcel(
        parcel_id=r["parcel_id"],
        referral_id=r["referral_id"],
        need_id=r["need_id"],
        hub_id=r["hub_id"],
        site_id=r["site_id"],
        code=NeedCode(r["code"]),
        priority=Priority(r["priority"]),
        household=Household.model_validate_json(r["household"]) if r["household"] else None,
        diets=tuple(Diet(d) for d in r["diets"]),
        lines=tuple(
            Line(x["item_id"], StockUnit(x["unit"]), x["quantity"], x["instead_of"])
            for x in json.loads(r["lines"])
        ),
        state=State(r["state"]),
        requested_at=r["requested_at"],
        due_at=r["due_at"],
        changed_at=r["changed_at"],
        missing=tuple(
            MissingItem(item_id=m["item_id"], quantity=m["quantity"]) for m in json.loads(r["missing"])
        ),
        retry_at=r["retry_at"],
        task_id=r["task_id"],
        bags=r["bags"],
        weight_grams=r["weight_grams"],
        overdue=r["overdue"],
    )


COUNT_OVERDUE = "SELECT count(*) AS value FROM parcel WHERE overdue"

COUNT_BY_STATE = "SELECT state, count(*) AS value FROM parcel GROUP BY state"

_COLUMNS = """parcel_id, referral_id, need_id, hub_id, site_id, code, priority, household, diets, lines, state,
    requested_at, due_at, changed_at, missing, retry_at, task_id, bags, weight_grams, overdue"""

_LOCK = f"SELECT {_COLUMNS} FROM parcel WHERE parcel_id = ANY ($1::uuid[]) ORDER BY parcel_id FOR UPDATE"  # noqa: S608 # our columns

_LOCK_OF_REFERRALS = f"""
SELECT {_COLUMNS} FROM parcel WHERE referral_id = ANY ($1::uuid[]) ORDER BY parcel_id FOR UPDATE
"""  # noqa: S608 # our columns

_LOCK_HOLDING = f"""
SELECT {_COLUMNS} FROM parcel WHERE site_id = $1 AND state = 'reserved' AND lines @> $2::jsonb
ORDER BY parcel_id FOR UPDATE
"""  # noqa: S608 # our columns

# first the soonest due, then their locks in order of id: see the lock order
_LOCK_WAITING = f"""
WITH soonest AS (
    SELECT parcel_id FROM parcel WHERE state = 'requested' ORDER BY due_at, parcel_id LIMIT $1
)
SELECT {_COLUMNS} FROM parcel
WHERE parcel_id = ANY (ARRAY(SELECT parcel_id FROM soonest)) AND state = 'requested'
ORDER BY parcel_id FOR UPDATE
"""  # noqa: S608 # our columns

_TAKE_REPLENISHED = """
WITH gone AS (DELETE FROM replenishment RETURNING site_id, item_id) SELECT DISTINCT site_id, item_id FROM gone
"""

_WAKE_SHORT = """
WITH lacking AS (
    SELECT p.parcel_id FROM parcel AS p
    WHERE p.state = 'short' AND p.site_id = ANY ($1::text[]) AND EXISTS (
        SELECT 1 FROM unnest($1::text[], $2::text[]) AS n (site_id, item_id)
        WHERE n.site_id = p.site_id AND n.item_id = ANY (p.missing_items))
    ORDER BY p.parcel_id FOR UPDATE OF p
)
UPDATE parcel AS p SET state = 'requested' FROM lacking WHERE p.parcel_id = lacking.parcel_id RETURNING p.parcel_id
"""

_GET = f"SELECT {_COLUMNS} FROM parcel WHERE parcel_id = $1"  # noqa: S608 # our columns

_FIND = f"""
SELECT {_COLUMNS} FROM parcel
WHERE ($1::text IS NULL OR state = $1) AND ($2::text IS NULL OR site_id = $2)
    AND ($3::text[] IS NULL OR hub_id = ANY ($3))
    AND ($4::uuid IS NULL OR (due_at, parcel_id) > (SELECT a.due_at, a.parcel_id FROM parcel AS a WHERE a.parcel_id = $4))
ORDER BY due_at, parcel_id LIMIT $5
"""  # noqa: S608 # our columns

# arrays of arrays do not pass through unnest: lists of words travel as text
_SAVE = """
INSERT INTO parcel (parcel_id, referral_id, need_id, hub_id, site_id, code, priority, household, diets, lines, state,
    requested_at, due_at, changed_at, missing, missing_items, retry_at, task_id, bags, weight_grams, overdue)
SELECT parcel_id, referral_id, need_id, hub_id, site_id, code, priority, household, string_to_array(diets, ','), lines,
    state, requested_at, due_at, changed_at, missing, string_to_array(missing_items, ','), retry_at, task_id, bags,
    weight_grams, overdue
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::jsonb[],
    $9::text[], $10::jsonb[], $11::text[], $12::timestamptz[], $13::timestamptz[], $14::timestamptz[], $15::jsonb[],
    $16::text[], $17::timestamptz[], $18::uuid[], $19::int[], $20::int[], $21::boolean[])
    AS n (parcel_id, referral_id, need_id, hub_id, site_id, code, priority, household, diets, lines, state,
    requested_at, due_at, changed_at, missing, missing_items, retry_at, task_id, bags, weight_grams, overdue)
ON CONFLICT (parcel_id) DO UPDATE SET hub_id = excluded.hub_id, site_id = excluded.site_id, code = excluded.code,
    household = excluded.household, diets = excluded.diets, lines = excluded.lines, state = excluded.state,
    changed_at = excluded.changed_at, missing = excluded.missing, missing_items = excluded.missing_items,
    retry_at = excluded.retry_at, task_id = excluded.task_id, bags = excluded.bags,
    weight_grams = excluded.weight_grams, overdue = excluded.overdue
"""
