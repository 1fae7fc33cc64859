"""What the SQL promises: no lost update, indexes where they are needed, gauges that can be read."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import asyncpg
import pytest
from prometheus_client import REGISTRY
from volunteer_match_story import amended, assigned, declined, enquiry, open_task, task, volunteer

from bdcan_chassis.database import MANY_ROWS, Connection
from bdcan_chassis.housekeeping import sample
from bdcan_chassis.testing.harness import START, Harness
from bdcan_volunteer_match.domain.call import CallState, assign, withdraw
from bdcan_volunteer_match.domain.matching import Candidate, Want
from bdcan_volunteer_match.store import calls, tasks, volunteers
from bdcan_volunteer_match.store.rows import LostUpdateError


@pytest.mark.parametrize("others", [0, MANY_ROWS])
async def test_two_first_events_of_a_referral_at_once_do_not_overwrite_each_other(
    given: Harness, others: int
) -> None:
    event, beside = assigned(), [assigned() for _ in range(others)]
    async with given.transactions.begin() as slow:
        assert await calls.lock(slow, [event.referral_id]) == {}
        async with given.transactions.begin() as quick:
            await calls.save(quick, {}, [withdraw(None, event.referral_id)])
        with pytest.raises(LostUpdateError):
            await calls.save(slow, {}, [assign(None, e) for e in (event, *beside)])
    rows = await given.fetch("SELECT state FROM welfare_call WHERE referral_id = $1", event.referral_id)
    assert [r["state"] for r in rows] == [CallState.CANCELLED]


@pytest.mark.parametrize("known", [False, True])
async def test_given_a_refusal_that_was_heard_of_before_the_first_call_then_that_call_is_later_than_it(
    given: Harness, known: bool
) -> None:
    right, event = given.clock.instant, assigned()
    if known:  # but no hub yet
        await given.deliver(amended(event.referral_id, event.needs, 1))
    given.clock.instant = refused_at = right + timedelta(minutes=10)
    await given.deliver(declined(event.referral_id, event.needs[0].need_id))
    given.clock.instant = right  # the next process's clock is behind
    await given.deliver(event)
    async with given.transactions.begin() as tx:
        [call] = (await calls.lock(tx, [event.referral_id])).values()
        assert call.state is CallState.DUE
        assert tx.now >= refused_at


PLANS = [
    (calls._FIND_DUE, ["due", ["thames"], START, 50, None], "welfare_call_to_make"),
    (calls._LOCK_ROUND, [uuid4()], "welfare_call_call_id"),
    (tasks._LOCK_LIVE_OF, [[uuid4()]], "task_referral"),
    (tasks._LOCK_IN_HAND, [uuid4()], "task_in_hand"),
    (tasks._LOCK_OPEN, [["thames"], ["errand"], [False], [10]], "task_to_offer"),
    (tasks._FIND, ["offered", None, None, 50, None], "task_live"),
    (tasks._OPEN_WANTS, [], "task_to_offer"),
    (
        volunteers._CANDIDATES,
        [3, ["thames"], ["errand"]],
        "task_live",
    ),  # every task in hand is counted: live ones are few among all
]


async def test_every_hot_query_uses_its_index(given: Harness) -> None:
    await given.fetch(
        """
        INSERT INTO task (task_id, referral_id, kind, hub_id, priority, requires_dbs, state, revision, due_at, alarm_at,
            opened_at, settled_at, offer_expires_at, volunteer_id, offers_made, failures, unfilled, asked)
        SELECT gen_random_uuid(), gen_random_uuid(), 'errand', 'hub-' || n % 9, 'standard', false, state, 1,
            now() + n * interval '1 second', now(), now(), CASE WHEN state = 'done' THEN now() END,
            CASE WHEN state = 'offered' THEN now() END, CASE WHEN state <> 'open' THEN gen_random_uuid() END,
            0, 0, false, ''
        FROM (
            SELECT n, CASE n % 20 WHEN 0 THEN 'open' WHEN 1 THEN 'offered' ELSE 'done' END AS state
            FROM generate_series(1, 20000) AS n
        ) AS made
        """
    )
    await given.fetch(
        """
        INSERT INTO welfare_call (referral_id, call_id, state, revision, hub_id, assignment_version, amendment_version,
            priority, outreach, confirm_at_call, circumstances, attempts, misses, not_before, due_at, ended)
        SELECT gen_random_uuid(), gen_random_uuid(), CASE WHEN n % 20 = 0 THEN 'due' ELSE 'answered' END, 1,
            'hub-' || n % 9, 1, 0, 'standard', true, false, '{}', 0, 0, now(), now(), false
        FROM generate_series(1, 20000) AS n
        """
    )
    await given.fetch("ANALYZE task, welfare_call")
    for sql, arguments, index in PLANS:
        plan = "\n".join(r[0] for r in await given.fetch(f"EXPLAIN {sql}", *arguments))
        assert index in plan, plan


async def test_somebody_who_leaves_while_a_pass_is_planning_is_not_asked(
    given: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper = await volunteer(given)
    task_id = await open_task(given)
    read_candidates = volunteers.candidates

    async def read_candidates_just_before_one_leaves(
        connection: Connection, wants: set[Want]
    ) -> list[Candidate]:
        found = await read_candidates(connection, wants)
        assert (await given.http.post(f"/v1/volunteers/{helper}/leave")).status_code == 200
        return found

    monkeypatch.setattr(volunteers, "candidates", read_candidates_just_before_one_leaves)
    assert await given.run("match") == 0
    assert (await task(given, task_id))["state"] == "open"


async def test_every_gauge_can_be_read(given: Harness) -> None:
    await given.deliver(assigned(), enquiry())
    await open_task(given)
    await sample(given.transactions, given.service.samples)
    read = REGISTRY.get_sample_value
    assert read("bdcan_welfare_calls", {"state": "due"}) == 1
    assert (
        read("bdcan_welfare_call_due_timestamp_seconds", {"hub": "thames"}) == START.timestamp() + 48 * 3600
    )
    assert read("bdcan_tasks", {"kind": "errand", "state": "open"}) == 1
    assert read("bdcan_volunteers", {"state": "enquired"}) == 1
    assert read("bdcan_volunteer_welcome_due_timestamp_seconds") == START.timestamp() + 48 * 3600


async def test_an_open_round_without_hub_or_time_cannot_be_written(given: Harness) -> None:
    await given.deliver(assigned())
    with pytest.raises(asyncpg.CheckViolationError):
        await given.fetch("UPDATE welfare_call SET due_at = NULL")
    with pytest.raises(asyncpg.CheckViolationError):
        await given.fetch("UPDATE welfare_call SET ended = true")
