"""The two servers that every other test stands on: they authenticate, and they come back with their data."""

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError

from bdcan_local.servers import KafkaBroker, PostgresServer


async def test_given_a_fresh_database_when_its_role_connects_then_it_owns_it(
    postgres_server: PostgresServer,
) -> None:
    dsn = await postgres_server.database("volunteer-match")
    connection = await asyncpg.connect(dsn)
    await connection.execute("CREATE TABLE kept (id int)")
    assert await connection.fetchval("SELECT count(*) FROM kept") == 0
    assert (await connection.fetchval("SHOW server_version")).startswith("18")
    await connection.close()


async def test_given_a_wrong_password_when_connecting_then_it_is_refused(
    postgres_server: PostgresServer,
) -> None:
    dsn = await postgres_server.database()
    user, _, rest = dsn.removeprefix("postgresql://").partition(":")
    wrong = f"postgresql://{user}:wrong@{rest.partition('@')[2]}"
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(wrong)


async def test_given_another_services_role_when_connecting_then_the_database_is_closed(
    postgres_server: PostgresServer,
) -> None:
    own, other = await postgres_server.database(), await postgres_server.database()
    foreign = own.rpartition("/")[0] + "/" + other.rpartition("/")[2]
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await asyncpg.connect(foreign)


@pytest.mark.parametrize("mode", ["immediate", "fast"])
async def test_given_committed_rows_when_postgres_restarts_then_they_are_there(
    postgres_server: PostgresServer, mode: str
) -> None:
    dsn = await postgres_server.database()
    connection = await asyncpg.connect(dsn)
    await connection.execute("CREATE TABLE kept AS SELECT 1 AS id")
    await postgres_server.stop(mode)
    with pytest.raises(OSError, match="Connect call failed"):
        await asyncpg.connect(dsn)
    await postgres_server.start()
    connection = await asyncpg.connect(dsn)
    assert await connection.fetchval("SELECT id FROM kept") == 1
    await connection.close()


async def test_given_a_wrong_password_when_a_client_starts_then_kafka_refuses_it(
    kafka_broker: KafkaBroker,
) -> None:
    producer = AIOKafkaProducer(**kafka_broker.client_options(password="wrong"))
    with pytest.raises(KafkaError):
        await producer.start()
    await producer.stop()


@pytest.mark.parametrize("kill", [False, True])
async def test_given_acknowledged_records_when_the_broker_restarts_then_they_are_there(
    kafka_broker: KafkaBroker, kill: bool
) -> None:
    topic = f"kept-{kill}"
    await kafka_broker.create_topics({topic: 2})
    async with AIOKafkaProducer(
        **kafka_broker.client_options(), acks="all", enable_idempotence=True
    ) as producer:
        await producer.send_and_wait(topic, b"before")
    await kafka_broker.stop(kill=kill)
    await kafka_broker.start()
    consumer = AIOKafkaConsumer(topic, **kafka_broker.client_options(), auto_offset_reset="earliest")
    async with consumer:
        record = await consumer.getone()
    assert record.value == b"before"


async def test_given_existing_topics_when_created_again_then_nothing_happens(
    kafka_broker: KafkaBroker,
) -> None:
    await kafka_broker.create_topics({"twice": 1})
    await kafka_broker.create_topics({"twice": 1})
