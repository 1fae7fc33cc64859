"""The queries of the hot paths use their indexes."""

from __future__ import annotations

import pytest

from bdcan_chassis.ids import new_id
from bdcan_foodhub.store import parcels


@pytest.mark.parametrize(
    ("sql", "arguments", "index"),
    [
        (parcels._LOCK_WAITING, (2000,), "parcel_requested"),
        (parcels._WAKE_SHORT, (["central"], ["egg"]), "parcel_short"),
        (parcels._LOCK_OF_REFERRALS, ([new_id()],), "parcel_referral"),
        (parcels._FIND, ("reserved", None, None, None, 100), "parcel_by_state"),
    ],
)
async def test_given_a_large_table_when_the_query_is_planned_then_it_uses_its_index(
    foodhub, sql, arguments, index
):
    async with foodhub.transactions.pool.acquire() as connection:
        many = connection.transaction()
        await many.start()
        await connection.execute(_MANY)
        await connection.execute("ANALYZE parcel")
        plan = await connection.fetch(f"EXPLAIN {sql}", *arguments)
        await many.rollback()
    text = "\n".join(r[0] for r in plan)
    assert index in text, text


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
