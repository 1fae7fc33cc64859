"""Hubs and the wards that they cover."""

from __future__ import annotations

from msgspec import Struct

from bdcan_chassis.table import Statement, Table
from bdcan_routing.domain.hubs import Hub

HUB = Table(
    "hub",
    Hub,
    key="hub_id",
    stamp="configured_at",
    derived=("paused",),
    joined={
        "wards": """(
            SELECT coalesce(jsonb_agg(jsonb_build_object('gss', ward_gss, 'vintage', vintage) ORDER BY ward_gss), '[]')
            FROM hub_ward WHERE hub_ward.hub_id = hub.hub_id
        )"""
    },
)


class Covered(Struct, frozen=True):
    """A ward that a hub covers."""

    ward_gss: str
    vintage: int
    hub_id: str


COVERED = Table("hub_ward", Covered, key="ward_gss", stamp=None)

# Every hub, by id.
FIND = HUB.query("SELECT {columns} FROM hub ORDER BY hub_id")

# Only the transaction that holds this lock may change hubs or postcode tables.
LOCK_SETUP = Statement("SELECT pg_advisory_xact_lock(hashtextextended('bdcan.routing.setup', 0))")

# The wards of some hubs, before they are written again.
FORGET_WARDS = Statement("DELETE FROM hub_ward WHERE hub_id = ANY (:hub_ids)")

# How many hubs are paused.
COUNT_PAUSED = Statement("SELECT count(*) AS value FROM hub WHERE paused")

# Every hub, 1 for one that is paused.
PAUSED = Statement("SELECT hub_id AS hub, paused::int AS value FROM hub")
