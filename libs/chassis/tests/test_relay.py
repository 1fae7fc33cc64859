"""The relay on a real broker: committed events reach Kafka in order per key, whatever breaks."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import Iterable
from contextlib import AsyncExitStack
from typing import NamedTuple
from uuid import UUID, uuid4

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from ledger import Written
from pydantic import SecretStr
from waiting import running, until, until_true

from bdcan_chassis import kafka
from bdcan_chassis import relay as relay_module
from bdcan_chassis.ids import new_id
from bdcan_chassis.relay import Relay
from bdcan_chassis.settings import ServiceSettings
from bdcan_chassis.testing.harness import Harness
from bdcan_chassis.transaction import pack_headers
from bdcan_chassis.wake import Wakes


class Sent(NamedTuple):
    """A record on the topic."""

    key: bytes
    event_id: bytes
    body: bytes


class Stage:
    """The toy service's outbox, and the topic that it writes to."""

    def __init__(self, ledger: Harness, broker, topic: str) -> None:
        self.ledger, self.broker, self.topic = ledger, broker, topic
        self.settings: ServiceSettings = ledger.service.settings.model_copy(
            update={
                "kafka_bootstrap": broker.bootstrap,
                "kafka_username": broker.username,
                "kafka_password": SecretStr(broker.password),
            }
        )
        self.wakes = Wakes()

    def relay(self, traffic_class: str = "normal") -> Relay:
        return Relay(traffic_class, self.ledger.service.name, self.settings, self.wakes)

    async def put(
        self,
        keys: Iterable[UUID | str],
        body: bytes = b"{}",
        *,
        traffic_class: str = "normal",
        topic: str = "",
    ) -> list[bytes]:
        """Rows in the outbox, written past the Tx so that a test chooses traffic_class, topic and size; returns their ids."""
        ids = []
        rows = []
        for key in keys:
            event_id = new_id()
            ids.append(str(event_id).encode())
            headers = pack_headers([("ce_id", ids[-1])])
            rows.append((traffic_class, event_id, topic or self.topic, str(key).encode(), headers, body))
        async with self.ledger.transactions.pool.acquire() as connection:
            await connection.executemany(
                "INSERT INTO chassis.outbox (traffic_class, id, topic, record_key, headers, body) VALUES ($1, $2, $3, $4, $5, $6)",
                rows,
            )
        self.wakes.all()
        return ids

    async def pending(self, traffic_class: str = "normal") -> int:
        [row] = await self.ledger.fetch(
            "SELECT count(*) AS n FROM chassis.outbox WHERE traffic_class = $1", traffic_class
        )
        return row["n"]

    async def emptied(self, traffic_class: str = "normal", seconds: float = 40) -> None:
        async def empty() -> bool:
            return await self.pending(traffic_class) == 0

        await until(empty, seconds)

    async def sent(self) -> list[Sent]:
        """All that is on the topic now, in the order of each partition."""
        consumer = AIOKafkaConsumer(**self.broker.client_options(), enable_auto_commit=False)
        await consumer.start()
        try:
            places = [TopicPartition(self.topic, p) for p in range(3)]
            consumer.assign(places)
            await consumer.seek_to_beginning(*places)
            ends = await consumer.end_offsets(places)
            found: dict[TopicPartition, list[Sent]] = {p: [] for p in places}
            while any([await consumer.position(p) < ends[p] for p in places]):
                for place, batch in (await consumer.getmany(timeout_ms=200)).items():
                    for r in batch:
                        assert r.key is not None
                        assert r.value is not None
                        found[place].append(Sent(r.key, dict(r.headers)["ce_id"], r.value))
            return [s for p in places for s in found[p]]
        finally:
            await consumer.stop()


def firsts(sent: list[Sent]) -> dict[bytes, list[bytes]]:
    """Event ids by key, in order, as a consumer sees them that drops what it knows."""
    seen: set[bytes] = set()
    listed: dict[bytes, list[bytes]] = {}
    for s in sent:
        if s.event_id not in seen:
            seen.add(s.event_id)
            listed.setdefault(s.key, []).append(s.event_id)
    return listed


def by_key(keys: list[UUID], ids: list[bytes]) -> dict[bytes, list[bytes]]:
    listed: dict[bytes, list[bytes]] = {}
    for key, event_id in zip(keys, ids, strict=True):
        listed.setdefault(str(key).encode(), []).append(event_id)
    return listed


@pytest.fixture
async def stage(ledger: Harness, kafka_broker) -> Stage:
    topic = f"entries-{secrets.token_hex(4)}"
    await kafka_broker.create_topics({topic: 3})
    return Stage(ledger, kafka_broker, topic)


async def test_connection_that_never_comes_about_is_given_up_and_made_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    connects, hung = AIOKafkaProducer.start, asyncio.Event()

    async def hangs_once(producer: AIOKafkaProducer) -> None:
        if not hung.is_set():
            hung.set()
            await asyncio.Event().wait()
        await connects(producer)

    monkeypatch.setattr(AIOKafkaProducer, "start", hangs_once)
    monkeypatch.setattr(kafka, "START_SECONDS", 1.0)
    await stage.put([uuid4()])
    async with running(stage.relay().run):
        await stage.emptied()
    assert hung.is_set()


async def test_many_events_are_each_sent_once_in_order_per_key(
    stage: Stage,
) -> None:
    keys = [uuid4() for _ in range(20)] * 150
    ids = await stage.put(keys)
    async with running(stage.relay().run):
        await stage.emptied()
        more = await stage.put(keys[:40])
        await stage.emptied()
    sent = await stage.sent()
    assert len(sent) == 3040
    assert firsts(sent) == by_key(keys + keys[:40], ids + more)


async def test_events_that_fill_a_batch_are_all_sent_in_order(
    stage: Stage,
) -> None:
    keys, ids = [uuid4(), uuid4()], []
    for size in (200_000, 10, 200_000, 200_000, 10, 500_000, 10, 200_000, 200_000, 200_000):
        ids += await stage.put(keys, secrets.token_bytes(size))
    async with running(stage.relay().run):
        await stage.emptied()
    sent = await stage.sent()
    assert len(sent) == 20
    assert firsts(sent) == by_key(keys * 10, ids), "a small one must not overtake one that did not fit"


async def test_round_of_large_bodies_is_small_but_never_empty(
    stage: Stage,
) -> None:
    await stage.put([uuid4()] * 5, secrets.token_bytes(400_000))
    for most, taken in ((1_000_000, 3), (400_000, 1), (1, 1), (10_000_000, 5)):
        rows = await stage.ledger.fetch(relay_module._UNSENT, "normal", relay_module.ROUND, most, [])
        assert len(rows) == taken
        assert [r["seq"] for r in rows] == sorted(r["seq"] for r in rows)


async def test_committed_event_is_sent_as_it_was_written(ledger: Harness, stage: Stage) -> None:
    account = uuid4()
    stage.topic = ledger.service.catalogue.topics[1].name
    await stage.broker.create_topics({stage.topic: 3})
    async with ledger.transactions.begin() as tx:
        event_id = tx.emit(Written(account_id=account, number=7))
    async with running(stage.relay().run):
        await stage.emptied()
    assert await stage.sent() == [
        (
            str(account).encode(),
            str(event_id).encode(),
            b'{"account_id":"%s","number":7}' % str(account).encode(),
        )
    ]


async def test_crash_between_send_and_delete_resends_only_the_same_ids(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [uuid4() for _ in range(4)] * 5
    ids = await stage.put(keys)
    with monkeypatch.context() as crash:
        crash.setattr(
            relay_module, "_SENT", "SELECT pg_terminate_backend(pg_backend_pid()), $1::text, $2::bigint[]"
        )
        async with running(stage.relay().run):

            async def twice() -> bool:
                return len(await stage.sent()) >= 40

            await until(twice)
    assert await stage.pending() == 20
    more = await stage.put(keys[:4])
    async with running(stage.relay().run):
        await stage.emptied()
    sent = await stage.sent()
    assert firsts(sent) == by_key(keys + keys[:4], ids + more)
    again = Counter(s.event_id for s in sent)
    assert set(again) == {*ids, *more}
    assert all(again[i] == 1 for i in more)
    bodies = {s.event_id: s for s in sent}
    assert all(bodies[s.event_id] == s for s in sent), "the second is the first, byte for byte"


async def test_relay_survives_a_killed_broker_and_loses_nothing(
    stage: Stage,
) -> None:
    keys = [uuid4() for _ in range(5)] * 20
    ids = await stage.put(keys)
    async with AsyncExitStack() as survivors:
        async with running(stage.relay().run):
            await stage.emptied()
            await survivors.enter_async_context(running(stage.relay().run, 60))
            await stage.broker.stop(kill=True)
            more = await stage.put(keys)
            await until_true(lambda: not stage.wakes.of("outbox:normal").is_set())  # it has begun to send
        try:
            assert await stage.pending() == 100, "one that stops meanwhile takes nothing with it"
        finally:
            await stage.broker.start()
        await stage.emptied(seconds=60)
    assert firsts(await stage.sent()) == by_key(keys + keys, ids + more)


async def test_lower_number_that_commits_later_is_sent_too(stage: Stage) -> None:
    async with running(stage.relay().run), stage.ledger.transactions.pool.acquire() as slow:
        late = slow.transaction()
        await late.start()
        late_id = new_id()
        await slow.execute(
            "INSERT INTO chassis.outbox (traffic_class, id, topic, record_key, headers, body) VALUES ('normal', $1, $2, 'late', $3, '')",
            late_id,
            stage.topic,
            pack_headers([("ce_id", str(late_id).encode())]),
        )
        ids = await stage.put(["early"] * 3)
        await stage.emptied()
        await late.commit()
        stage.wakes.all()
        await stage.emptied()
    assert firsts(await stage.sent()) == {b"early": ids, b"late": [str(late_id).encode()]}


async def test_blocked_lane_does_not_delay_the_other(
    stage: Stage,
) -> None:
    await stage.put(["a"], traffic_class="bulk", topic=f"there-is-no-such-topic-{secrets.token_hex(4)}")
    async with running(stage.relay("bulk").run, 12), running(stage.relay("urgent").run):
        ids = await stage.put(["u"] * 3, traffic_class="urgent")
        await stage.emptied("urgent")
        assert await stage.pending("bulk") == 1
        await stage.ledger.fetch("DELETE FROM chassis.outbox WHERE traffic_class = 'bulk'")
    assert firsts(await stage.sent()) == {b"u": ids}


async def test_topic_that_is_missing_holds_up_no_other(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay_module, "_ABSENT_SECONDS", 1.0)
    missing, keys = f"{stage.topic}.{secrets.token_hex(3)}", [uuid4() for _ in range(5)]
    held = await stage.put(keys, topic=missing)
    await stage.put(keys)
    async with running(stage.relay().run):

        async def only_those_are_left() -> bool:
            return await stage.pending() == len(held)

        await until(only_those_are_left, 20)
        await stage.put(keys)
        await until(only_those_are_left, 20)
        await stage.broker.create_topics({missing: 3})
        await stage.emptied()
    stage.topic = missing
    assert sorted(s.event_id for s in await stage.sent()) == sorted(held)


async def test_second_relay_takes_over_in_order_from_a_cut_off_leader(
    stage: Stage,
) -> None:
    keys = [uuid4() for _ in range(5)] * 40

    async def leaders() -> list[int]:
        rows = await stage.ledger.fetch(
            "SELECT pid FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE locktype = 'advisory' AND granted"
            " AND application_name = $1",
            f"bdcan.{stage.ledger.service.name}.relay.normal",
        )
        return [r["pid"] for r in rows]

    async with running(stage.relay().run), running(stage.relay().run):
        [leader] = await until(leaders)
        ids = await stage.put(keys)
        await stage.ledger.fetch("SELECT pg_terminate_backend($1)", leader)
        ids += await stage.put(keys)

        async def successor() -> bool:
            return await leaders() not in ([], [leader])

        await until(successor)
        assert len(await leaders()) == 1
        await stage.emptied()
    assert firsts(await stage.sent()) == by_key(keys + keys, ids)
    assert await leaders() == []


async def test_relay_opens_a_new_session_when_its_session_ends(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids, fetch, lost = await stage.put([uuid4()]), asyncpg.Connection.fetch, []

    async def fetch_too_late(self, sql: str, *arguments, **more):
        if sql is relay_module._UNSENT and not lost:
            lost.append(self)
            self.terminate()
            raise asyncpg.InternalClientError(
                "cannot switch to state 11; another operation (2) is in progress"
            )
        return await fetch(self, sql, *arguments, **more)

    monkeypatch.setattr(asyncpg.Connection, "fetch", fetch_too_late)
    async with running(stage.relay().run):
        await stage.emptied()
    assert len(lost) == 1
    assert [s.event_id for s in await stage.sent()] == ids


async def test_next_relay_finishes_the_work_of_a_stopped_one(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "ROUND", 10)
    keys = [uuid4() for _ in range(4)] * 100
    ids = await stage.put(keys)
    async with running(stage.relay().run):

        async def begun() -> bool:
            return await stage.pending() < 400

        await until(begun)
    left = await stage.pending()
    async with running(stage.relay().run):
        await stage.emptied()
    sent = await stage.sent()
    assert left > 0
    assert len(sent) == 400
    assert firsts(sent) == by_key(keys, ids)
