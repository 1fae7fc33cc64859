"""Deadlines are rows that fire once when they are due, whatever happens meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from ledger import Faults
from waiting import running, until, until_true

from bdcan_chassis import deadlines
from bdcan_chassis.deadlines import DeadlineHandler, Deadlines, Due
from bdcan_chassis.testing.harness import START, Harness
from bdcan_chassis.transaction import Tx
from bdcan_chassis.wake import Wakes

HOUR = timedelta(hours=1)


async def promise(ledger: Harness, *subjects: UUID, after: timedelta = HOUR) -> None:
    async with ledger.transactions.begin() as tx:
        for subject in subjects:
            tx.set_deadline("ring", subject, START + after)


async def rung(ledger: Harness) -> list[UUID]:
    return [r["subject"] for r in await ledger.fetch("SELECT subject FROM rung ORDER BY subject")]


def runner(ledger: Harness, wakes: Wakes | None = None, **handlers: DeadlineHandler) -> Deadlines:
    return Deadlines(
        handlers or ledger.service.deadlines, ledger.transactions, ledger.service.settings, wakes or Wakes()
    )


async def test_deadline_fires_once_when_due(
    ledger: Harness,
) -> None:
    subject = uuid4()
    await promise(ledger, subject)
    ledger.clock.advance(HOUR - timedelta(microseconds=1))
    assert await ledger.fire() == 0
    assert await rung(ledger) == []
    ledger.clock.advance(timedelta(microseconds=1))
    assert await ledger.fire() == 1
    assert await ledger.fire() == 0
    assert await rung(ledger) == [subject]
    assert await ledger.deadlines() == {}


async def test_last_set_or_cancel_of_a_deadline_wins(
    ledger: Harness,
) -> None:
    moved, gone = sorted((uuid4(), uuid4()))
    await promise(ledger, moved, gone)
    await promise(ledger, moved, after=2 * HOUR)
    async with ledger.transactions.begin() as tx:
        tx.set_deadline("ring", gone, START)
        tx.cancel_deadline("ring", gone)
        tx.cancel_deadline("ring", uuid4())
    ledger.clock.advance(HOUR)
    assert await ledger.fire() == 0
    ledger.clock.advance(HOUR)
    assert await ledger.fire() == 1
    assert await rung(ledger) == [moved]


@pytest.mark.parametrize("act", ["cancelled", "moved"])
async def test_deadline_cancelled_while_it_fires_has_no_effect(ledger: Harness, act: str) -> None:
    subject = uuid4()
    await promise(ledger, subject)
    ledger.clock.advance(HOUR)
    async with ledger.transactions.begin() as tx:
        if act == "cancelled":
            tx.cancel_deadline("ring", subject)
        else:
            tx.set_deadline("ring", subject, START + 5 * HOUR)
        await tx.flush()  # the row is locked from here until the commit
        firing = asyncio.create_task(runner(ledger).fire())
        await ledger.until_blocked()
    assert await firing == 1, "it looks again at once"
    assert await rung(ledger) == []
    assert await ledger.fire() == 0
    ledger.clock.advance(5 * HOUR)
    assert await ledger.fire() == (1 if act == "moved" else 0)
    assert await rung(ledger) == ([subject] if act == "moved" else [])


async def test_cancelled_deadline_does_not_stop_the_others(
    ledger: Harness,
) -> None:
    subjects = sorted(uuid4() for _ in range(5))
    await promise(ledger, *subjects)
    ledger.clock.advance(HOUR)
    async with ledger.transactions.begin() as tx:
        tx.cancel_deadline("ring", subjects[2])
        await tx.flush()
        firing = asyncio.create_task(ledger.fire())
        await ledger.until_blocked()
    await firing
    assert await rung(ledger) == subjects[:2] + subjects[3:]


async def test_failing_deadline_backs_off_and_the_others_fire(
    ledger: Harness,
) -> None:
    subjects = sorted(uuid4() for _ in range(4))
    bad = subjects[1]

    async def ring(due: Sequence[Due], tx: Tx) -> None:
        if any(d.subject == bad for d in due):
            raise ZeroDivisionError("0700 \x00")
        await tx.connection.executemany(
            "INSERT INTO rung VALUES ($1, $2)", [(d.subject, d.due_at) for d in due]
        )

    await promise(ledger, *subjects)
    ledger.clock.advance(HOUR)
    firing = runner(ledger, ring=ring)
    assert await firing.fire() == 3
    assert await rung(ledger) == [s for s in subjects if s != bad]
    waits = []
    for attempt in range(1, 13):
        [row] = await ledger.fetch("SELECT subject, due_at, failures, last_error FROM chassis.deadline")
        assert (row["subject"], row["failures"]) == (bad, attempt)
        assert row["last_error"].startswith("ZeroDivisionError")
        waits.append(row["due_at"] - ledger.clock.now())
        assert await firing.fire() == 0, "not before its time"
        ledger.clock.instant = row["due_at"]
        await firing.fire()
    assert waits[:3] == [timedelta(seconds=s) for s in (1, 2, 4)]
    assert waits == sorted(waits)
    assert waits[-1] == timedelta(minutes=15)


async def test_failing_deadline_that_is_alone_is_tried_once(
    ledger: Harness,
) -> None:
    tried = []

    async def ring(due: Sequence[Due], tx: Tx) -> None:
        tried.extend(due)
        raise ZeroDivisionError

    await promise(ledger, uuid4())
    ledger.clock.advance(HOUR)
    assert await runner(ledger, ring=ring).fire() == 0
    assert len(tried) == 1


async def test_deadline_set_again_forgets_its_failures(ledger: Harness, shared_faults: Faults) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    subject = uuid4()
    await promise(ledger, subject)
    ledger.clock.advance(HOUR)
    shared_faults.before_write = fail
    await ledger.fire()
    await promise(ledger, subject, after=2 * HOUR)
    [row] = await ledger.fetch("SELECT failures, last_error FROM chassis.deadline")
    assert tuple(row) == (0, None)


async def test_transient_failure_is_retried_and_not_counted(ledger: Harness, shared_faults: Faults) -> None:
    def fail() -> None:
        raise asyncpg.SerializationError("could not serialize")

    subject = uuid4()
    await promise(ledger, subject)
    ledger.clock.advance(HOUR)
    shared_faults.before_write = fail
    with pytest.raises(asyncpg.SerializationError):
        await ledger.fire()
    assert await ledger.deadlines() == {("ring", subject): START + HOUR}
    shared_faults.before_write = None
    assert await ledger.fire() == 1


async def test_handler_can_set_its_own_deadline_again(
    ledger: Harness,
) -> None:
    async def ring(due: Sequence[Due], tx: Tx) -> None:
        for d in due:
            tx.set_deadline(d.kind, d.subject, d.due_at + HOUR)
            tx.set_deadline("other", d.subject, d.due_at + HOUR)

    subject = uuid4()
    await promise(ledger, subject)
    ledger.clock.advance(HOUR)
    firing = runner(ledger, ring=ring)
    assert await firing.fire() == 1
    assert await firing.fire() == 0
    assert await ledger.deadlines() == {
        ("ring", subject): START + 2 * HOUR,
        ("other", subject): START + 2 * HOUR,
    }


async def test_earliest_deadlines_fire_first_and_all_fire(
    ledger: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deadlines, "ROUND", 4)
    subjects = [uuid4() for _ in range(10)]
    for place, subject in enumerate(subjects):
        await promise(ledger, subject, after=timedelta(minutes=place))
    ledger.clock.advance(HOUR)
    firing = runner(ledger)
    for upto in (4, 8, 10):
        await firing.fire()
        assert await rung(ledger) == sorted(subjects[:upto])


async def test_unknown_kind_waits_and_blocks_nobody(
    ledger: Harness,
) -> None:
    subject = uuid4()
    await ledger.fetch(
        "INSERT INTO chassis.deadline (kind, subject, due_at) VALUES ('of-a-later-release', $1, $2)",
        subject,
        START + HOUR,
    )
    await promise(ledger, subject)
    ledger.clock.advance(HOUR)
    assert await ledger.fire() == 1
    rows = await ledger.fetch("SELECT kind, due_at, failures FROM chassis.deadline")
    assert [tuple(r) for r in rows] == [("of-a-later-release", START + HOUR, 0)]


async def test_deadline_fires_once_when_two_runners_lead(
    ledger: Harness,
) -> None:
    subjects = sorted(uuid4() for _ in range(50))
    await promise(ledger, *subjects)
    ledger.clock.advance(HOUR)
    await asyncio.gather(*(runner(ledger).fire() for _ in range(4)))
    await ledger.fire()
    assert await rung(ledger) == subjects


async def leaders(ledger: Harness) -> list[int]:
    rows = await ledger.fetch(
        "SELECT pid FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE locktype = 'advisory' AND granted"
        " AND application_name = $1",
        f"bdcan.{ledger.service.name}.deadlines",
    )
    return [r["pid"] for r in rows]


async def test_second_runner_takes_over_and_each_deadline_fires_once(
    ledger: Harness,
) -> None:
    first, second, wakes = Wakes(), Wakes(), (lambda: (first.all(), second.all()))

    async def handler(due: Sequence[Due], tx: Tx) -> None:
        await ledger.service.deadlines["ring"](due, tx)

    one, other = runner(ledger, first, ring=handler), runner(ledger, second, ring=handler)
    async with running(one.run), running(other.run):
        [pid] = await until(lambda: leaders(ledger))
        early, late = sorted((uuid4(), uuid4()))
        await promise(ledger, early)
        ledger.clock.advance(HOUR)
        wakes()
        await until(lambda: rung(ledger))
        await ledger.fetch("SELECT pg_terminate_backend($1)", pid)

        async def another() -> Any:
            return [p for p in await leaders(ledger) if p != pid]

        await until(another)
        assert len(await leaders(ledger)) == 1
        await promise(ledger, late)
        wakes()

        async def both() -> bool:
            return await rung(ledger) == [early, late]

        await until(both)
    assert await leaders(ledger) == [], "a runner that stops gives the lock back"


async def test_deadlines_missed_while_nobody_ran_fire_at_the_start(
    ledger: Harness,
) -> None:
    subjects = sorted(uuid4() for _ in range(3))
    await promise(ledger, *subjects)
    ledger.clock.advance(30 * HOUR)
    async with running(runner(ledger).run):

        async def all_rung() -> bool:
            return await rung(ledger) == subjects

        await until(all_rung)


async def test_earlier_deadline_wakes_a_sleeping_runner(
    ledger: Harness,
) -> None:
    wakes = Wakes()
    dsn = ledger.service.settings.database_url.get_secret_value()
    subject = uuid4()
    async with (
        running(lambda stopping: wakes.listen(dsn, "test.listen", stopping)),
        running(runner(ledger, wakes).run),
    ):
        await until(lambda: leaders(ledger))
        await until_true(lambda: not wakes.of("deadlines").is_set())
        async with ledger.transactions.begin() as tx:
            tx.set_deadline("ring", subject, START)
        await until(lambda: rung(ledger), 5)  # by itself it would look again after 30 s
