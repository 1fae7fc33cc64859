"""Stock levels, the ledger of movements, and what became free since the last allocation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from msgspec import Struct

from bdcan_chassis.table import Query, Statement, Table
from bdcan_foodhub.domain.stock import Level, MoveKind, Movement

LEVEL = Table("stock", Level, key=("site_id", "item_id"))

MOVEMENT = Table("movement", Movement, key=(), stamp="moved_at")


class Replenishment(Struct, frozen=True):
    """Something became free there."""

    site_id: str
    item_id: str


REPLENISHMENT = Table("replenishment", Replenishment, key=(), stamp=None)


class Totals(Struct, frozen=True):
    """Sums over all stock, units mixed: only good for checking that nothing is lost."""

    received: int
    issued: int
    wasted: int
    on_hand: int
    reserved: int


# The levels of some places, locked in the order of site and item.
LOCK_PLACES = LEVEL.query(
    """
    SELECT {s.columns} FROM stock AS s
    JOIN unnest(:site_ids::text[], :item_ids::text[]) AS n (site_id, item_id)
        ON n.site_id = s.site_id AND n.item_id = s.item_id
    ORDER BY s.site_id COLLATE "C", s.item_id COLLATE "C" FOR NO KEY UPDATE OF s
    """
)

# The levels that changed since they were last announced, locked in the order of site and item.
LOCK_UNANNOUNCED = LEVEL.query(
    """
    SELECT {columns} FROM stock WHERE version > announced_version
    ORDER BY site_id COLLATE "C", item_id COLLATE "C" FOR NO KEY UPDATE
    """
)

# What became free since the last allocation, each place once.
TAKE_REPLENISHED = Query(
    """
    WITH gone AS (DELETE FROM replenishment RETURNING site_id, item_id) SELECT DISTINCT {columns} FROM gone
    """,
    Replenishment,
)

# All levels, or those of one site.
FIND = LEVEL.query(
    """
    SELECT {columns} FROM stock WHERE :site_id::text IS NULL OR site_id = :site_id ORDER BY site_id, item_id
    """
)


class Correction(Struct, frozen=True):
    """An entry of the ledger that says why the books were wrong, or why goods were thrown away."""

    site_id: str
    item_id: str
    kind: MoveKind
    quantity: int
    lot: str | None
    reason: str
    moved_at: datetime


# The 500 newest corrections, or those of one site.
FIND_CORRECTIONS = Query(
    """
    SELECT {columns} FROM movement WHERE reason IS NOT NULL AND (:site_id::text IS NULL OR site_id = :site_id)
    ORDER BY movement_id DESC LIMIT 500
    """,
    Correction,
)

# Sums over all stock.
TOTALS = Query(
    """
    SELECT coalesce(sum(received), 0)::bigint AS received, coalesce(sum(issued), 0)::bigint AS issued,
        coalesce(sum(wasted), 0)::bigint AS wasted, coalesce(sum(on_hand), 0)::bigint AS on_hand,
        coalesce(sum(reserved), 0)::bigint AS reserved
    FROM stock
    """,
    Totals,
)

# How many units of each item are free at each site.
FREE = Statement("SELECT site_id AS site, item_id AS item, on_hand - reserved AS value FROM stock")

# How many of them are promised to parcels.
RESERVED = Statement("SELECT site_id AS site, item_id AS item, reserved AS value FROM stock")

# How many units have come in, gone out and been thrown away since the beginning.
MOVED = Statement(
    """
    SELECT site_id AS site, item_id AS item, m.move, m.value FROM stock
    CROSS JOIN LATERAL (VALUES ('received', received), ('issued', issued), ('wasted', wasted)) AS m (move, value)
    """
)

# For how many days what is free lasts, if as much goes out as in the last seven days. Reads their movements.
COVER = Statement(
    """
    SELECT s.site_id AS site, s.item_id AS item, (s.on_hand - s.reserved) * 7.0::float8 / sum(m.quantity) AS value
    FROM stock AS s JOIN movement AS m ON m.site_id = s.site_id AND m.item_id = s.item_id
    WHERE m.kind = 'issued' AND m.moved_at > :now::timestamptz - interval '7 days'
    GROUP BY s.site_id, s.item_id
    """
)


def count_low(sites: Iterable[str], low_below: Mapping[str, int]) -> Statement:
    """How many items are low, at each of these sites and wherever there is stock. What a site never had, it has none of."""
    listed = ", ".join(f"('{item_id}', {below})" for item_id, below in sorted(low_below.items()))
    used = ", ".join(f"('{site}')" for site in sorted(sites))
    return Statement(
        f"""
        SELECT p.site, count(*) FILTER (WHERE coalesce(s.on_hand - s.reserved, 0) < i.low_below) AS value
        FROM (SELECT site FROM (VALUES {used}) AS used (site) UNION SELECT site_id FROM stock) AS p
        CROSS JOIN (VALUES {listed}) AS i (item, low_below)
        LEFT JOIN stock AS s ON s.site_id = p.site AND s.item_id = i.item
        GROUP BY p.site
        """  # noqa: S608 # names of sites and items are our own
    )


# Places whose level is not what the ledger and the parcels add up to. Reads the whole ledger.
DRIFTED = LEVEL.query(
    """
    WITH ledger AS (
        SELECT site_id, item_id, coalesce(sum(quantity) FILTER (WHERE kind = 'received'), 0) AS received,
            coalesce(sum(CASE kind WHEN 'issued' THEN quantity WHEN 'put-back' THEN -quantity END), 0) AS issued,
            coalesce(sum(quantity) FILTER (WHERE kind = 'wasted'), 0) AS wasted
        FROM movement GROUP BY site_id, item_id
    ), promised AS (
        SELECT p.site_id, l.item_id, sum(l.quantity) AS reserved
        FROM parcel AS p, jsonb_to_recordset(
            CASE WHEN p.state IN ('reserved', 'picking') THEN p.lines || p.top_up ELSE p.top_up END
        ) AS l (item_id text, quantity bigint)
        GROUP BY p.site_id, l.item_id
    )
    SELECT {s.columns} FROM stock AS s
    LEFT JOIN ledger AS m ON m.site_id = s.site_id AND m.item_id = s.item_id
    LEFT JOIN promised AS p ON p.site_id = s.site_id AND p.item_id = s.item_id
    WHERE (s.received, s.issued, s.wasted, s.reserved)
        <> (coalesce(m.received, 0), coalesce(m.issued, 0), coalesce(m.wasted, 0), coalesce(p.reserved, 0))
    """
)
