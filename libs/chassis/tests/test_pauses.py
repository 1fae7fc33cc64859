"""A paused loop stands still in each worker, until the pause ends; a restart ends none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from ledger import Faults, ledger_catalogue, ledger_service
from prometheus_client import REGISTRY
from pydantic import SecretStr
from test_outage import Stage as Sender
from waiting import running, until, until_true

from bdcan_chassis.cli import main
from bdcan_chassis.consumer import ConsumerLoop
from bdcan_chassis.dispatch import Dispatcher, ParkLimit
from bdcan_chassis.passes import Planner
from bdcan_chassis.pauses import Pauses, loops_of
from bdcan_chassis.service import Service
from bdcan_chassis.testing.harness import START, Harness
from bdcan_chassis.transaction import Transactions, Tx
from bdcan_chassis.wake import Wakes
from bdcan_chassis.worker import consumer_check, parts_of


async def say(service: Service, *words: str) -> int:
    return await asyncio.to_thread(main, lambda: service, list(words))


@dataclass
class Stage:
    """The toy service with a planner, on real Kafka; a test starts as many workers as it wants."""

    ledger: Harness
    service: Service
    broker: Any
    plans: list[int]

    async def pause(self, loop: str, lasts: str = "30m", *more: str) -> int:
        return await say(
            self.service, "pause", loop, "--for", lasts, "--reason", "a test", "--actor", "kim", *more
        )

    async def resume(self, loop: str) -> int:
        return await say(self.service, "resume", loop, "--actor", "kim")

    @asynccontextmanager
    async def worker(self) -> AsyncIterator[ConsumerLoop]:
        """All parts of a worker that a pause is about, in this process."""
        parts, [loop] = parts_of(self.service, self.transactions, Wakes())
        async with AsyncExitStack() as stack:
            for name, part in parts.items():
                if name not in {"watchdog", "heartbeat", "lag"}:
                    await stack.enter_async_context(running(part))
            yield loop

    @property
    def transactions(self) -> Transactions:
        name, catalogue = self.service.name, self.service.catalogue
        return replace(self.ledger.transactions, service=name, catalogue=catalogue)

    @property
    def sender(self) -> Sender:
        return Sender(self.ledger, self.service.catalogue, self.broker, None)  # type: ignore[arg-type]

    async def numbers(self, account: UUID) -> Sequence[int]:
        rows = await self.ledger.fetch("SELECT numbers FROM account WHERE id = $1", account)
        return rows[0]["numbers"] if rows else []

    async def members(self) -> int:
        """How many members the consumer group has."""
        admin = AIOKafkaAdminClient(**self.broker.client_options())
        await admin.start()
        try:
            answers: Any = await admin.describe_consumer_groups([f"bdcan.{self.service.name}.numbers"])
            return len(answers[0].groups[0][5])
        finally:
            await admin.close()


@pytest.fixture
async def stage(ledger: Harness, shared_faults: Faults, kafka_broker) -> Stage:
    await ledger.owner.execute("TRUNCATE chassis.pause")
    catalogue = ledger_catalogue()
    await kafka_broker.create_topics({topic.name: 3 for topic in catalogue.topics})
    settings = ledger.service.settings.model_copy(
        update={
            "kafka_bootstrap": kafka_broker.bootstrap,
            "kafka_username": kafka_broker.username,
            "kafka_password": SecretStr(kafka_broker.password),
        }
    )
    plans: list[int] = []

    async def plan(_tx: Tx) -> int:
        plans.append(1)
        return 0

    service = replace(
        ledger_service(settings, catalogue, shared_faults),
        planners=(Planner("plan", plan, timedelta(milliseconds=20)),),
        urgent_loops=frozenset({"relay:normal"}),
    )
    return Stage(ledger, service, kafka_broker, plans)


def gauge(loop: str, urgent: str = "no") -> float | None:
    return REGISTRY.get_sample_value("bdcan_loop_paused", {"loop": loop, "urgent": urgent})


async def test_paused_consumer_stays_in_its_group_and_goes_on_where_it_stood(stage: Stage) -> None:
    account = uuid4()
    async with stage.worker() as loop:
        await stage.sender.send([account], [0, 1])
        await until(lambda: _is(stage.numbers(account), [0, 1]))
        assert await stage.pause("consumer:numbers") == 0
        await until_true(lambda: loop.progress.state == "paused" and gauge("consumer:numbers") == 1)
        assert await consumer_check(loop)() is None
        await stage.sender.send([account], [2, 3])
        polled = loop.progress.polled_at
        await until_true(lambda: loop.progress.polled_at > polled + 1.5)
        assert await stage.numbers(account) == [0, 1]
        assert await stage.members() == 1
        assert sum(end - position for position, end in (await loop.lag()).values()) == 2
        assert await stage.resume("consumer:numbers") == 0
        await until(lambda: _is(stage.numbers(account), [0, 1, 2, 3]))
        assert loop.progress.state == "running"
        await until_true(lambda: gauge("consumer:numbers") == 0)


async def test_restart_ends_no_pause_and_a_second_worker_knows_it(stage: Stage) -> None:
    account = uuid4()
    assert await stage.pause("consumer:numbers") == 0
    await stage.sender.send([account], [0])
    async with stage.worker() as first:
        await until_true(lambda: first.progress.state == "paused")
        async with stage.worker() as second:  # a rebalance assigns partitions anew
            await until(lambda: _is(stage.members(), 2))
            await until_true(lambda: second.progress.state == "paused" and second._consumer.assignment())  # type: ignore[union-attr]
            polled = first.progress.polled_at, second.progress.polled_at
            await until_true(lambda: first.progress.polled_at > polled[0] + 1)
            await until_true(lambda: second.progress.polled_at > polled[1] + 1)
            assert await stage.numbers(account) == []
            await stage.resume("consumer:numbers")
            await until(lambda: _is(stage.numbers(account), [0]))


async def test_pause_ends_by_itself(stage: Stage) -> None:
    account = uuid4()
    assert await stage.pause("consumer:numbers", "2s") == 0
    async with stage.worker() as loop:
        await stage.sender.send([account], [0])
        await until_true(lambda: loop.progress.state == "paused")
        await until(lambda: _is(stage.numbers(account), [0]))
    assert await stage.resume("consumer:numbers") == 1, "it was not paused any more"


async def test_paused_relay_sends_nothing_and_keeps_all(stage: Stage) -> None:
    account = uuid4()
    assert await stage.pause("relay:normal", "10m", "--although-urgent") == 0
    async with stage.worker() as loop:
        await stage.sender.send([account], [0])
        await until(lambda: _is(stage.numbers(account), [0]))
        await until_true(lambda: gauge("relay:normal", "yes") == 1)
        polled = loop.progress.polled_at
        await until_true(lambda: loop.progress.polled_at > polled + 2)  # a relay looks each second
        assert len(await stage.ledger.fetch("SELECT FROM chassis.outbox")) == 1
        assert REGISTRY.get_sample_value("bdcan_relay_leader", {"traffic_class": "normal"}) == 1
        await stage.resume("relay:normal")
        await until(lambda: _is(stage.ledger.fetch("SELECT FROM chassis.outbox"), []))


async def test_paused_deadlines_fire_late_and_not_never(stage: Stage) -> None:
    subject = uuid4()
    assert await stage.pause("deadlines") == 0
    async with stage.ledger.transactions.begin() as tx:
        tx.set_deadline("ring", subject, START)
    async with stage.worker():
        await until_true(lambda: gauge("deadlines") == 1)
        await until_true(lambda: len(stage.plans) > 5)
        assert await stage.ledger.fetch("SELECT FROM rung") == []
        await stage.resume("deadlines")
        await until(lambda: stage.ledger.fetch("SELECT FROM rung"))


async def test_paused_planner_plans_nothing(stage: Stage) -> None:
    async with stage.worker():
        await until_true(lambda: stage.plans)
        await stage.pause("pass:plan")
        await until_true(lambda: gauge("pass:plan") == 1)
        planned = len(stage.plans)
        account = uuid4()
        await stage.sender.send([account], [0])
        await until(lambda: _is(stage.numbers(account), [0]))
        assert len(stage.plans) <= planned + 1, "a pass that had begun ends"
        await stage.resume("pass:plan")
        await until_true(lambda: len(stage.plans) > planned + 1)


async def test_paused_housekeeping_deletes_nothing_and_reads_all_gauges(stage: Stage) -> None:
    await stage.pause("housekeeping")
    old = "INSERT INTO chassis.inbox VALUES ('numbers', $1, now() - interval '300 days')"
    await stage.ledger.owner.execute(old, uuid4())
    before = REGISTRY.get_sample_value("bdcan_sample_timestamp_seconds") or 0
    async with stage.worker():
        await until_true(lambda: (REGISTRY.get_sample_value("bdcan_sample_timestamp_seconds") or 0) > before)
        assert len(await stage.ledger.fetch("SELECT FROM chassis.inbox")) == 1


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("consumer:names",), "no loop 'consumer:names'; it has consumer:numbers, relay:normal, deadlines"),
        (("relay:normal",), "the safety of people depends on relay:normal"),
        (("relay:normal", "--although-urgent", "--for", "16m"), "lasts 0:15:00 at most"),
        (("deadlines", "--for", "25h"), "lasts 1 day, 0:00:00 at most"),
        (("deadlines", "--for", "0m"), "has an end"),
    ],
)
async def test_pause_that_may_not_be_is_refused(
    stage: Stage, words: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await say(stage.service, "pause", *words, "--reason", "a test") == 2
    assert says in capsys.readouterr().err
    assert await stage.ledger.fetch("SELECT FROM chassis.pause") == []


@pytest.mark.parametrize("words", [("--for", "soon"), ("--for", "5d"), ("--for", ""), ()])
async def test_pause_without_a_reason_or_with_an_unreadable_end_is_refused(
    stage: Stage, words: tuple[str, ...]
) -> None:
    reason = ("--reason", "a test") if words else ()
    with pytest.raises(SystemExit, match="2"):
        await say(stage.service, "pause", "deadlines", *words, *reason)


async def test_audit_knows_who_paused_and_resumed_what(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    await stage.pause("deadlines", "10m")
    await stage.pause("deadlines", "20m")
    capsys.readouterr()
    await say(stage.service, "loops")
    shown = capsys.readouterr().out
    assert f"{stage.service.name}  relay:normal  urgent  runs" in shown
    assert "by kim: a test" in shown
    await stage.resume("deadlines")
    rows = await stage.ledger.fetch(
        "SELECT act, actor, subject_id, detail, reason FROM chassis.audit ORDER BY seq"
    )
    assert [(row["act"], row["actor"]) for row in rows] == [
        ("loop-paused", "kim"),
        ("loop-paused", "kim"),
        ("loop-resumed", "kim"),
    ]
    assert len({row["subject_id"] for row in rows}) == 1
    assert rows[0]["reason"] == "a test"
    assert '"loop": "deadlines"' in rows[0]["detail"]


async def test_all_loops_stand_still_until_pauses_are_known(stage: Stage) -> None:
    pauses, stopping = Pauses(), asyncio.Event()
    assert all(pauses.of(loop).closed for loop in loops_of(stage.service))
    dispatcher = Dispatcher(stage.service.consumers[0], stage.transactions, ParkLimit(50, 0.5))
    loop = ConsumerLoop(dispatcher, stage.service.settings, stage.service.name, pauses)
    waiting = asyncio.create_task(loop.run(stopping))
    for _ in range(3):
        await asyncio.sleep(0)  # it begins
    assert loop.progress.state == "starting"
    follow = asyncio.create_task(
        pauses.follow(stage.ledger.transactions.pool, Wakes(), (), frozenset(), stopping)
    )
    await until_true(lambda: loop.progress.state == "running")
    assert not any(pauses.of(loop).closed for loop in loops_of(stage.service))
    stopping.set()
    await asyncio.gather(waiting, follow)


async def _is(asked: Any, wanted: Any) -> bool:
    return await asked == wanted
