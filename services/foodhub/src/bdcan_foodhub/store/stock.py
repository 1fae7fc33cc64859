"""Stock levels and the ledger of movements."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import asyncpg
from msgspec import Struct

from bdcan_chassis.database import Connection, columns
from bdcan_contracts.models import StockUnit
from bdcan_foodhub.domain.items import ITEMS
from bdcan_foodhub.domain.stock import Level, Place, Shelf


class Unannounced(Struct, frozen=True):
    """A level that changed since the world was last told. `was_low`: the world knows it as low."""

    level: Level
    was_low: bool


async def lock(connection: Connection, places: Iterable[Place]) -> Shelf:
    """Lock the levels of some places, in their order. A place where nothing ever came in gets a row: only that can be locked."""
    wanted = sorted(set(places))
    sites, items = [p.site_id for p in wanted], [p.item_id for p in wanted]
    await connection.execute(_ENSURE, sites, items, [ITEMS[p.item_id].unit for p in wanted])
    rows = await connection.fetch(_LOCK, sites, items)
    return Shelf({(level := _level(r)).place: level for r in rows})


async def save(connection: Connection, shelf: Shelf, now: datetime) -> None:
    """Write what changed, its ledger, and a note of what became free for the next allocation."""
    rows = [
        (p.site_id, p.item_id, x.received, x.issued, x.wasted, x.reserved, x.version)
        for p in sorted(shelf.changed)
        for x in [shelf.levels[p]]
    ]
    if rows:
        await connection.execute(_SAVE, *columns(rows))
    moves = [(*m.place, m.kind, m.quantity, m.cause, m.lot, m.best_before) for m in shelf.movements]
    if moves:
        await connection.execute(_MOVE, now, *columns(moves))
    if shelf.replenished:
        await connection.execute(_REPLENISH, *columns(sorted(shelf.replenished)))


async def take_unannounced(connection: Connection) -> list[Unannounced]:
    """Lock the levels that changed since they were last announced."""
    return [Unannounced(_level(r), r["low"]) for r in await connection.fetch(_UNANNOUNCED)]


async def mark_announced(connection: Connection, levels: Iterable[tuple[Level, bool]]) -> None:
    """Remember which version the world was told, and whether it was low."""
    rows = [(x.place.site_id, x.place.item_id, x.version, low) for x, low in levels]
    if rows:
        await connection.execute(_ANNOUNCED, *columns(rows))


async def find(connection: Connection, site_id: str | None) -> list[Level]:
    """All levels, or those of one site."""
    return [_level(r) for r in await connection.fetch(_FIND, site_id)]


async def totals(connection: Connection) -> asyncpg.Record:
    """Sums by place of the invariant, over all stock: see the summary in the API."""
    row = await connection.fetchrow(_TOTALS)
    assert row is not None  # noqa: S101 # an aggregate always has a row
    return row


async def drifted(connection: Connection) -> list[Place]:
    """Places whose level is not what the ledger and the parcels add up to. Reads the whole ledger."""
    return [Place(r["site_id"], r["item_id"]) for r in await connection.fetch(_DRIFT)]


def _level(r: asyncpg.Record) -> Level:
    return Level(
        Place(r["site_id"], r["item_id"]),
        StockUnit(r["unit"]),
        r["received"],
        r["issued"],
        r["wasted"],
        r["reserved"],
        r["version"],
    )


_COLUMNS = "site_id, item_id, unit, received, issued, wasted, reserved, version"

_ENSURE = """
INSERT INTO stock (site_id, item_id, unit, received, issued, wasted, reserved, version)
SELECT site_id, item_id, unit, 0, 0, 0, 0, 0 FROM unnest($1::text[], $2::text[], $3::text[]) AS n (site_id, item_id, unit)
ON CONFLICT DO NOTHING
"""

_LOCK = """
SELECT s.site_id, s.item_id, s.unit, s.received, s.issued, s.wasted, s.reserved, s.version FROM stock AS s
JOIN unnest($1::text[], $2::text[]) AS n (site_id, item_id) ON n.site_id = s.site_id AND n.item_id = s.item_id
ORDER BY s.site_id COLLATE "C", s.item_id COLLATE "C" FOR UPDATE OF s
"""

_SAVE = """
UPDATE stock AS s SET received = n.received, issued = n.issued, wasted = n.wasted, reserved = n.reserved,
    version = n.version
FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::int[])
    AS n (site_id, item_id, received, issued, wasted, reserved, version)
WHERE s.site_id = n.site_id AND s.item_id = n.item_id
"""

_MOVE = """
INSERT INTO movement (site_id, item_id, kind, quantity, cause, lot, best_before, moved_at)
SELECT site_id, item_id, kind, quantity, cause, lot, best_before, $1
FROM unnest($2::text[], $3::text[], $4::text[], $5::bigint[], $6::uuid[], $7::text[], $8::date[])
    AS n (site_id, item_id, kind, quantity, cause, lot, best_before)
"""

_REPLENISH = """
INSERT INTO replenishment (site_id, item_id)
SELECT site_id, item_id FROM unnest($1::text[], $2::text[]) AS n (site_id, item_id)
"""

_UNANNOUNCED = f"""
SELECT {_COLUMNS}, low FROM stock WHERE version > announced_version
ORDER BY site_id COLLATE "C", item_id COLLATE "C" FOR UPDATE
"""  # noqa: S608 # our columns

_ANNOUNCED = """
UPDATE stock AS s SET announced_version = n.version, low = n.low
FROM unnest($1::text[], $2::text[], $3::int[], $4::boolean[]) AS n (site_id, item_id, version, low)
WHERE s.site_id = n.site_id AND s.item_id = n.item_id
"""

_FIND = f"""
SELECT {_COLUMNS} FROM stock WHERE $1::text IS NULL OR site_id = $1 ORDER BY site_id, item_id
"""  # noqa: S608 # our columns

_TOTALS = """
SELECT coalesce(sum(received), 0)::bigint AS received, coalesce(sum(issued), 0)::bigint AS issued,
    coalesce(sum(wasted), 0)::bigint AS wasted, coalesce(sum(on_hand), 0)::bigint AS on_hand,
    coalesce(sum(reserved), 0)::bigint AS reserved
FROM stock
"""

_DRIFT = """
WITH ledger AS (
    SELECT site_id, item_id, coalesce(sum(quantity) FILTER (WHERE kind = 'received'), 0) AS received,
        coalesce(sum(CASE kind WHEN 'issued' THEN quantity WHEN 'put-back' THEN -quantity END), 0) AS issued,
        coalesce(sum(quantity) FILTER (WHERE kind = 'wasted'), 0) AS wasted
    FROM movement GROUP BY site_id, item_id
), promised AS (
    SELECT p.site_id, l.item_id, sum(l.quantity) AS reserved
    FROM parcel AS p, jsonb_to_recordset(p.lines) AS l (item_id text, quantity bigint)
    WHERE p.state IN ('reserved', 'picking') GROUP BY p.site_id, l.item_id
)
SELECT s.site_id, s.item_id FROM stock AS s
LEFT JOIN ledger AS m ON m.site_id = s.site_id AND m.item_id = s.item_id
LEFT JOIN promised AS p ON p.site_id = s.site_id AND p.item_id = s.item_id
WHERE (s.received, s.issued, s.wasted, s.reserved)
    <> (coalesce(m.received, 0), coalesce(m.issued, 0), coalesce(m.wasted, 0), coalesce(p.reserved, 0))
"""
