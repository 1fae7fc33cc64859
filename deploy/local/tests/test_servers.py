"""The two servers that every other test uses: they authenticate, and they keep their data."""

import asyncio
from contextlib import suppress
from pathlib import Path

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError

from bdcan_local.cluster import Cluster
from bdcan_local.servers import KafkaBroker, PostgresServer
from bdcan_local.settings import Settings


async def test_role_owns_its_fresh_database(
    postgres_server: PostgresServer,
) -> None:
    dsn = await postgres_server.database("volunteer-match")
    connection = await asyncpg.connect(dsn)
    await connection.execute("CREATE TABLE kept (id int)")
    assert await connection.fetchval("SELECT count(*) FROM kept") == 0
    assert (await connection.fetchval("SHOW server_version")).startswith("18")
    await connection.close()


async def test_wrong_database_password_is_refused(
    postgres_server: PostgresServer,
) -> None:
    dsn = await postgres_server.database()
    user, _, rest = dsn.removeprefix("postgresql://").partition(":")
    wrong = f"postgresql://{user}:wrong@{rest.partition('@')[2]}"
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(wrong)


async def test_database_is_closed_to_the_role_of_another_service(
    postgres_server: PostgresServer,
) -> None:
    own, other = await postgres_server.database(), await postgres_server.database()
    foreign = own.rpartition("/")[0] + "/" + other.rpartition("/")[2]
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await asyncpg.connect(foreign)


@pytest.mark.parametrize("mode", ["immediate", "fast"])
async def test_committed_rows_survive_a_restart_of_postgres(
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


async def test_kafka_refuses_a_wrong_password(
    kafka_broker: KafkaBroker,
) -> None:
    producer = AIOKafkaProducer(**kafka_broker.client_options(password="wrong"))
    with pytest.raises(KafkaError):
        await producer.start()
    await producer.stop()


@pytest.mark.parametrize("kill", [False, True])
async def test_acknowledged_records_survive_a_restart_of_the_broker(
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


async def test_topics_are_created_only_once(
    kafka_broker: KafkaBroker,
) -> None:
    await kafka_broker.create_topics({"twice": 1})
    await kafka_broker.create_topics({"twice": 1})


async def test_broker_that_starts_again_knows_its_users_after_many_were_removed(
    kafka_broker: KafkaBroker,
) -> None:
    """A deletion of a user, among many, made it forget all of them: so nobody deletes one."""
    users = {f"passing-{number}": f"secret-{number}" for number in range(60)}

    def come_and_go() -> None:
        with Cluster(kafka_broker.client_options()) as cluster:
            for user, password in users.items():
                cluster.set_passwords({user: password})
                cluster.remove_users([user])

    await asyncio.to_thread(come_and_go)
    await kafka_broker.stop(kill=False)
    await kafka_broker.start()  # raises where the administrator is refused


async def test_log_of_postgres_quotes_no_row(
    postgres_server: PostgresServer, platform_directory: Path, platform_settings: Settings
) -> None:
    if platform_settings.test_backend != "embedded":
        pytest.skip("a container keeps its log to itself")
    connection = await asyncpg.connect(await postgres_server.database())
    await connection.execute("CREATE TABLE resident (name text UNIQUE, age int CHECK (age > 0))")
    for age in (-1, 80, 80):
        with suppress(asyncpg.IntegrityConstraintViolationError):
            await connection.execute("INSERT INTO resident VALUES ($1, $2)", "Zebedee Quorlix", age)
    await connection.close()
    log = (platform_directory / "postgres.log").read_text()
    assert "violates unique constraint" in log
    assert "violates check constraint" in log
    assert "Zebedee" not in log
