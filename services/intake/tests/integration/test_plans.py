"""The queries of the hot paths use their indexes, also on tables that were just filled and never analysed."""

from __future__ import annotations

import pytest

from bdcan_chassis.testing.harness import Harness
from bdcan_intake.store import residents, timeline
from bdcan_intake.store.referrals import FIND, FIND_KNOWN, NEED, REFERRAL

_REFERENCES = [f"R-{i}" for i in range(20)]
_ANYTHING = dict.fromkeys(("state", "hub", "source", "reference", "hubs", "referral_id"))


async def filled(given: Harness) -> list[object]:
    """Fill the tables with a list; returns the ids of some of its referrals."""
    rows = "\n".join(f"R-{i},Person {i},shopping" for i in range(3000))
    await given.http.post("/v1/referral-imports?source=a-list", content=f"reference,name,needs\n{rows}")
    return [row["id"] for row in await given.fetch("SELECT id FROM referral LIMIT 20")]


async def test_hot_queries_use_their_indexes(given: Harness):
    ids = await filled(given)
    async with given.transactions.pool.acquire() as connection:
        for query, arguments in (
            (REFERRAL.lock, {"keys": ids}),
            (REFERRAL.get, {"keys": ids}),
            (NEED.of_owners, {"keys": ids}),
            (residents.RESIDENT.lock, {"keys": ids}),
            (timeline.OF_REFERRAL, {"referral_id": ids[0], "limit": 1000}),
            (FIND_KNOWN, {"sources": ["a-list"] * 20, "references": _REFERENCES}),
            (FIND, {**_ANYTHING, "limit": 100, "sources": ["desk"], "source": "a-list", "reference": "R-7"}),
        ):
            plan = await query.plan(connection, **arguments)
            assert "Seq Scan" not in plan, plan


@pytest.mark.parametrize(
    ("table", "columns"), [(REFERRAL, ("state", "hub_id")), (NEED, ("state", "fact_at"))]
)
async def test_updates_find_their_rows_by_the_key(given: Harness, table, columns):
    ids = await filled(given)
    stamp = [given.clock.now()] if table is REFERRAL else []
    sql = f"EXPLAIN {table._statement(columns)}"
    plan = "\n".join(row[0] for row in await given.fetch(sql, "[]", ids, *stamp))
    assert "Seq Scan" not in plan, plan
