"""What `bdcan upgrade --check` says of real databases and a real cluster that an older release has left behind."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from bdcan_chassis.clock import parse_clock
from bdcan_chassis.migrate import migrate
from bdcan_contracts.catalogue import CATALOGUE
from bdcan_local import access, upgrade
from bdcan_local import backup_manifest as manifests
from bdcan_local.backup_manifest import Backup, Manifest
from bdcan_local.places import Places
from bdcan_local.processes import SERVICES, own_name
from bdcan_local.provision import provision_kafka
from bdcan_local.restore import code_migrations
from bdcan_local.servers import KafkaBroker, PostgresServer
from bdcan_local.upgrade import Finding

NOW = datetime(2020, 3, 24, tzinfo=UTC)


@pytest.fixture(scope="module")
async def places(postgres_server: PostgresServer, clean_broker: KafkaBroker) -> Places:
    """As `provision` and the migrations of this release leave them."""
    databases = {}
    for service in SERVICES:
        databases[service] = await postgres_server.database(service)
        await migrate(databases[service], ["bdcan_chassis", f"{own_name(service)}.store"])
    users = access.users(CATALOGUE.topics)
    await provision_kafka(clean_broker.client_options(), CATALOGUE.topics, dict.fromkeys(users, "secret"))
    return Places(databases, clean_broker.client_options(), parse_clock("system"))


def backed_up(directory: Path, at: datetime) -> Path:
    path = directory / "backup"
    path.mkdir(parents=True)
    manifest = Manifest(
        1, at, at, "0.1.0", "18.6", "1", 1, "0/1000000", "0/1000100", 1, "cluster", (), {}, {}, {}
    )
    manifests.write(path, manifest)
    return directory


def about(found: list[Finding], level: str) -> dict[str, list[str]]:
    said: dict[str, list[str]] = {}
    for one in found:
        if one.level == level:
            said.setdefault(one.about, []).append(one.says)
    return said


async def test_system_of_this_release_is_ready_and_nothing_would_change(
    places: Places, tmp_path: Path
) -> None:
    found = await upgrade.check(places, backed_up(tmp_path, manifests.now()))
    assert about(found, "stop") == {}
    assert "migrations" not in about(found, "note")
    assert "topics" not in about(found, "note")
    assert len(about(found, "well")["migrations"]) == len(SERVICES)


async def test_pending_and_edited_migrations_are_named(places: Places, tmp_path: Path) -> None:
    *_, last = code_migrations()["foodhub"]
    connection = await asyncpg.connect(places.databases["foodhub"])
    [gone] = await connection.fetch("DELETE FROM schema_migration WHERE name = $1 RETURNING *", last)
    first = await connection.fetchval(
        "UPDATE schema_migration SET sha256 = 'edited' || sha256 WHERE name = 'bdcan_chassis/0001_chassis.sql' RETURNING name"
    )
    found = await upgrade.check(places, backed_up(tmp_path, manifests.now()))
    await connection.execute("INSERT INTO schema_migration VALUES ($1, $2, $3)", *gone)
    await connection.execute("UPDATE schema_migration SET sha256 = replace(sha256, 'edited', '')")
    await connection.close()
    assert [said for said in about(found, "note")["migrations"] if last in said]
    [edited] = about(found, "stop")["migrations"]
    assert first in edited
    assert found[0].level == "stop"
    assert all(one.todo for one in found if one.level == "stop")


async def test_event_that_this_release_cannot_read_stops_it(places: Places, tmp_path: Path) -> None:
    topic = next(topic for topic in CATALOGUE.topics if topic.name == "bdcan.foodhub.parcels.v1")
    headers = [
        ("ce_type", b"bdcan.foodhub.parcel.weighed.v7"),
        ("ce_id", b"an-id"),
        ("ce_source", b"urn:bdcan:foodhub"),
        ("ce_subject", b"a-parcel"),
        ("ce_time", b"2020-03-24T00:00:00+00:00"),
        ("ce_specversion", b"1.0"),
        ("content-type", b"application/json"),
    ]
    async with AIOKafkaProducer(**places.kafka) as producer:
        sent = await producer.send_and_wait(topic.name, b"{}", key=b"a-parcel", headers=headers)
    found = await upgrade.check(places, backed_up(tmp_path, manifests.now()))
    [said] = about(found, "stop")["events"]
    assert "unknown-type (bdcan.foodhub.parcel.weighed.v7)" in said
    admin = AIOKafkaAdminClient(**places.kafka)
    await admin.start()
    place = TopicPartition(topic.name, sent.partition)
    await admin.delete_records({place: RecordsToDelete(before_offset=sent.offset + 1)})
    await admin.close()
    assert "events" not in about(await upgrade.check(places, None), "stop")


def test_backup_that_is_old_or_missing_stops_it(tmp_path: Path) -> None:
    def level(age: timedelta) -> str:
        made = Backup(
            tmp_path, Manifest(1, NOW - age, NOW - age, "", "", "", 1, "0/0", "0/0", 1, "", (), {}, {}, {})
        )
        return upgrade.backup_age([made], NOW, tmp_path).level

    assert level(timedelta(hours=3)) == "well"
    assert level(timedelta(days=2)) == "stop"
    assert upgrade.backup_age([], NOW, tmp_path).level == "stop"
    assert "--backups" in upgrade.backup_age([], NOW, None).todo


def test_what_provision_would_change_is_named() -> None:
    specs = access.topic_specs(CATALOGUE.topics)
    first, second, third, *_ = specs
    partitions = {spec.name: spec.partitions for spec in specs if spec is not first}
    partitions[second.name] -= 1
    settings = {spec.name: dict(spec.config) for spec in specs}
    settings[third.name]["retention.ms"] = "1"
    said = [one.says for one in upgrade.topics(specs, partitions, settings)]
    assert f"{first.name} will be made" in said[0]
    assert f"{second.name} will grow" in said[1]
    assert "in place of 1" in said[2]
    assert len(said) == 3
    wanted = access.grants(CATALOGUE.topics)
    assert len(list(upgrade.permissions(wanted, wanted[:2], wanted[1:]))) == 2


async def test_command_ends_with_1_and_machines_can_read_it(places: Places, tmp_path: Path) -> None:
    said: list[str] = []
    code = await asyncio.to_thread(upgrade.show, places, tmp_path / "none", said.append, as_json=True)
    answer = json.loads("\n".join(said))
    assert (code, answer["ready"]) == (1, False)
    assert answer["findings"][0]["level"] == "stop"
    text: list[str] = []
    assert await asyncio.to_thread(upgrade.show, places, None, text.append, as_json=False) == 1
    assert text[-1] == "not ready"
