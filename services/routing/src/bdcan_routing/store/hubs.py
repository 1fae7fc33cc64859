"""Hubs and the wards that they cover."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import asyncpg
from msgspec import Struct

from bdcan_chassis.database import Connection
from bdcan_contracts.models import Ward
from bdcan_routing.domain.hubs import Hub


class HubRow(Struct, frozen=True):
    """A hub with what only the API shows of it."""

    hub: Hub
    pause_reason: str | None
    illustrative: bool
    configured_at: datetime


async def all_hubs(connection: Connection) -> list[HubRow]:
    """Every hub, by id."""
    return [_read(row) for row in await connection.fetch(_ALL)]


async def lock(connection: Connection, hub_id: str) -> HubRow | None:
    """One hub, locked until the transaction ends."""
    await connection.execute("SELECT FROM hub WHERE hub_id = $1 FOR UPDATE", hub_id)
    row = await connection.fetchrow(_ONE, hub_id)
    return _read(row) if row else None


async def lock_setup(connection: Connection) -> None:
    """One change of hubs or postcode tables at a time, so that two never give one ward away twice."""
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('bdcan.routing.setup', 0))")


async def save(connection: Connection, rows: Sequence[HubRow]) -> None:
    """Insert or update hubs, and make their wards exactly those given."""
    hubs = [row.hub for row in rows]
    for row in rows:
        await connection.execute(
            _SAVE,
            row.hub.hub_id,
            row.hub.name,
            list(row.hub.cover),
            row.hub.paused,
            row.pause_reason,
            row.illustrative,
            row.hub.version,
            row.configured_at,
        )
    wards = [(ward.gss, ward.vintage, hub.hub_id) for hub in hubs for ward in hub.wards]
    await connection.execute("DELETE FROM hub_ward WHERE hub_id = ANY ($1::text[])", [h.hub_id for h in hubs])
    await connection.executemany(
        "INSERT INTO hub_ward (ward_gss, vintage, hub_id) VALUES ($1, $2, $3)", wards
    )


def _read(row: asyncpg.Record) -> HubRow:
    wards = zip(row["ward_codes"], row["ward_vintages"], strict=True)
    return HubRow(
        Hub(
            hub_id=row["hub_id"],
            name=row["name"],
            wards=tuple(Ward(gss=gss, vintage=vintage) for gss, vintage in wards),
            cover=tuple(row["cover"]),
            paused=row["paused"],
            version=row["version"],
        ),
        row["pause_reason"],
        row["illustrative"],
        row["configured_at"],
    )


_SELECT = """
SELECT h.hub_id, h.name, h.cover, h.paused, h.pause_reason, h.illustrative, h.version, h.configured_at,
    array_remove(array_agg(w.ward_gss ORDER BY w.ward_gss), NULL) AS ward_codes,
    array_remove(array_agg(w.vintage ORDER BY w.ward_gss), NULL) AS ward_vintages
FROM hub AS h LEFT JOIN hub_ward AS w ON w.hub_id = h.hub_id
"""

_ALL = f"{_SELECT} GROUP BY h.hub_id ORDER BY h.hub_id"

_ONE = f"{_SELECT} WHERE h.hub_id = $1 GROUP BY h.hub_id"

_SAVE = """
INSERT INTO hub (hub_id, name, cover, paused, pause_reason, illustrative, version, configured_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (hub_id) DO UPDATE SET
    name = excluded.name, cover = excluded.cover, paused = excluded.paused, pause_reason = excluded.pause_reason,
    illustrative = excluded.illustrative, version = excluded.version, configured_at = excluded.configured_at
"""
