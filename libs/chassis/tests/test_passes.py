"""Planners and gateways: one runs at a time, a wake starts it at once, and it retries after a failure."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import uuid4

from ledger import Written
from waiting import running, until, until_true

from bdcan_chassis import metrics
from bdcan_chassis.passes import Gateway, Planner, plan_once, run_pass
from bdcan_chassis.testing.harness import Harness
from bdcan_chassis.transaction import Transactions, Tx
from bdcan_chassis.wake import Wakes

NEVER = timedelta(hours=1)


def run(ledger: Harness, work: Planner | Gateway, wakes: Wakes | None = None):
    return lambda stopping: run_pass(work, ledger.transactions, wakes or Wakes(), stopping)


async def test_planner_does_nothing_while_the_same_planner_runs_elsewhere(ledger: Harness) -> None:
    inside, leave, plans = asyncio.Event(), asyncio.Event(), 0

    async def plan(_tx: Tx) -> int:
        nonlocal plans
        plans += 1
        inside.set()
        await leave.wait()
        return 3

    planner, another = Planner("plan", plan), Planner("another", plan)
    first = asyncio.create_task(plan_once(planner, ledger.transactions))
    await inside.wait()
    async with asyncio.timeout(10):
        assert await plan_once(planner, ledger.transactions) == 0
    assert plans == 1
    leave.set()
    assert await plan_once(another, ledger.transactions) == 3, "the lock is the planner's own"
    assert await first == 3
    assert await plan_once(planner, ledger.transactions) == 3, "and it is given back"


async def test_commit_wakes_a_sleeping_pass(
    ledger: Harness,
) -> None:
    passes = 0

    async def call(_transactions: Transactions) -> int:
        nonlocal passes
        passes += 1
        return 0

    wakes = Wakes()
    dsn = ledger.service.settings.database_url.get_secret_value()
    async with (
        running(lambda stopping: wakes.listen(dsn, "test.listen", stopping)),
        running(run(ledger, Gateway("gate", call, NEVER), wakes)),
    ):
        await until_true(lambda: passes == 2)  # once by itself, once because the listener has come
        async with ledger.transactions.begin() as tx:
            tx.wake("another")
        async with ledger.transactions.begin() as tx:
            tx.wake("gate")
        await until_true(lambda: passes > 2)
        assert passes == 3


async def test_listener_that_reconnects_wakes_every_pass(
    ledger: Harness,
) -> None:
    wakes = Wakes()
    dsn = ledger.service.settings.database_url.get_secret_value()

    async def listeners() -> list[int]:
        rows = await ledger.fetch("SELECT pid FROM pg_stat_activity WHERE application_name = 'test.lost'")
        return [r["pid"] for r in rows]

    waiting = wakes.of("pass:something")
    async with running(lambda stopping: wakes.listen(dsn, "test.lost", stopping)):
        await until_true(waiting.is_set)
        waiting.clear()
        [pid] = await until(listeners)
        await ledger.fetch("SELECT pg_terminate_backend($1)", pid)
        await until_true(waiting.is_set)
        await until(listeners)


async def test_pass_that_made_progress_runs_again_by_itself(
    ledger: Harness,
) -> None:
    left = 5

    async def call(_transactions: Transactions) -> int:
        nonlocal left
        left -= 1
        return max(left, 0)

    async with running(run(ledger, Gateway("gate", call, NEVER))):
        await until_true(lambda: left == 0)


async def test_failed_pass_is_rolled_back_and_retried(
    ledger: Harness,
) -> None:
    tries = 0

    async def plan(tx: Tx) -> int:
        nonlocal tries
        tries += 1
        tx.emit(Written(account_id=uuid4(), number=tries))
        await tx.connection.execute("INSERT INTO account VALUES ($1, '{}')", uuid4())
        if tries < 3:
            await tx.flush()
            raise ZeroDivisionError
        return 0

    failures = metrics.PASS_FAILURES.labels("failing")
    before = failures._value.get()
    async with running(run(ledger, Planner("failing", plan, NEVER))):
        await until_true(lambda: tries == 3)
    assert [e.data.number for e in await ledger.emitted()] == [3]
    assert len(await ledger.fetch("SELECT 1 FROM account")) == 1
    assert failures._value.get() == before + 2
