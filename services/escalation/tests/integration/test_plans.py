"""The queries of the hot paths use their indexes."""

from __future__ import annotations

import pytest

from bdcan_chassis.ids import new_id
from bdcan_chassis.testing.harness import START
from bdcan_escalation.store import escalations


@pytest.mark.parametrize(
    ("sql", "arguments", "index"),
    [
        (escalations._LOCK_TO_FORWARD, (START, 8, True), "escalation_unsent"),
        (escalations._LOCK_OF_REFERRALS, ([new_id()],), "escalation_referral"),
        (escalations._FIND, ("opened", None, None, 100), "escalation_by_state"),
    ],
)
async def test_given_a_large_table_when_the_query_is_planned_then_it_uses_its_index(
    world, sql, arguments, index
):
    async with world.service.transactions.pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL enable_seqscan = off")  # a small table would be read whole
        plan = await connection.fetch(f"EXPLAIN {sql}", *arguments)
    assert index in "\n".join(r[0] for r in plan)
