"""Lots and recalls in the database."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from msgspec import Struct

from bdcan_chassis.table import Query, Statement, Table
from bdcan_foodhub.domain.lots import Lot, Recall
from bdcan_foodhub.store.stock import LEVEL

LOT = Table("lot", Lot, key="lot_id", stamp=None)

RECALL = Table("recall", Recall, key="recall_id", stamp="recalled_at")

# The lots of some places of which something is left, locked in the order of their ids.
LOCK_LEFT = LOT.query(
    """
    SELECT {l.columns} FROM lot AS l
    JOIN unnest(:site_ids::text[], :item_ids::text[]) AS n (site_id, item_id)
        ON n.site_id = l.site_id AND n.item_id = l.item_id
    WHERE l.quantity_left > 0 ORDER BY l.lot_id FOR NO KEY UPDATE OF l
    """
)

# When a lot came in first; NULL if nobody received it.
FIRST_RECEIVED = Statement(
    "SELECT min(received_at) AS value FROM lot WHERE site_id = :site_id AND item_id = :item_id AND mark = :mark"
)

# All lots of a place with a mark, locked in the order of their ids.
LOCK_MARKED = LOT.query(
    """
    SELECT {columns} FROM lot WHERE site_id = :site_id AND item_id = :item_id AND mark = :mark
    ORDER BY lot_id FOR NO KEY UPDATE
    """
)

# Goods on the shelf that nobody may pack any more.
FIND_SPOILED = LOT.query(
    """
    SELECT {columns} FROM lot
    WHERE quantity_left > 0 AND (usable_until < :today OR recalled) ORDER BY site_id, item_id, lot_id LIMIT 500
    """
)


class Issued(Struct, frozen=True):
    """What left a lot for a parcel and has not come back."""

    cause: UUID
    lot_id: UUID
    item_id: str
    quantity: int


# From which lots the goods of some parcels came.
ISSUED = Query(
    """
    SELECT cause, lot_id, item_id, sum(CASE kind WHEN 'issued' THEN quantity ELSE -quantity END)::bigint AS quantity
    FROM movement WHERE cause = ANY (:causes) AND kind IN ('issued', 'put-back') AND lot_id IS NOT NULL
    GROUP BY cause, lot_id, item_id
    HAVING sum(CASE kind WHEN 'issued' THEN quantity ELSE -quantity END) > 0
    ORDER BY cause, lot_id
    """,
    Issued,
)


class GoodUntil(Struct, frozen=True):
    """The last day on which a packed parcel may leave."""

    cause: UUID
    day: date


# Until when the goods of some parcels are good.
GOOD_UNTIL = Query(
    """
    SELECT m.cause, min(l.usable_until) AS day FROM movement AS m JOIN lot AS l ON l.lot_id = m.lot_id
    WHERE m.cause = ANY (:causes) AND m.kind IN ('issued', 'put-back') AND l.usable_until IS NOT NULL
        AND (SELECT sum(CASE n.kind WHEN 'issued' THEN n.quantity ELSE -n.quantity END) FROM movement AS n
            WHERE n.cause = m.cause AND n.lot_id = m.lot_id AND n.kind IN ('issued', 'put-back')) > 0
    GROUP BY m.cause
    """,
    GoodUntil,
)

# Recalls, the newest first.
FIND_RECALLS = RECALL.query(
    """
    SELECT {columns} FROM recall WHERE :site_id::text IS NULL OR site_id = :site_id
    ORDER BY recalled_at DESC, recall_id LIMIT 500
    """
)

# Recalls of some lots at a site.
RECALLED = RECALL.query("SELECT {columns} FROM recall WHERE recall_id = ANY (:recall_ids)")

# Places where the lots do not add up to what is on hand.
DRIFTED = LEVEL.query(
    """
    SELECT {s.columns} FROM stock AS s
    WHERE s.on_hand <> (
        SELECT coalesce(sum(l.quantity_left), 0) FROM lot AS l WHERE l.site_id = s.site_id AND l.item_id = s.item_id)
    """
)
