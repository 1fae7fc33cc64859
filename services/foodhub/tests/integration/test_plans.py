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
    foodhub, tell, sql, arguments, index
):
    await foodhub.deliver(tell.call_completed()[0])
    async with foodhub.transactions.pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL enable_seqscan = off")  # a small table would be read whole
        plan = await connection.fetch(f"EXPLAIN {sql}", *arguments)
    assert index in "\n".join(r[0] for r in plan)
