"""Provisioning on a real cluster: it can be repeated, and what it does not allow is denied."""

import asyncio
import json
import sys
from dataclasses import replace
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import GroupAuthorizationFailedError, TopicAuthorizationFailedError

from bdcan_contracts.envelope import Reader, Topic
from bdcan_local.provision import EXPORTER, provision_exporter, provision_kafka, provision_postgres
from bdcan_local.servers import KafkaBroker, PostgresServer

OWN = Topic(
    name="bdcan.routing.tried.v1",
    owner="routing",
    purpose="test",
    key="id",
    traffic_class="normal",
    partitions=1,
    retention=timedelta(days=1),
    compacted=False,
    event_types=(),
    writers=("routing",),
    consumers=(Reader("foodhub", ()),),
)
OTHER = replace(OWN, name="bdcan.intake.tried.v1", owner="intake", writers=("intake",))
PASSWORDS = {"bdcan-routing": "r-secret", "bdcan-foodhub": "f-secret", "bdcan-intake": "i-secret"}


@pytest.fixture
async def provisioned(kafka_broker: KafkaBroker) -> KafkaBroker:
    for _ in range(2):
        await provision_kafka(kafka_broker.client_options(), (OWN, OTHER), PASSWORDS)
    return kafka_broker


def as_user(broker: KafkaBroker, user: str) -> dict[str, Any]:
    return broker.client_options(user, PASSWORDS[user])


async def test_service_writes_only_to_its_own_topic(
    provisioned: KafkaBroker,
) -> None:
    producer = AIOKafkaProducer(**as_user(provisioned, "bdcan-routing"), acks="all", enable_idempotence=True)
    async with producer:
        await producer.send_and_wait(OWN.name, b"mine")
    producer = AIOKafkaProducer(**as_user(provisioned, "bdcan-routing"))
    async with producer:
        with pytest.raises(TopicAuthorizationFailedError):
            await producer.send_and_wait(OTHER.name, b"not mine")


async def test_consumer_reads_only_under_its_own_group(
    provisioned: KafkaBroker,
) -> None:
    async with AIOKafkaProducer(**as_user(provisioned, "bdcan-routing")) as producer:
        await producer.send_and_wait(OWN.name, b"read me")
    options: dict[str, Any] = {**as_user(provisioned, "bdcan-foodhub"), "auto_offset_reset": "earliest"}
    async with AIOKafkaConsumer(OWN.name, **options, group_id="bdcan.foodhub.events") as consumer:
        assert (await consumer.getone()).value
    foreign = AIOKafkaConsumer(OWN.name, **options, group_id="bdcan.intake.events")
    with pytest.raises(GroupAuthorizationFailedError):
        await foreign.start()
    await foreign.stop()


async def test_reader_without_zstd_reads_what_a_service_wrote(provisioned: KafkaBroker) -> None:
    user = as_user(provisioned, "bdcan-routing")
    async with AIOKafkaProducer(**user, compression_type="zstd") as producer:
        await producer.send_and_wait(OWN.name, b"for everybody" * 9, key=b"zstd")
    reader = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        _READER_WITHOUT_EXTRAS,
        json.dumps([OWN.name, as_user(provisioned, "bdcan-foodhub")]),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(reader.communicate(), 60)
    assert out.decode().strip() == "for everybody" * 9, err.decode()[-500:]


_READER_WITHOUT_EXTRAS = """
import asyncio, json, sys
sys.modules["cramjam"] = None  # what aiokafka[zstd] would have installed
from aiokafka import AIOKafkaConsumer

async def main(topic, options):
    async with AIOKafkaConsumer(topic, **options, auto_offset_reset="earliest") as consumer:
        async for record in consumer:
            if record.key == b"zstd":
                print(record.value.decode())
                return

asyncio.run(main(*json.loads(sys.argv[1])))
"""


async def test_topic_grows_with_the_catalogue_and_keeps_its_records(
    provisioned: KafkaBroker,
) -> None:
    grown = replace(OWN, name="bdcan.routing.grown.v1")
    await provision_kafka(provisioned.client_options(), (grown,), PASSWORDS)
    async with AIOKafkaProducer(**as_user(provisioned, "bdcan-routing")) as producer:
        await producer.send_and_wait(grown.name, b"kept", partition=0)
    await provision_kafka(
        provisioned.client_options(), (replace(grown, partitions=3, retention=timedelta(days=5)),), PASSWORDS
    )
    admin = AIOKafkaAdminClient(**provisioned.client_options())
    await admin.start()
    (topic,) = await admin.describe_topics([grown.name])
    configs: Any
    (configs,) = await admin.describe_configs(
        [ConfigResource(ConfigResourceType.TOPIC, grown.name, {"retention.ms": ""})]
    )
    await admin.close()
    assert len(topic["partitions"]) == 3
    assert configs.resources[0][4][0][:2] == ("retention.ms", str(5 * 86_400_000))
    options: dict[str, Any] = {**as_user(provisioned, "bdcan-foodhub"), "auto_offset_reset": "earliest"}
    async with AIOKafkaConsumer(grown.name, **options) as consumer:
        assert (await consumer.getone()).value == b"kept"


async def test_changed_password_holds_after_provisioning_again(
    kafka_broker: KafkaBroker,
) -> None:
    topic = replace(OWN, name="bdcan.routing.rotated.v1")
    await provision_kafka(kafka_broker.client_options(), (topic,), {"bdcan-routing": "first"})
    await provision_kafka(kafka_broker.client_options(), (topic,), {"bdcan-routing": "second"})
    async with AIOKafkaProducer(**kafka_broker.client_options("bdcan-routing", "second")) as producer:
        await producer.send_and_wait(topic.name, b"in")
    await provision_kafka(kafka_broker.client_options(), (topic,), PASSWORDS)


async def test_each_service_has_its_own_closed_database(
    postgres_server: PostgresServer,
) -> None:
    passwords = {"one": "it's %I odd", "one_owner": "1", "two": "2", "two_owner": "22"}
    for _ in range(2):
        await provision_postgres(postgres_server.admin_dsn, passwords)
    address = postgres_server.admin_dsn.rpartition("@")[2].partition("/")[0]
    host, port = address.split(":")
    own = await asyncpg.connect(
        host=host, port=int(port), user="bdcan_one_owner", password="1", database="bdcan_one"
    )
    await own.execute("CREATE TABLE kept ()")
    await own.close()
    running = await asyncpg.connect(
        host=host, port=int(port), user="bdcan_one", password="it's %I odd", database="bdcan_one"
    )
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await running.execute("SELECT FROM kept")
    await running.close()
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await asyncpg.connect(
            host=host, port=int(port), user="bdcan_one", password="it's %I odd", database="bdcan_two"
        )


async def test_exporter_sees_the_servers_statistics_and_no_table(postgres_server: PostgresServer) -> None:
    for _ in range(2):
        await provision_exporter(postgres_server.admin_dsn, "e-secret")
    address = postgres_server.admin_dsn.rpartition("@")[2].partition("/")[0]
    admin = await asyncpg.connect(postgres_server.admin_dsn)
    await admin.execute("CREATE TABLE IF NOT EXISTS about_people (name text)")
    exporter = await asyncpg.connect(f"postgresql://{EXPORTER}:e-secret@{address}/postgres")
    try:
        seen = await exporter.fetchval(
            "SELECT usename FROM pg_stat_activity WHERE pid = $1 AND query IS NOT NULL",
            admin.get_server_pid(),
        )
        assert seen == await admin.fetchval("SELECT current_user")
        assert await exporter.fetchval("SELECT sum(pg_database_size(oid)) FROM pg_database") > 0
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await exporter.fetch("TABLE about_people")
    finally:
        await exporter.close()
        await admin.execute("DROP TABLE about_people")
        await admin.close()


async def test_service_that_owned_its_database_hands_it_over(postgres_server: PostgresServer) -> None:
    admin = await asyncpg.connect(postgres_server.admin_dsn)
    await admin.execute("CREATE ROLE bdcan_old LOGIN PASSWORD 'old'")
    await admin.execute("CREATE DATABASE bdcan_old OWNER bdcan_old")
    address = postgres_server.admin_dsn.rpartition("@")[2].partition("/")[0]
    before = await asyncpg.connect(f"postgresql://bdcan_old:old@{address}/bdcan_old")
    await before.execute("CREATE SCHEMA chassis; CREATE TABLE chassis.kept AS SELECT 1 AS id")
    for _ in range(2):
        await provision_postgres(postgres_server.admin_dsn, {"old": "old", "old_owner": "new"})
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await before.execute("DELETE FROM chassis.kept")
    await before.close()
    owner = await asyncpg.connect(f"postgresql://bdcan_old_owner:new@{address}/bdcan_old")
    assert await owner.fetchval("SELECT id FROM chassis.kept") == 1
    await owner.execute("CREATE TABLE more ()")
    await owner.close()
    await admin.close()


async def test_pruning_removes_only_permissions_that_left_the_catalogue(
    provisioned: KafkaBroker,
) -> None:
    client, alone = provisioned.client_options(), replace(OWN, consumers=())
    left = [g for g in await provision_kafka(client, (alone, OTHER), PASSWORDS) if g.name == OWN.name]
    assert {(g.user, g.operation.name) for g in left} == {
        ("bdcan-foodhub", "READ"),
        ("bdcan-foodhub", "DESCRIBE"),
    }
    gone = await provision_kafka(client, (alone, OTHER), PASSWORDS, revoke=True)
    assert set(left) <= set(gone)
    assert await provision_kafka(client, (alone, OTHER), PASSWORDS) == []
    reader = AIOKafkaConsumer(OWN.name, **as_user(provisioned, "bdcan-foodhub"))
    with pytest.raises(TopicAuthorizationFailedError):
        await reader.start()
    await reader.stop()
    async with AIOKafkaProducer(**as_user(provisioned, "bdcan-routing")) as producer:
        await producer.send_and_wait(OWN.name, b"still mine")
