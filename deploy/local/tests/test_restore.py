"""Backups of a real server and cluster: made while they run, restored to the end, to a moment, and refused where they must be."""

import asyncio
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import msgspec
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from bdcan_chassis.audit import RESTORED_AT
from bdcan_chassis.migrate import migrate
from bdcan_chassis.privileges import OWNER_SUFFIX
from bdcan_local import backup_manifest as manifests
from bdcan_local import chain
from bdcan_local.backup import Site, back_up
from bdcan_local.backup_log import SLOT, behind, stream
from bdcan_local.backup_manifest import Backup, Manifest
from bdcan_local.child import Child
from bdcan_local.errors import HalfInitialisedError, InUseError, PlatformError
from bdcan_local.guardian import Guardian
from bdcan_local.ports import LOOPBACK, free_ports
from bdcan_local.postgres import Postgres, binaries
from bdcan_local.processes import SERVICES, database_roles, own_name
from bdcan_local.provision import provision_postgres
from bdcan_local.restore import NOTE, Note, Where, restore, unfinished
from bdcan_local.restore_finish import RESTORES, finish, rewind
from bdcan_local.secrets_store import SecretsStore
from bdcan_local.servers import KafkaBroker

TOPIC = "bdcan.kept.v1"
GROUP = "bdcan.foodhub.kept"


def quiet(_: str) -> None:
    """Say nothing."""


@dataclass
class Kept:
    """A server with the five databases, the cluster, and where its backups are."""

    postgres: Postgres
    site: Site
    directory: Path
    guardian: Guardian
    server: Child | None = None

    @property
    def where(self) -> Where:
        return Where(self.postgres.data, self.postgres.take, self.site.secrets)

    async def start(self, *options: str) -> None:
        command = self.postgres.command()
        command = replace(command, argv=(*command.argv, *options))
        self.server = Child(command, self.directory.parent / "postgres.log", self.guardian)
        end = time.monotonic() + 60
        while not await self.postgres.is_ready():
            log = (self.directory.parent / "postgres.log").read_text()
            assert self.server.exit_code() is None, log
            assert time.monotonic() < end, log
            await asyncio.sleep(0.05)

    def destroy(self) -> None:
        """Kill the server, and take its data away."""
        assert self.server is not None
        self.server.stop(20, signal.SIGQUIT)
        shutil.rmtree(self.postgres.data)

    async def do(self, sql: str, database: str = "bdcan_foodhub") -> list[asyncpg.Record]:
        connection = await asyncpg.connect(self.site.dsn(database))
        try:
            return await connection.fetch(sql)
        finally:
            await connection.close()

    async def back_up(self) -> Backup:
        return await asyncio.to_thread(back_up, self.site, self.directory, quiet)

    async def restore(
        self,
        to: datetime | None = None,
        directory: Path | None = None,
        *,
        without_log: bool = False,
        even_if_old: bool = False,
    ) -> Backup:
        return await asyncio.to_thread(
            restore,
            self.where,
            directory or self.directory,
            to,
            without_log=without_log,
            even_if_old=even_if_old,
            say=quiet,
        )

    async def finish(self) -> None:
        await finish(self.site.secrets, self.site.kafka, self.site.dsn(), quiet)

    async def notes(self) -> list[str]:
        return [row[0] for row in await self.do("SELECT said FROM kept ORDER BY said")]


@pytest.fixture(scope="module")
async def served(
    tmp_path_factory: pytest.TempPathFactory, clean_broker: KafkaBroker, guardian: Guardian
) -> AsyncIterator[Kept]:
    """One server for all tests of the module: each leaves a whole one behind."""
    root = tmp_path_factory.mktemp("kept")
    secrets = SecretsStore(root / "secrets")
    secrets.prepare()
    postgres = Postgres(
        root / "postgres", free_ports(1)[0], secrets.get("postgres", "postgres"), durable=False
    )
    site = Site(LOOPBACK, postgres.port, clean_broker.client_options(), secrets)
    kept = Kept(postgres, site, root / "backups", guardian)
    postgres.prepare()
    await kept.start()
    passwords = secrets.passwords("postgres", database_roles())
    await provision_postgres(site.dsn(), passwords)
    for service in SERVICES:
        owner = f"{service.replace('-', '_')}{OWNER_SUFFIX}"
        dsn = postgres.dsn(f"bdcan_{owner}", passwords[owner], own_name(service))
        await migrate(dsn, ["bdcan_chassis", f"{own_name(service)}.store"])
    await kept.do("CREATE TABLE kept (said text)")
    await clean_broker.create_topics({TOPIC: 1})
    yield kept
    if kept.server is not None:
        kept.server.stop(20, signal.SIGQUIT)
    shutil.rmtree(root)


@pytest.fixture
async def kept(served: Kept) -> AsyncIterator[Kept]:
    await served.do("TRUNCATE kept")
    yield served
    served.site.secrets.path(NOTE).unlink(missing_ok=True)
    shutil.rmtree(served.directory, ignore_errors=True)
    for aside in served.postgres.directory.glob("data.*"):
        shutil.rmtree(aside)


async def send(broker: KafkaBroker, count: int) -> None:
    async with AIOKafkaProducer(**broker.client_options()) as producer:
        for number in range(count):
            await producer.send_and_wait(TOPIC, str(number).encode(), partition=0)


async def read_up_to(broker: KafkaBroker, offset: int | None = None) -> int:
    """Where the group stands; with an offset, it commits that first."""
    place = TopicPartition(TOPIC, 0)
    async with AIOKafkaConsumer(
        **broker.client_options(), group_id=GROUP, enable_auto_commit=False
    ) as consumer:
        consumer.assign([place])
        if offset is not None:
            await consumer.commit({place: offset})
        committed = await consumer.committed(place)
        assert committed is not None
        return committed


async def streaming(kept: Kept) -> Child:
    kept.directory.mkdir(exist_ok=True)
    child = Child(await stream(kept.site, kept.directory), kept.directory.parent / "log.log", kept.guardian)
    await streamed(kept)
    return child


async def streamed(kept: Kept) -> None:
    end = time.monotonic() + 60
    while await behind(kept.site) or not list(kept.directory.glob("log/*/*")):
        assert time.monotonic() < end, "the log was not streamed"
        await asyncio.sleep(0.05)


async def test_backup_brings_back_databases_and_sets_consumers_back(
    kept: Kept, clean_broker: KafkaBroker
) -> None:
    await send(clean_broker, 10)
    await read_up_to(clean_broker, 4)
    await kept.do("INSERT INTO kept VALUES ('before')")
    backup = await kept.back_up()
    assert {one.offset for one in backup.manifest.positions if one.topic == TOPIC} == {4}
    await kept.do("INSERT INTO kept VALUES ('after')")
    await read_up_to(clean_broker, 9)
    kept.destroy()
    await kept.restore()
    await kept.start()
    assert await kept.notes() == ["before"]
    await kept.finish()
    assert await read_up_to(clean_broker) == 4
    assert unfinished(kept.site.secrets) is None
    restores = kept.site.secrets.path(RESTORES)
    assert chain.verify(restores) == (1, None)
    assert json.loads(restores.read_text())["audit_heads"] == dict.fromkeys(SERVICES, "0:")
    [(restored_at,)] = await kept.do(f"SELECT current_setting('{RESTORED_AT}', true)")
    assert datetime.fromisoformat(restored_at) <= datetime.now(UTC)
    assert backup.path.stat().st_mode & 0o077 == 0
    assert not [path for path in backup.path.iterdir() if path.stat().st_mode & 0o077]


async def test_log_brings_back_the_last_second_and_any_moment(kept: Kept) -> None:
    child = await streaming(kept)
    backup = await kept.back_up()
    await kept.do("INSERT INTO kept VALUES ('first')")
    [(between,)] = await kept.do("SELECT clock_timestamp()")
    await kept.do("INSERT INTO kept VALUES ('second')")
    await streamed(kept)
    child.stop(10)
    kept.destroy()
    await kept.restore()
    await kept.start()
    assert await kept.notes() == ["first", "second"]

    assert kept.server is not None
    kept.server.stop(20)
    await kept.restore(between)
    await kept.start()
    assert await kept.notes() == ["first"]

    # what is written now belongs to a timeline of its own, and a second restore does not mix them up
    child = await streaming(kept)
    await kept.do("INSERT INTO kept VALUES ('third')")
    await streamed(kept)
    child.stop(10)
    assert len(list(kept.directory.glob("log/*"))) == 2
    kept.server.stop(20)
    await kept.restore(directory=backup.path)
    await kept.start()
    assert await kept.notes() == ["first", "second"]


async def test_backup_that_was_broken_off_is_none_and_the_next_one_removes_it(kept: Kept) -> None:
    left = kept.directory / f"20200101T000000Z{manifests.PARTIAL}"
    left.mkdir(parents=True)
    (left / "base.tar.gz").touch()
    assert manifests.backups(kept.directory) == []
    backup = await kept.back_up()
    assert not left.exists()
    assert manifests.backups(kept.directory) == [backup]


async def test_backup_shares_no_directory_with_one_killed_in_the_same_second(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL's program outlives a killed backup, and makes files in that one's directory after it was removed."""
    second = manifests.now()
    monkeypatch.setattr(manifests, "now", lambda: second)
    prune = manifests.prune

    def prune_while_it_writes(directory: Path, now: datetime, kept_for: timedelta) -> list[str]:
        gone = prune(directory, now, kept_for)
        left = directory / (second.strftime(manifests.NAME) + manifests.PARTIAL)
        left.mkdir(parents=True)
        (left / "base.tar.gz").touch()
        return gone

    monkeypatch.setattr(manifests, "prune", prune_while_it_writes)
    backup = await kept.back_up()
    assert manifests.backups(kept.directory) == [backup]


async def test_commands_find_servers_by_address_and_a_killed_backup_is_made_again(kept: Kept) -> None:
    """As in compose, where no root is."""
    kept.site.secrets.path("kafka").mkdir(exist_ok=True)
    kept.site.secrets.path("kafka", "admin").write_text(kept.site.kafka["sasl_plain_password"])
    servers = ("--secrets", str(kept.site.secrets.path()), "--postgres", f"{LOOPBACK}:{kept.postgres.port}")
    cluster = ("--cluster", kept.site.kafka["bootstrap_servers"])
    await kept.do("INSERT INTO kept VALUES ('before')")
    killed = await bdcan("backup", str(kept.directory), *servers, *cluster)
    while not list(kept.directory.glob(f"*{manifests.PARTIAL}/base.tar.gz")):  # another process writes it
        assert killed.returncode is None
        await asyncio.sleep(0.01)
    killed.kill()
    await killed.wait()
    assert manifests.backups(kept.directory) == []
    assert await (await bdcan("backup", str(kept.directory), *servers, *cluster)).wait() == 0
    assert len(manifests.backups(kept.directory)) == 1

    data = ("--data", str(kept.postgres.data), "--owner", str(kept.postgres.data.stat().st_uid))
    refused = await bdcan("restore", str(kept.directory), *servers, *data)
    assert await refused.wait() == InUseError.exit_code
    kept.destroy()
    assert await (await bdcan("restore", str(kept.directory), *servers, *data)).wait() == 0
    await kept.start()
    assert await kept.notes() == ["before"]
    await kept.finish()
    checked = await bdcan(
        "upgrade", "--check", "--backups", str(kept.directory), *servers, *cluster, "--json"
    )
    assert await checked.wait() == 0


async def bdcan(*words: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(sys.executable, "-m", "bdcan_local.cli", *words)


async def test_restore_that_was_broken_off_lets_nothing_start_and_runs_again(kept: Kept) -> None:
    await kept.do("INSERT INTO kept VALUES ('before')")
    await kept.back_up()
    kept.destroy()

    def broken_off(_: Path) -> Path | None:
        raise KeyboardInterrupt

    where = Where(kept.postgres.data, broken_off, kept.site.secrets)
    with pytest.raises(KeyboardInterrupt):
        restore(where, kept.directory, None, without_log=False, even_if_old=False, say=quiet)
    with pytest.raises(HalfInitialisedError, match="broken off"):
        unfinished(kept.site.secrets)
    # a container's server makes an empty database where it finds none: that is no other system of ours
    (kept.postgres.data / "global").mkdir(parents=True)
    (kept.postgres.data / "global" / "pg_control").write_bytes(bytes(64))
    await kept.restore()
    await kept.start()
    assert await kept.notes() == ["before"]


async def test_restore_refuses_what_would_not_end_well(kept: Kept) -> None:
    backup = await kept.back_up()

    async def refused(match: str, **more: object) -> None:
        manifests.write(backup.path, msgspec.structs.replace(backup.manifest, **more))
        with pytest.raises(PlatformError, match=match) as error:
            await kept.restore()
        assert error.value.todo
        manifests.write(backup.path, backup.manifest)

    later = {"foodhub": {"bdcan_foodhub.store/9999_of_tomorrow.sql": "0"}}
    await refused("9999_of_tomorrow", migrations={**backup.manifest.migrations, **later})
    await refused("another system", system="7")
    await refused("PostgreSQL 17.4", postgres="17.4")
    await refused("older than 14 days", ended_at=datetime(2020, 3, 24, tzinfo=UTC))
    await refused("are free", data_bytes=2**60)
    with pytest.raises(PlatformError, match="no backup is from before"):
        await kept.restore(backup.manifest.ended_at - timedelta(hours=1))
    with pytest.raises(PlatformError, match="ends at"):
        await kept.restore(backup.manifest.ended_at + timedelta(hours=1))
    with pytest.raises(PlatformError, match="there is no backup"):
        await kept.restore(directory=kept.directory.parent / "nothing")
    with (backup.path / "base.tar.gz").open("r+b") as damaged:
        damaged.seek(1000)
        damaged.write(b"x")
    with pytest.raises(HalfInitialisedError, match="damaged: base"):
        await kept.restore()
    (backup.path / manifests.MANIFEST).write_text("{}")
    with pytest.raises(HalfInitialisedError, match="is damaged, or of another format"):
        await kept.restore()
    with pytest.raises(PlatformError, match="format None"):
        await kept.restore(directory=backup.path)
    await kept.back_up()  # a damaged one keeps nobody from making another
    assert manifests.damaged(kept.directory) == [backup.path.name]
    with manifests.locked(kept.directory), pytest.raises(InUseError):
        await kept.back_up()
    assert not kept.site.secrets.path(NOTE).exists()


async def test_rules_of_compose_let_the_superuser_copy_the_server_and_no_service(kept: Kept) -> None:
    assert kept.server is not None
    kept.server.stop(20)
    rules = kept.postgres.data / "pg_hba.compose.conf"
    shutil.copyfile(Path(__file__).parents[2] / "postgres" / "pg_hba.conf", rules)
    os.chown(rules, kept.postgres.data.stat().st_uid, -1)
    await kept.start("-c", f"hba_file={rules}")
    await kept.back_up()
    service = kept.postgres.dsn("bdcan_intake", kept.site.secrets.get("postgres", "intake"), "bdcan_intake")
    copied = await asyncio.create_subprocess_exec(
        *(
            str(binaries() / "pg_receivewal"),
            "--no-loop",
            "--no-password",
            "--directory",
            str(kept.directory),
        ),
        *("--dbname", service),
        stderr=asyncio.subprocess.PIPE,
    )
    _, error = await copied.communicate()
    assert copied.returncode == 1
    assert b"no pg_hba.conf entry for replication" in error
    kept.server.stop(20)
    await kept.start()


async def test_gap_in_the_log_is_no_silent_loss(kept: Kept) -> None:
    child = await streaming(kept)
    await kept.do("INSERT INTO kept VALUES ('before')")
    backup = await kept.back_up()
    for number in range(3):
        await kept.do(f"INSERT INTO kept VALUES ('{number}')")
        await kept.do("SELECT pg_switch_wal()")
    await streamed(kept)
    child.stop(10)
    list(manifests.segments(kept.directory, backup.manifest.timeline).values())[-2].unlink()
    kept.destroy()
    with pytest.raises(PlatformError, match="gap"):
        await kept.restore()
    await kept.restore(without_log=True)
    await kept.start()
    assert await kept.notes() == ["before"]


async def test_log_goes_on_after_it_stood_still_for_too_long(kept: Kept) -> None:
    child = await streaming(kept)
    before = await kept.back_up()
    child.stop(10)
    await kept.do(f"SELECT pg_drop_replication_slot('{SLOT}')")  # as after the server had to give it up
    for number in range(3):
        await kept.do(f"INSERT INTO kept VALUES ('{number}')")
        await kept.do("SELECT pg_switch_wal()")
    await kept.do("CHECKPOINT")
    child = await streaming(kept)
    await kept.back_up()
    await kept.do("INSERT INTO kept VALUES ('last')")
    await streamed(kept)
    child.stop(10)
    kept.destroy()
    with pytest.raises(PlatformError, match="gap"):
        await kept.restore(directory=before.path)
    await kept.restore()
    await kept.start()
    assert (await kept.notes())[-1] == "last"


def test_secrets_that_are_there_are_newer_than_the_backup(tmp_path: Path) -> None:
    """A token that was revoked since stays revoked."""
    from bdcan_local.backup import _tar
    from bdcan_local.restore import _unpack_secrets

    secrets = SecretsStore(tmp_path / "secrets")
    secrets.prepare()
    secrets.get("postgres", "postgres")
    before = secrets.path("postgres", "postgres").read_text()
    _tar(secrets.path(), tmp_path / "secrets.tar")
    secrets.revoke(datetime.now(UTC), subject="kim")
    secrets.path("postgres", "postgres").write_text("another")
    secrets.path("grant-secret").unlink(missing_ok=True)
    secrets.signing_key_file.unlink()
    _unpack_secrets(Backup(tmp_path, _manifest()), secrets)
    assert "kim" in json.loads(secrets.revocations_file.read_text())["subjects"]
    assert secrets.path("postgres", "postgres").read_text() == before
    assert secrets.signing_key_file.exists()


def test_old_backups_and_the_log_that_none_needs_are_removed(tmp_path: Path) -> None:
    now = datetime(2020, 3, 24, tzinfo=UTC)
    for days, lsn in ((20, "0/1000000"), (10, "0/3000000"), (0, "0/5000000")):
        path = tmp_path / f"{days}"
        path.mkdir()
        at = now - timedelta(days=days)
        manifests.write(path, msgspec.structs.replace(_manifest(), started_at=at, ended_at=at, start_lsn=lsn))
    log = tmp_path / "log" / "1"
    log.mkdir(parents=True)
    for number in range(1, 7):
        (log / f"00000001000000000000000{number}").touch()
    assert manifests.prune(tmp_path, now, manifests.KEPT_FOR) == ["20"]
    assert [one.path.name for one in manifests.backups(tmp_path)] == ["10", "0"]
    assert sorted(path.name[-1] for path in log.iterdir()) == ["3", "4", "5", "6"]
    assert manifests.prune(tmp_path, now + timedelta(days=300), manifests.KEPT_FOR) == ["10"]
    assert [one.path.name for one in manifests.backups(tmp_path)] == ["0"]


def test_consumer_begins_where_it_misses_nothing() -> None:
    place, young = ("g", "t", 0), ("new", "t", 1)
    ranges = {("t", 0): (100, 200), ("t", 1): (5, 50)}

    def begin(noted: dict[tuple[str, str, int], int], same: bool = True) -> dict[tuple[str, str, int], int]:
        return dict(rewind(noted, {place: 190, young: 40}, ranges, same_cluster=same).positions)

    assert begin({place: 150}) == {place: 150, young: 5}
    assert begin({place: 20, young: 30}) == {place: 100, young: 30}
    assert begin({place: 150, young: 30}, same=False) == {place: 100, young: 5}
    assert begin({place: 500, ("gone", "t", 9): 3})[place] == 200
    assert rewind({place: 20}, {}, ranges, same_cluster=True).forgotten == {"t": 80}


def test_segments_follow_each_other() -> None:
    assert manifests.segment_of(1, "0/2000028") == "000000010000000000000002"
    assert manifests.after("0000000100000000000000FF") == "000000010000000100000000"


def _manifest() -> Manifest:
    at = datetime(2020, 3, 24, tzinfo=UTC)
    return Manifest(
        1, at, at, "0.1.0", "18.6", "1", 1, "0/1000000", "0/1000100", 1, "cluster", (), {}, {}, {}
    )


def test_note_of_a_restore_says_how_far_it_came(tmp_path: Path) -> None:
    secrets = SecretsStore(tmp_path)
    assert unfinished(secrets) is None
    secrets.path(NOTE).write_text("{")
    with pytest.raises(HalfInitialisedError, match="damaged"):
        unfinished(secrets)
    note = Note("positions", "x", datetime(2020, 3, 24, tzinfo=UTC), None, "c", ())
    secrets.path(NOTE).write_bytes(msgspec.json.encode(note))
    assert unfinished(secrets) == note
