"""The queries of the hot paths use their indexes."""

from __future__ import annotations

import pytest

from bdcan_chassis.ids import new_id
from bdcan_chassis.testing.harness import START
from bdcan_escalation.store import escalations


@pytest.mark.parametrize(
    ("query", "arguments", "index"),
    [
        (
            escalations.LOCK_TO_FORWARD,
            {"now": START, "limit": 8, "safeguarding": True},
            "escalation_unsent",
        ),
        (escalations.LOCK_OF_REFERRALS, {"referral_ids": [new_id()]}, "escalation_referral"),
        (escalations.ESCALATION.lock, {"keys": [new_id()]}, "escalation_pkey"),
        (
            escalations.FIND,
            {"state": "accepted", "hubs": None, "opened_at": None, "escalation_id": None, "limit": 100},
            "escalation_by_state",
        ),
        # the metrics read these every ten seconds
        (escalations.PROMISED, {}, "escalation_by_state"),
        (escalations.SAFEGUARDING_OLDEST, {"now": START}, "escalation_unsent"),
    ],
)
async def test_hot_query_uses_its_index(world, query, arguments, index):
    async with world.service.owner.acquire() as connection, connection.transaction():
        await connection.execute(_MANY)
        await connection.execute("ANALYZE escalation")
        assert index in await query.plan(connection, **arguments)
        await connection.execute("DELETE FROM escalation")


_MANY = """
INSERT INTO escalation (escalation_id, referral_id, kind, needs, hub_id, priority, state, opened_at, acknowledge_by,
    due_at, next_attempt_at, attempts, in_doubt, case_id)
SELECT gen_random_uuid(), gen_random_uuid(), CASE WHEN n % 10 = 0 THEN 'safeguarding' ELSE 'complex' END, '[]',
    'hub-' || n % 9, 'standard', state, now() + n * interval '1 second', now(), CASE WHEN state <> 'closed' THEN now() END,
    now() + n * interval '1 second', 1, false, n
FROM (
    SELECT n, CASE n % 40 WHEN 0 THEN 'opened' WHEN 1 THEN 'forwarding' WHEN 2 THEN 'accepted' ELSE 'closed' END AS state
    FROM generate_series(1, 20000) AS n
) AS made
"""
