"""Hubs as routing last told them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from bdcan_chassis.database import Connection, columns


class Hub(NamedTuple):
    """A locality hub."""

    hub_id: str
    version: int
    name: str
    paused: bool


async def save(connection: Connection, hubs: Sequence[Hub]) -> None:
    """Write hubs, each once; older news than what is known changes nothing."""
    await connection.execute(_SAVE, *columns(hubs))


async def find(connection: Connection) -> list[Hub]:
    """All hubs, by their ids."""
    return [Hub(*row) for row in await connection.fetch(_FIND)]


_SAVE = """
INSERT INTO hub (hub_id, version, name, paused)
SELECT hub_id, version, name, paused
FROM unnest($1::text[], $2::int[], $3::text[], $4::bool[]) AS h (hub_id, version, name, paused) ORDER BY hub_id
ON CONFLICT (hub_id) DO UPDATE SET version = excluded.version, name = excluded.name, paused = excluded.paused
WHERE hub.version < excluded.version
"""

_FIND = "SELECT hub_id, version, name, paused FROM hub ORDER BY hub_id"
