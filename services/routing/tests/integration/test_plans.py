"""The queries of the hot paths use their indexes when the tables are full."""

from __future__ import annotations

import pytest

from bdcan_chassis.ids import new_id
from bdcan_chassis.testing.harness import START
from bdcan_routing.store import assignments, gazetteer

FILL = """
INSERT INTO gazetteer_unit (release_id, postcode, district_gss)
SELECT 1, 'AA' || n, 'E09000002' FROM generate_series(1, 20000) AS n;
INSERT INTO gazetteer_share (release_id, prefix, place_gss, postcodes)
SELECT 1, 'AA' || n, 'E09000002', 1 FROM generate_series(1, 20000) AS n;
INSERT INTO assignment (referral_id, state, version, amendment_version, outreach, triage_reason, triage_due_at, hub_id, changed_at)
SELECT gen_random_uuid(), CASE WHEN n % 100 = 0 THEN 'held' ELSE 'assigned' END, 1, 0, false, 'no-postcode', now(),
    'hub-1', now() FROM generate_series(1, 20000) AS n;
ANALYZE
"""


POSTCODES = [f"AA{n}" for n in range(500)]


@pytest.mark.parametrize(
    ("query", "arguments", "index"),
    [
        (gazetteer.UNITS, {"release_id": 1, "postcodes": POSTCODES}, "gazetteer_unit_pkey"),
        (gazetteer.SHARES, {"release_id": 1, "prefixes": POSTCODES}, "gazetteer_share_pkey"),
        (assignments.ASSIGNMENT.lock, {"keys": [new_id() for _ in range(500)]}, "assignment_pkey"),
        (
            assignments.FIND_HELD,
            {"linked": False, "due_at": START, "referral_id": new_id(), "limit": 100},
            "assignment_held",
        ),
        (
            assignments.LOCK_HELD,
            {"reasons": ["no-hub-for-ward"], "after": None, "limit": 500},
            "assignment_held",
        ),
    ],
)
async def test_hot_query_uses_its_index(routing, query, arguments, index):
    async with routing.owner.acquire() as connection, connection.transaction():
        await connection.execute(FILL)
        plan = await query.plan(connection, **arguments)
    assert index in plan
    assert "Seq Scan" not in plan
