"""What a running consumer survives: unreachable servers, and a record that its client cannot decode."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.record.util import calc_crc32c
from ledger import Added, Faults, Struck, ledger_catalogue, ledger_service
from pydantic import SecretStr
from waiting import running, until, until_true

from bdcan_chassis import consumer, metrics
from bdcan_chassis.consumer import ConsumerLoop
from bdcan_chassis.dispatch import Dispatcher, ParkLimit
from bdcan_chassis.ids import new_id
from bdcan_chassis.repairs import redeliver
from bdcan_chassis.subscription import Consumer, Reads
from bdcan_chassis.testing import wire
from bdcan_chassis.testing.harness import Harness
from bdcan_chassis.transaction import Tx
from bdcan_contracts.envelope import Catalogue, Record, encode_body, encode_headers


@dataclass
class Stage:
    """A consumer loop of the toy service in this process, on the real topic."""

    ledger: Harness
    catalogue: Catalogue
    broker: Any
    loop: ConsumerLoop

    async def send(self, accounts: Sequence[UUID], numbers: Sequence[int]) -> None:
        event_type = self.catalogue.of(Added)
        producer = AIOKafkaProducer(**self.broker.client_options(), acks="all")
        await producer.start()
        try:
            for number in numbers:
                for account in accounts:
                    headers = encode_headers(
                        event_type, new_id(), "bdcan.feeder", str(account), datetime.now(UTC), None
                    )
                    body = encode_body(Added(account_id=account, number=number))
                    await producer.send(
                        event_type.topics[0].name, body, key=str(account).encode(), headers=headers
                    )
            await producer.flush()
        finally:
            await producer.stop()

    async def send_with_header(self, account: UUID, number: int, name: bytes) -> None:
        """One record with a header under a name that no aiokafka producer would write."""
        event_type, written = self.catalogue.of(Added), "n" * len(name)
        headers = encode_headers(event_type, new_id(), "bdcan.feeder", str(account), datetime.now(UTC), None)
        producer = AIOKafkaProducer(**self.broker.client_options(), acks="all")
        await producer.start()
        try:
            batch = producer.create_batch()
            body = encode_body(Added(account_id=account, number=number))
            batch.append(
                timestamp=None, key=str(account).encode(), value=body, headers=[*headers, (written, b"")]
            )
            batch.close()
            built = bytearray(batch._build())
            at = built.index(written.encode())
            built[at : at + len(name)] = name
            built[17:21] = calc_crc32c(bytes(built[21:])).to_bytes(4, "big")  # as the message format has it
            batch._buffer = bytes(built)  # pyright: ignore[reportAttributeAccessIssue] # aiokafka has no door for it
            topic = event_type.topics[0].name
            partition = DefaultPartitioner()(str(account).encode(), [0, 1, 2], [0, 1, 2])
            await (await producer.send_batch(batch, topic, partition=partition))
        finally:
            await producer.stop()

    async def has(self, accounts: Sequence[UUID], numbers: Sequence[int], seconds: float = 60) -> None:
        async def check() -> bool:
            rows = await self.ledger.fetch("SELECT id, numbers FROM account")
            return {r["id"]: r["numbers"] for r in rows} == {a: list(numbers) for a in accounts}

        await until(check, seconds)

    async def committed(self) -> int:
        """Sum of the group's committed offsets."""
        consumer = AIOKafkaConsumer(
            **self.broker.client_options(), group_id=self.loop.group, enable_auto_commit=False
        )
        await consumer.start()
        try:
            topic = self.catalogue.topics[0].name
            return sum([await consumer.committed(TopicPartition(topic, p)) or 0 for p in range(3)])
        finally:
            await consumer.stop()


@pytest.fixture
async def stage(ledger: Harness, shared_faults: Faults, kafka_broker) -> Stage:
    """With topics and a consumer group of its own."""
    catalogue = ledger_catalogue()
    await kafka_broker.create_topics({catalogue.topics[0].name: 3})
    settings = ledger.service.settings.model_copy(
        update={
            "kafka_bootstrap": kafka_broker.bootstrap,
            "kafka_username": kafka_broker.username,
            "kafka_password": SecretStr(kafka_broker.password),
            "batch_records": 20,
        }
    )
    service = ledger_service(settings, catalogue, shared_faults)
    transactions = replace(ledger.transactions, service=service.name, catalogue=catalogue)
    dispatcher = Dispatcher(service.consumers[0], transactions, ParkLimit(50, 0.5))
    return Stage(ledger, catalogue, kafka_broker, ConsumerLoop(dispatcher, settings, service.name))


async def test_gathering_consumer_rests_after_a_small_batch_and_loses_nothing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer, "_GATHER_SECONDS", 3600.0)
    dispatcher, accounts = stage.loop._dispatcher, [uuid4()]
    dispatcher.consumer = replace(dispatcher.consumer, gathers=True)
    async with running(stage.loop.run):
        await stage.send(accounts, [0])
        await stage.has(accounts, [0])
        await stage.send(accounts, [1])
        await stage.send(accounts, [2])
    await stage.has(accounts, [0])
    async with running(stage.loop.run):
        await stage.has(accounts, range(3))


async def test_nothing_is_lost_when_database_and_broker_both_fail(stage: Stage, postgres_server) -> None:
    accounts = [uuid4() for _ in range(5)]
    blocked = metrics.BLOCKED.labels(stage.loop.name)
    async with running(stage.loop.run):
        await stage.send(accounts, range(10))
        await stage.has(accounts, range(10))
        await until_true(lambda: stage.loop.progress.state == "running")

        await postgres_server.stop()
        try:
            await stage.send(accounts, range(10, 30))
            await until_true(lambda: stage.loop.progress.state == "blocked")
            assert blocked._value.get() == 1
            assert metrics.RETRIES.labels(stage.loop.name)._value.get() >= 1
        finally:
            await postgres_server.start()
        await stage.has(accounts, range(30))
        await until_true(lambda: stage.loop.progress.state == "running")
        assert blocked._value.get() == 0

        await stage.broker.stop(kill=True)
        await stage.broker.start()
        await stage.send(accounts, range(30, 40))
        await stage.has(accounts, range(40))
    assert len(await stage.ledger.fetch("SELECT DISTINCT id FROM chassis.outbox")) == 200
    assert await stage.ledger.fetch("SELECT 1 FROM chassis.dead_letter") == [], "nobody's record was at fault"
    assert await stage.committed() == 200


async def test_loop_keeps_polling_while_offsets_cannot_be_committed(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer, "_POLL_MS", 2000)  # the next commit is then two seconds away
    monkeypatch.setattr(consumer, "_COMMIT_SECONDS", 3600)
    monkeypatch.setattr(consumer, "_COMMIT_PATIENCE_SECONDS", 0.1)
    accounts, progress = [uuid4()], stage.loop.progress
    async with running(stage.loop.run, 60):
        await stage.send(accounts, [1])
        await stage.has(accounts, [1])
        await stage.broker.stop(kill=True)
        try:
            for _ in range(3):
                polled_at = progress.polled_at
                await until_true(lambda before=polled_at: progress.polled_at > before)
        finally:
            await stage.broker.start()
        await until(stage.committed)
        assert await stage.committed() == 1


@pytest.mark.timeout(300)
async def test_loop_resumes_after_the_database_was_away_for_a_minute(stage: Stage, postgres_server) -> None:
    accounts = [uuid4() for _ in range(3)]
    async with running(stage.loop.run):
        await postgres_server.stop()
        away_since = time.monotonic()
        try:
            await stage.send(accounts, range(20))
            await until_true(lambda: stage.loop.progress.state == "blocked")
            await until_true(lambda: time.monotonic() - away_since > 60, 90)
            assert stage.loop.progress.state == "blocked", "it neither gives up nor skips"
            assert await stage.committed() == 0
        finally:
            await postgres_server.start()
        await stage.has(accounts, range(20))
    assert await stage.ledger.fetch("SELECT 1 FROM chassis.dead_letter") == []
    assert await stage.committed() == 60


async def test_loop_reports_blocked_until_the_broker_first_answers(
    stage: Stage,
) -> None:
    blocked, accounts = metrics.BLOCKED.labels(stage.loop.name), [uuid4()]
    await stage.send(accounts, range(5))
    await stage.broker.stop()
    try:
        async with running(stage.loop.run):
            await until_true(lambda: blocked._value.get() == 1)
            assert stage.loop.progress.state == "blocked"
            await stage.broker.start()
            await stage.has(accounts, range(5))
            assert blocked._value.get() == 0
    finally:
        await stage.broker.start()


async def test_undecodable_record_is_parked_by_position_and_the_loop_continues(
    stage: Stage,
) -> None:
    accounts = [uuid4() for _ in range(4)]
    await stage.send(accounts, range(5))
    await stage.send_with_header(accounts[0], 99, b"\xff\xfe")
    await stage.send(accounts, range(5, 10))
    async with running(stage.loop.run):
        await stage.has(accounts, range(10))
        await stage.send(accounts, range(10, 20))
        await stage.has(accounts, range(20))
    [letter] = await stage.ledger.fetch(
        "SELECT state, reason, record_offset, record_key FROM chassis.dead_letter"
    )
    assert (letter["state"], letter["reason"], letter["record_key"]) == ("parked", "bad-header", None)
    assert letter["record_offset"] >= 5
    assert await stage.committed() == 81


async def test_batch_that_unpacks_to_gigabytes_is_parked_by_position_and_the_loop_continues(
    stage: Stage,
) -> None:
    accounts = [uuid4() for _ in range(4)]
    await stage.send(accounts, range(5))
    topic = stage.catalogue.topics[0].name
    offset = await wire.send_batch(stage.broker.client_options(), topic, 1, wire.bomb("zstd", 500_000_000))
    await stage.send(accounts, range(5, 10))
    async with running(stage.loop.run):
        await stage.has(accounts, range(10))
    [letter] = await stage.ledger.fetch(
        "SELECT state, record_partition, record_offset, body FROM chassis.dead_letter"
    )
    assert (letter["state"], letter["record_partition"], letter["record_offset"]) == ("parked", 1, offset)
    assert not letter["body"]


async def test_redelivery_leaves_alone_what_outsiders_write(stage: Stage, shared_faults: Faults) -> None:
    async def answer(batch: Sequence[Record], tx: Tx) -> None:
        """Nothing."""

    numbers = stage.catalogue.topics[0]
    outside = Consumer("outside", (Reads(numbers, Added), Reads(numbers, Struck)), on_records=answer)
    service = replace(
        ledger_service(stage.loop._settings, stage.catalogue, shared_faults), consumers=(outside,)
    )
    await stage.send_with_header(uuid4(), 99, b"\xff\xfe")
    assert await redeliver(service, stage.ledger.transactions, uuid4(), "kim", "it is missing") == 0


async def test_loop_that_stops_on_bad_records_leaves_them_uncommitted(
    stage: Stage, shared_faults: Faults
) -> None:
    accounts = [uuid4() for _ in range(60)]
    shared_faults.refuse = {1}
    stage.loop._settings = stage.loop._settings.model_copy(update={"batch_records": 500})
    stage.loop._dispatcher._limit = ParkLimit(5, 0.5)
    await stage.send(accounts, [1])
    async with running(stage.loop.run):
        await until_true(lambda: stage.loop.progress.state == "stopped")
        assert metrics.STOPPED.labels(stage.loop.name)._value.get() == 1
        assert "in a row" in stage.loop.progress.detail
    assert await stage.committed() < 5
    parked = await stage.ledger.fetch("SELECT 1 FROM chassis.dead_letter")
    assert len(parked) < 5
    shared_faults.refuse = set()
    stage.loop._dispatcher._limit = ParkLimit(5, 0.5)
    async with running(stage.loop.run):

        async def all_there() -> bool:
            [row] = await stage.ledger.fetch("SELECT count(*) AS n FROM account")
            return row["n"] + len(parked) == 60

        await until(all_there)
        assert metrics.STOPPED.labels(stage.loop.name)._value.get() == 0
    assert await stage.committed() == 60


@dataclass
class Changing:
    """A consumer of records in this process, whose topics a test changes."""

    stage: Stage
    topics: set[str]
    seen: list[bytes | None]
    loop: ConsumerLoop

    async def send(self, topic: str, values: Sequence[bytes]) -> None:
        producer = AIOKafkaProducer(**self.stage.broker.client_options(), acks="all", metadata_max_age_ms=500)
        await producer.start()
        try:
            for value in values:
                partitions = await producer.partitions_for(topic)
                await producer.send_and_wait(topic, value, partition=max(partitions))
        finally:
            await producer.stop()

    async def sees(self, *values: bytes, seconds: float = 30) -> None:
        await until_true(lambda: sorted(self.seen, key=str) == sorted(values, key=str), seconds)


@pytest.fixture
async def changing(stage: Stage) -> Changing:
    topics: set[str] = set()
    seen: list[bytes | None] = []

    async def take(batch: Sequence[Record], _tx: Tx) -> None:
        seen.extend(record.value for record in batch)

    numbers = stage.catalogue.topics[0]
    outside = Consumer(
        f"outside-{secrets.token_hex(3)}",
        (Reads(numbers, Added),),
        on_records=take,
        topics_now=lambda: topics,
    )
    dispatcher = Dispatcher(outside, stage.loop._dispatcher.transactions, ParkLimit(50, 0.5))
    return Changing(stage, topics, seen, ConsumerLoop(dispatcher, stage.loop._settings, "ledger"))


async def test_consumer_follows_its_topics_without_a_restart(changing: Changing) -> None:
    first, second = (f"senders-{secrets.token_hex(3)}.{n}" for n in (1, 2))
    await changing.stage.broker.create_topics({first: 1, second: 1})
    await changing.send(first, [b"a"])
    async with running(changing.loop.run):
        await until_true(lambda: changing.loop.progress.state == "running")
        assert not changing.seen, "there is no topic to read yet"
        changing.topics.add(first)
        await changing.sees(b"a")
        changing.topics.add(second)
        await changing.send(second, [b"b"])
        await changing.send(first, [b"c"])
        await changing.sees(b"a", b"b", b"c")
        changing.topics.clear()
        await until_true(lambda: changing.loop._consumer is None)
        changing.topics.add(first)
        await changing.send(first, [b"d"])
        await changing.sees(b"a", b"b", b"c", b"d")


async def test_topic_that_does_not_exist_yet_stops_no_other(changing: Changing) -> None:
    there, later = (f"senders-{secrets.token_hex(3)}.{n}" for n in (1, 2))
    await changing.stage.broker.create_topics({there: 1})
    changing.topics.update({there, later})
    await changing.send(there, [b"a"])
    async with running(changing.loop.run):
        await changing.sees(b"a")
        await changing.stage.broker.create_topics({later: 1})
        await changing.send(later, [b"b"])
        await changing.sees(b"a", b"b")


async def test_partitions_that_a_topic_gains_are_read_in_seconds(changing: Changing) -> None:
    topic = f"senders-{secrets.token_hex(3)}.1"
    await changing.stage.broker.create_topics({topic: 1})
    changing.topics.add(topic)
    await changing.send(topic, [b"a"])
    async with running(changing.loop.run):
        await changing.sees(b"a")
        admin = AIOKafkaAdminClient(**changing.stage.broker.client_options())
        await admin.start()
        try:
            await admin.create_partitions({topic: NewPartitions(3)})
        finally:
            await admin.close()
        await changing.send(topic, [b"b"])
        await changing.sees(b"a", b"b", seconds=20)
