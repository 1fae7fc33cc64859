"""A comparison is worth something only if everybody does the same work."""

import secrets

import asyncpg
import pytest

from bdcan_local.guardian import Guardian
from bdcan_local.servers import KafkaBroker, PostgresServer
from benchmarks import contender, events
from benchmarks.loop import BATCH, CONTENDERS
from benchmarks.relay import CONTENDERS as RELAYS
from benchmarks.relay import TOPIC, fill

COUNT = 1_500


@pytest.fixture(scope="module")
async def full_topic(kafka_broker: KafkaBroker) -> str:
    topic = "bench.test.in"
    await kafka_broker.create_topics({topic: 3})
    await events.feed(kafka_broker.client_options(), topic, COUNT, 3)
    return topic


async def things_left_by(
    module: str, guardian: Guardian, postgres: PostgresServer, kafka: KafkaBroker, topic: str
) -> tuple[list[tuple], int, list[tuple]]:
    """What a contender leaves: state, inbox, and what it will publish."""
    dsn = await postgres.database("loop")
    await events.prepare(dsn)
    task = {
        "dsn": dsn,
        "topic": topic,
        "group": f"test-{secrets.token_hex(4)}",
        "count": COUNT,
        "batch": BATCH,
        "kafka": kafka.client_options(),
    }
    await contender.run(guardian, module, task)
    connection = await asyncpg.connect(dsn)
    try:
        things = await connection.fetch("SELECT id, version, seen, due_at FROM thing ORDER BY id")
        inbox = await connection.fetchval("SELECT count(*) FROM chassis.inbox")
        outbox = await connection.fetch(
            "SELECT topic, record_key, convert_from(body, 'UTF8')::jsonb - 'due_at'"
            " FROM chassis.outbox ORDER BY 2, 3"
        )
    finally:
        await connection.close()
    return [tuple(t) for t in things], inbox, [tuple(o) for o in outbox]


@pytest.mark.parametrize("other", [name for name in CONTENDERS if name != "bare"])
async def test_every_contender_leaves_the_rows_of_the_bare_loop(
    other: str,
    guardian: Guardian,
    postgres_server: PostgresServer,
    kafka_broker: KafkaBroker,
    full_topic: str,
):
    bare = await things_left_by(CONTENDERS["bare"], guardian, postgres_server, kafka_broker, full_topic)
    found = await things_left_by(CONTENDERS[other], guardian, postgres_server, kafka_broker, full_topic)
    assert found == bare
    assert bare[1] == len(bare[2]) == COUNT


@pytest.mark.parametrize("module", RELAYS.values())
async def test_a_relay_puts_each_row_of_the_outbox_on_kafka_once(
    module: str, guardian: Guardian, postgres_server: PostgresServer, kafka_broker: KafkaBroker
):
    from aiokafka import AIOKafkaConsumer, TopicPartition

    from bdcan_chassis.migrate import migrate

    await kafka_broker.create_topics({TOPIC: 6})
    partitions = [TopicPartition(TOPIC, number) for number in range(6)]
    consumer = AIOKafkaConsumer(**kafka_broker.client_options())
    await consumer.start()
    dsn = await postgres_server.database("relay")
    await migrate(dsn, ["bdcan_chassis"])
    await fill(dsn, COUNT)
    try:
        before = await consumer.end_offsets(partitions)
        await contender.run(
            guardian, module, {"dsn": dsn, "count": COUNT, "kafka": kafka_broker.client_options()}
        )
        after = await consumer.end_offsets(partitions)
    finally:
        await consumer.stop()
    assert sum(after.values()) - sum(before.values()) == COUNT
    connection = await asyncpg.connect(dsn)
    left = await connection.fetchval("SELECT count(*) FROM chassis.outbox")
    await connection.close()
    assert left == 0
