"""The queries of the hot paths use their indexes."""

from __future__ import annotations

import pytest

from bdcan_chassis.ids import new_id
from bdcan_foodhub.store import parcels


@pytest.mark.parametrize(
    ("query", "arguments", "index"),
    [
        (parcels.LOCK_WAITING, {"limit": 2000}, "parcel_requested"),
        (parcels.LOCK_LACKING, {"site_ids": ["central"], "item_ids": ["egg"]}, "parcel_short"),
        (parcels.LOCK_OF_REFERRALS, {"referral_ids": [new_id()]}, "parcel_referral"),
        (parcels.PARCEL.lock, {"keys": [new_id()]}, "parcel_pkey"),
        (
            parcels.FIND,
            {
                "state": "reserved",
                "site_id": None,
                "hubs": None,
                "linked": False,
                "due_at": None,
                "parcel_id": None,
                "limit": 100,
            },
            "parcel_by_state",
        ),
        # the metrics read these every ten seconds
        (parcels.PROMISED, {}, "parcel_by_state"),
        (parcels.COUNT_SHORT, {}, "parcel_by_state"),
    ],
)
async def test_hot_query_uses_its_index(foodhub, query, arguments, index):
    async with foodhub.owner.acquire() as connection, connection.transaction():
        await connection.execute(_MANY)
        await connection.execute("ANALYZE parcel")
        assert index in await query.plan(connection, **arguments)
        await connection.execute("DELETE FROM parcel")


_MANY = """
INSERT INTO parcel (parcel_id, referral_id, need_id, hub_id, site_id, code, priority, diets, lines, state, requested_at,
    due_at, changed_at, missing, missing_items, retry_at, bags, weight_grams, overdue)
SELECT gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 'hub-' || n % 9, 'site-' || n % 4, 'food-parcel', 'standard',
    '{}', '[]', state, now(), now() + n * interval '1 second', now(), '[]', ARRAY['item-' || n % 20],
    CASE WHEN state = 'short' THEN now() END, 2, 9000, false
FROM (
    SELECT n, CASE n % 40 WHEN 0 THEN 'requested' WHEN 1 THEN 'short' WHEN 2 THEN 'reserved' ELSE 'delivered' END AS state
    FROM generate_series(1, 20000) AS n
) AS made
"""
