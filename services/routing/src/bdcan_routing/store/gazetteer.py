"""Postcode tables: one release is active; loading another and making it active is one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

import asyncpg
from msgspec import Struct

from bdcan_chassis.database import Connection
from bdcan_routing.domain.gazetteer import Lookup, Unit

COARSE = "coarse"
CODE_POINT_OPEN = "code-point-open"

UnitRow = tuple[str, int | None, int | None, str, str | None]
"""Postcode, easting and northing in metres (None: unknown), district, ward (None outside the borough)."""


class Release(Struct, frozen=True):
    """A table that was loaded. `digest` is the sha256 of what it was loaded from."""

    name: str
    kind: str
    digest: str
    vintage: int
    unit_count: int
    borough_count: int
    imported_at: datetime


async def active(connection: Connection) -> Release | None:
    """The release that answers now."""
    row = await connection.fetchrow(_ACTIVE)
    return _read(row) if row else None


async def ask(connection: Connection, units: Iterable[str], prefixes: Iterable[str]) -> Lookup | None:
    """What the active release says about these postcodes and prefixes. None: no release is active."""
    head = await connection.fetchrow("SELECT release_id, name, kind FROM gazetteer_release WHERE active")
    if head is None:
        return None
    found = await connection.fetch(_UNITS, head["release_id"], sorted(units))
    shares: dict[str, dict[str, int]] = {}
    for row in await connection.fetch(_SHARES, head["release_id"], sorted(prefixes)):
        shares.setdefault(row["prefix"], {})[row["place_gss"]] = row["postcodes"]
    return Lookup(
        head["name"],
        head["kind"] == COARSE,
        {row["postcode"]: Unit(row["district_gss"], row["ward_gss"]) for row in found},
        shares,
    )


async def activate(
    connection: Connection,
    release: Release,
    units: Iterable[UnitRow],
    shares: Mapping[str, Mapping[str, int]],
) -> None:
    """Load a release and make it the active one. Of the earlier ones, the last keeps its rows."""
    await connection.execute("SET LOCAL statement_timeout = 0")
    release_id = await connection.fetchval(
        _INSERT,
        release.name,
        release.kind,
        release.digest,
        release.vintage,
        release.unit_count,
        release.borough_count,
        release.imported_at,
    )
    await connection.copy_records_to_table(
        "gazetteer_unit",
        columns=["release_id", "postcode", "easting", "northing", "district_gss", "ward_gss"],
        records=((release_id, *unit) for unit in units),
        timeout=1800,
    )
    await connection.copy_records_to_table(
        "gazetteer_share",
        columns=["release_id", "prefix", "place_gss", "postcodes"],
        records=(
            (release_id, prefix, place, count)
            for prefix, places in shares.items()
            for place, count in places.items()
        ),
        timeout=600,
    )
    await connection.execute("UPDATE gazetteer_release SET active = false WHERE active")
    await connection.execute("UPDATE gazetteer_release SET active = true WHERE release_id = $1", release_id)
    await connection.execute(_FORGET, timeout=600)


def _read(row: asyncpg.Record) -> Release:
    return Release(
        row["name"],
        row["kind"],
        row["digest"],
        row["vintage"],
        row["unit_count"],
        row["borough_count"],
        row["imported_at"],
    )


_ACTIVE = """
SELECT name, kind, digest, vintage, unit_count, borough_count, imported_at FROM gazetteer_release WHERE active
"""

_UNITS = """
SELECT postcode, district_gss, ward_gss FROM gazetteer_unit
WHERE release_id = $1 AND postcode = ANY ($2::text[])
"""

_SHARES = """
SELECT prefix, place_gss, postcodes FROM gazetteer_share WHERE release_id = $1 AND prefix = ANY ($2::text[])
"""

_INSERT = """
INSERT INTO gazetteer_release (name, kind, digest, vintage, unit_count, borough_count, imported_at)
VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING release_id
"""

# The newest two stay: the active one and the one to go back to.
_FORGET = """
DELETE FROM gazetteer_release WHERE release_id NOT IN (
    SELECT release_id FROM gazetteer_release ORDER BY active DESC, release_id DESC LIMIT 2
)
"""
