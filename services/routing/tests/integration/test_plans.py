"""Hot queries go by an index, also when the tables are full."""

from __future__ import annotations

import json

import pytest

from bdcan_chassis.ids import new_id
from bdcan_chassis.testing.harness import START
from bdcan_routing.store import assignments, gazetteer

FILL = """
INSERT INTO gazetteer_unit (release_id, postcode, district_gss)
SELECT 1, 'AA' || n, 'E09000002' FROM generate_series(1, 20000) AS n;
INSERT INTO gazetteer_share (release_id, prefix, place_gss, postcodes)
SELECT 1, 'AA' || n, 'E09000002', 1 FROM generate_series(1, 20000) AS n;
INSERT INTO assignment (referral_id, state, version, amendment, outreach, triage_reason, triage_due_at, hub_id, updated_at)
SELECT gen_random_uuid(), CASE WHEN n % 100 = 0 THEN 'held' ELSE 'assigned' END, 1, 0, false, 'no-postcode', now(),
    'hub-1', now() FROM generate_series(1, 20000) AS n;
ANALYZE
"""


@pytest.mark.parametrize(
    ("sql", "arguments", "index"),
    [
        (gazetteer._UNITS, (1, [f"AA{n}" for n in range(500)]), "gazetteer_unit_pkey"),
        (gazetteer._SHARES, (1, [f"AA{n}" for n in range(500)]), "gazetteer_share_pkey"),
        (assignments._LOCK, ([new_id() for _ in range(500)],), "assignment_pkey"),
        (assignments._HELD, (START, new_id(), 100), "assignment_held"),
        (assignments._RETRIABLE, (["no-hub-for-ward"], None, 500), "assignment_held"),
    ],
)
async def test_given_full_tables_when_a_hot_query_is_planned_then_it_goes_by_its_index(
    routing, sql, arguments, index
):
    async with routing.transactions.pool.acquire() as connection, connection.transaction():
        await connection.execute(FILL)
        plan = json.loads(await connection.fetchval(f"EXPLAIN (FORMAT JSON) {sql}", *arguments))

    nodes = list(walk(plan[0]["Plan"]))
    assert index in {node.get("Index Name") for node in nodes}, plan
    assert not [node for node in nodes if node["Node Type"] == "Seq Scan"], plan


def walk(node):
    yield node
    for child in node.get("Plans", ()):
        yield from walk(child)
