"""Parcels in the database."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from bdcan_chassis.table import Query, Statement, Table
from bdcan_foodhub.domain.parcel import Parcel

PARCEL = Table("parcel", Parcel, key="parcel_id", derived=("missing_items", "noticed", "owed_items"))

# All parcels of some referrals, locked in the order of their ids.
LOCK_OF_REFERRALS = PARCEL.query(
    """
    SELECT {columns} FROM parcel WHERE referral_id = ANY (:referral_ids) ORDER BY parcel_id FOR NO KEY UPDATE
    """
)

# The parcels of a site that are reserved or in picking and hold an item, locked in the order of their ids.
LOCK_HOLDING = PARCEL.query(
    """
    SELECT {columns} FROM parcel
    WHERE site_id = :site_id AND state IN ('reserved', 'picking')
        AND lines @> jsonb_build_array(jsonb_build_object('item_id', :item_id::text))
    ORDER BY parcel_id FOR NO KEY UPDATE
    """
)

# Parcels that hold an item in picking, or that were changed in a bag since a time (NULL: whenever), locked by id.
LOCK_MAY_CONTAIN = PARCEL.query(
    """
    SELECT {columns} FROM parcel
    WHERE site_id = :site_id AND state IN ('picking', 'packed', 'dispatched', 'delivered')
        AND (lines || sent) @> jsonb_build_array(jsonb_build_object('item_id', :item_id::text))
        AND (state = 'picking' OR :since::timestamptz IS NULL OR changed_at >= :since)
    ORDER BY parcel_id FOR NO KEY UPDATE
    """
)

# Parcels that want an allocation now: the soonest due, locked in the order of their ids.
LOCK_WAITING = PARCEL.query(
    """
    WITH soonest AS (
        SELECT parcel_id FROM parcel WHERE state = 'requested' ORDER BY due_at, parcel_id LIMIT :limit
    )
    SELECT {columns} FROM parcel
    WHERE parcel_id = ANY (ARRAY(SELECT parcel_id FROM soonest)) AND state = 'requested'
    ORDER BY parcel_id FOR NO KEY UPDATE
    """
)

# Short parcels that lack one of these items at its site, locked in the order of their ids.
LOCK_LACKING = PARCEL.query(
    """
    SELECT {p.columns} FROM parcel AS p
    WHERE p.state = 'short' AND p.site_id = ANY (:site_ids::text[]) AND EXISTS (
        SELECT 1 FROM unnest(:site_ids::text[], :item_ids::text[]) AS n (site_id, item_id)
        WHERE n.site_id = p.site_id AND n.item_id = ANY (p.missing_items))
    ORDER BY p.parcel_id FOR NO KEY UPDATE OF p
    """
)

# Parcels that wait for one of these items at its site to follow them, locked in the order of their ids.
LOCK_OWING = PARCEL.query(
    """
    SELECT {p.columns} FROM parcel AS p
    WHERE p.owed_items <> '{}' AND p.site_id = ANY (:site_ids::text[]) AND EXISTS (
        SELECT 1 FROM unnest(:site_ids::text[], :item_ids::text[]) AS n (site_id, item_id)
        WHERE n.site_id = p.site_id AND n.item_id = ANY (p.owed_items))
    ORDER BY p.parcel_id FOR NO KEY UPDATE OF p
    """
)


class First(Struct, frozen=True):
    """The parcel that waits first for an item."""

    site_id: str
    item_id: str
    due_at: datetime
    parcel_id: UUID


# Who waits first for each of these items, those parcels left out.
FIRST_WAITING = Query(
    """
    SELECT DISTINCT ON (p.site_id, i.item_id) p.site_id, i.item_id, p.due_at, p.parcel_id
    FROM (
        SELECT site_id, missing_items AS items, due_at, parcel_id FROM parcel
        WHERE state = 'short' AND site_id = ANY (:site_ids)
        UNION ALL
        SELECT site_id, owed_items, due_at, parcel_id FROM parcel
        WHERE owed_items <> '{}' AND site_id = ANY (:site_ids)
    ) AS p, unnest(p.items) AS i (item_id)
    WHERE i.item_id = ANY (:item_ids) AND p.parcel_id <> ALL (:parcel_ids)
    ORDER BY p.site_id, i.item_id, p.due_at, p.parcel_id
    """,
    First,
)

# A page of parcels that something is to follow, in due order, of these hubs (NULL: of all).
FIND_OWED = PARCEL.query(
    """
    SELECT {columns} FROM parcel
    WHERE owed_due_at IS NOT NULL AND (:site_id::text IS NULL OR site_id = :site_id)
        AND (:hubs::text[] IS NULL OR hub_id = ANY (:hubs))
        AND (:due_at::timestamptz IS NULL OR (due_at, parcel_id) > (:due_at, :parcel_id::uuid))
    ORDER BY due_at, parcel_id LIMIT :limit
    """
)

# How many parcels of each site something is to follow.
COUNT_OWED = Statement(
    "SELECT site_id AS site, count(*) AS value FROM parcel WHERE owed_due_at IS NOT NULL GROUP BY site_id"
)

# In how many seconds the first of them must have been sent: below 0, they are late.
FIRST_OWED = Statement(
    """
    SELECT site_id AS site, extract(epoch FROM min(owed_due_at) - :now::timestamptz)::float8 AS value
    FROM parcel WHERE owed_due_at IS NOT NULL GROUP BY site_id
    """
)

# A page of parcels in due order, of these hubs (NULL: of all).
FIND = PARCEL.query(
    """
    SELECT {columns} FROM parcel
    WHERE (:state::text IS NULL OR state = :state) AND (:site_id::text IS NULL OR site_id = :site_id)
        AND (NOT :linked::boolean OR EXISTS (
            SELECT FROM referral WHERE referral.referral_id = parcel.referral_id
                AND (referral.same_person_ids <> '{}' OR referral.same_household_ids <> '{}')
        ))
        AND (:hubs::text[] IS NULL OR hub_id = ANY (:hubs))
        AND (:due_at::timestamptz IS NULL OR (due_at, parcel_id) > (:due_at, :parcel_id::uuid))
    ORDER BY due_at, parcel_id LIMIT :limit
    """
)

# A page of parcels that a person must see to, in due order, of these hubs (NULL: of all).
FIND_NOTICED = PARCEL.query(
    """
    SELECT {columns} FROM parcel
    WHERE noticed AND (:site_id::text IS NULL OR site_id = :site_id)
        AND (:hubs::text[] IS NULL OR hub_id = ANY (:hubs))
        AND (:due_at::timestamptz IS NULL OR (due_at, parcel_id) > (:due_at, :parcel_id::uuid))
    ORDER BY due_at, parcel_id LIMIT :limit
    """
)

# In how many seconds somebody must have seen to the first notice of each kind: below 0, it is late.
FIRST_NOTICE = Statement(
    """
    SELECT CASE WHEN (n ->> 'stops')::boolean THEN 'stop' ELSE 'warning' END AS kind,
        extract(epoch FROM min((n ->> 'due_at')::timestamptz) - :now::timestamptz)::float8 AS value
    FROM parcel, jsonb_array_elements(notices) AS n
    WHERE noticed AND n ->> 'settled_at' IS NULL GROUP BY 1
    """
)

# How many notices of each kind wait for a person.
COUNT_NOTICES = Statement(
    """
    SELECT CASE WHEN (n ->> 'stops')::boolean THEN 'stop' ELSE 'warning' END AS kind, count(*) AS value
    FROM parcel, jsonb_array_elements(notices) AS n
    WHERE noticed AND n ->> 'settled_at' IS NULL GROUP BY 1
    """
)

# How many parcels should be at the door by now and are not.
COUNT_OVERDUE = Statement("SELECT count(*) AS value FROM parcel WHERE overdue")

# How many parcels of each site are in which state.
COUNT_BY_STATE = Statement(
    "SELECT site_id AS site, state, count(*) AS value FROM parcel GROUP BY site_id, state"
)

_LIVE = "state IN ('requested', 'short', 'reserved', 'picking', 'packed', 'dispatched')"

# By when each parcel must be at the door that is not there yet, with its hub. One row more: so that none is 0.
PROMISED = Statement(f"SELECT hub_id AS hub, due_at FROM parcel WHERE {_LIVE} UNION ALL SELECT NULL, NULL")  # noqa: S608 # all of it is ours

# How long the oldest parcel in each state has been wanted, of those that are not at the door.
OLDEST = Statement(
    f"""
    SELECT state, extract(epoch FROM :now::timestamptz - min(requested_at))::float8 AS value FROM parcel
    WHERE {_LIVE} GROUP BY state
    """  # noqa: S608 # all of it is ours
)

# How many parcels lack an item.
COUNT_SHORT = Statement(
    """
    SELECT i.item, count(*) AS value FROM parcel CROSS JOIN LATERAL unnest(missing_items) AS i (item)
    WHERE state = 'short' GROUP BY i.item
    """
)

# How many parcels of these hubs (NULL: of all) are in which state.
COUNT_OF_HUBS = Statement(
    """
    SELECT state, count(*) AS value FROM parcel WHERE :hubs::text[] IS NULL OR hub_id = ANY (:hubs)
    GROUP BY state
    """
)

# How many of them should be at the door by now and are not.
OVERDUE_OF_HUBS = Statement(
    "SELECT count(*) FROM parcel WHERE overdue AND (:hubs::text[] IS NULL OR hub_id = ANY (:hubs))"
)
