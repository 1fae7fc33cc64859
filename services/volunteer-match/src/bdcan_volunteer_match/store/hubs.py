"""Hubs, as routing last announced them."""

from __future__ import annotations

from bdcan_chassis.database import Connection
from bdcan_chassis.table import Table
from bdcan_volunteer_match.domain.hub import Hub

HUB = Table("hub", Hub, key="hub_id", stamp=None)

# All hubs.
FIND = HUB.query("SELECT {columns} FROM hub ORDER BY hub_id")


async def neighbours(connection: Connection) -> dict[str, tuple[str, ...]]:
    """The hubs next to each hub."""
    return {hub.hub_id: hub.neighbours for hub in await FIND.all(connection)}
