"""The queries of the hot paths use their indexes."""

from __future__ import annotations

from typing import Any

import pytest

from bdcan_chassis.ids import new_id
from bdcan_chassis.table import Statement
from bdcan_chassis.testing.harness import START, Harness
from bdcan_volunteer_match.store import calls, offers, tasks, volunteers

ID = new_id()


@pytest.mark.parametrize(
    ("query", "arguments", "index"),
    [
        (calls.CALL.lock, {"keys": [ID]}, "welfare_call_pkey"),
        (calls.LOCK_ROUND, {"call_id": ID}, "welfare_call_call_id"),
        (
            calls.FIND_DUE,
            {
                "hubs": ["thames"],
                "now": START,
                "linked": False,
                "due_at": None,
                "referral_id": None,
                "limit": 50,
            },
            "welfare_call_to_make",
        ),
        # the metrics read these every ten seconds
        (calls.PROMISED, {}, "welfare_call_to_make"),
        (calls.OLDEST, {"now": START}, "welfare_call_to_make"),
        (tasks.PROMISED, {}, "task_live"),
        (tasks.TASK.lock, {"keys": [ID]}, "task_pkey"),
        (tasks.LOCK_LIVE_OF, {"referral_ids": [ID]}, "task_referral"),
        (tasks.LOCK_IN_HAND, {"volunteer_ids": [ID]}, "task_in_hand"),
        (
            tasks.LOCK_OPEN,
            {"hub_ids": ["thames"], "kinds": ["errand"], "requires_dbs": [False], "most": [10]},
            "task_to_offer",
        ),
        (
            tasks.FIND,
            {
                "state": "offered",
                "hubs": None,
                "volunteer_id": None,
                "attention": False,
                "linked": False,
                "due_at": START,
                "task_id": ID,
                "limit": 50,
            },
            "task_live",
        ),
        (tasks.OPEN_WANTS, {}, "task_to_offer"),
        # every task in hand is counted: live ones are few among all
        (
            offers.CANDIDATES,
            {"now": START, "since": START, "kinds": ["errand"], "volunteer_ids": None},
            "task_live",
        ),
        (offers.VISITS, {"referral_ids": [ID], "most": 5}, "task_referral"),
        (offers.OF_TASK, {"task_id": ID, "limit": 10}, "task_offer_pkey"),
        (
            offers.END,
            {"task_ids": [ID], "volunteer_ids": [ID], "states": ["expired"], "now": START},
            "task_offer_",
        ),
        (volunteers.VOLUNTEER.lock, {"keys": [ID]}, "volunteer_pkey"),
        (volunteers.LOCK_ACTIVE, {"volunteer_ids": [ID]}, "volunteer_state"),
    ],
)
async def test_hot_query_uses_its_index(
    given: Harness, query: Statement, arguments: dict[str, Any], index: str
) -> None:
    async with given.owner.acquire() as connection, connection.transaction():
        for table in _MANY:
            await connection.execute(table)
        await connection.execute("ANALYZE task, welfare_call, volunteer")
        assert index in await query.plan(connection, **arguments)


_MANY = (
    """
    INSERT INTO task (task_id, referral_id, kind, hub_id, priority, requires_dbs, state, due_at, alarm_at, opened_at,
        settled_at, offer_expires_at, volunteer_id, offers_made, failures, unfilled)
    SELECT gen_random_uuid(), gen_random_uuid(), 'errand', 'hub-' || n % 9, 'standard', false, state,
        now() + n * interval '1 second', now(), now(), CASE WHEN state = 'done' THEN now() END,
        CASE WHEN state = 'offered' THEN now() END, CASE WHEN state <> 'open' THEN gen_random_uuid() END, 0, 0, false
    FROM (
        SELECT n, CASE n % 20 WHEN 0 THEN 'open' WHEN 1 THEN 'offered' ELSE 'done' END AS state
        FROM generate_series(1, 20000) AS n
    ) AS made
    """,
    """
    INSERT INTO welfare_call (referral_id, call_id, state, hub_id, assignment_version, amendment_version, priority,
        outreach, confirm_at_call, attempts, misses, not_before, due_at, ended)
    SELECT gen_random_uuid(), gen_random_uuid(), CASE WHEN n % 20 = 0 THEN 'due' ELSE 'answered' END, 'hub-' || n % 9,
        1, 0, 'standard', true, false, 0, 0, now(), now(), false
    FROM generate_series(1, 20000) AS n
    """,
    """
    INSERT INTO volunteer (volunteer_id, state, version, hub_ids, task_kinds, dbs_cleared, has_car)
    SELECT gen_random_uuid(), 'active', 1, ARRAY['hub-' || n % 9], '{errand}', false, false
    FROM generate_series(1, 5000) AS n
    """,
)
