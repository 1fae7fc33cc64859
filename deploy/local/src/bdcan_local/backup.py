"""`bdcan backup`: the five databases at one moment, the secrets, and how far each consumer had read, while all of it runs.

The positions are noted first. A consumer commits its offset after its database, so the copy has all that was read by then.
"""

from __future__ import annotations

import asyncio
import io
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import quote

import asyncpg
import msgspec
from confluent_kafka import KafkaException

from bdcan_local import backup_manifest as manifests
from bdcan_local.backup_manifest import Backup, Head, Manifest, Position
from bdcan_local.cluster import Cluster
from bdcan_local.errors import MachineError, PlatformError
from bdcan_local.kafka import ADMIN, client_options
from bdcan_local.postgres import SUPERUSER, binaries
from bdcan_local.processes import SERVICES, System, own_name
from bdcan_local.secrets_store import SecretsStore

Say = Callable[[str], None]

_HEAD = "SELECT seq, encode(hash, 'hex') FROM chassis.audit ORDER BY seq DESC LIMIT 1"
_SPARE_BYTES = 200 * 2**20


@dataclass(frozen=True)
class Site:
    """What is backed up: a PostgreSQL server that is ours, a cluster, and the directory of the secrets."""

    host: str
    port: int
    kafka: Mapping[str, Any]
    secrets: SecretsStore

    @property
    def password(self) -> str:
        """The superuser's."""
        return self.secrets.get("postgres", SUPERUSER)

    def dsn(self, database: str = "postgres") -> str:
        """A database, as the superuser."""
        return f"postgresql://{SUPERUSER}:{quote(self.password, safe='')}@{self.host}:{self.port}/{database}"


def of_system(system: System) -> Site:
    """A system on this machine."""
    kafka = client_options(system.kafka.bootstrap, ADMIN, system.kafka.password)
    return Site("127.0.0.1", system.postgres.port, kafka, system.secrets)


def of_servers(postgres: str, kafka: str, secrets: Path) -> Site:
    """Servers by their addresses, HOST:PORT."""
    host, _, port = postgres.partition(":")
    store = SecretsStore(secrets)
    return Site(host, int(port or 5432), client_options(kafka, ADMIN, store.get("kafka", ADMIN)), store)


def back_up(site: Site, directory: Path, say: Say) -> Backup:
    """Make a backup in a directory. Raises PlatformError; what was made then is no backup, and the next one removes it."""
    with manifests.locked(directory):
        manifests.prune(directory, manifests.now(), manifests.KEPT_FOR)
        return _back_up(site, directory, say)


def _back_up(site: Site, directory: Path, say: Say) -> Backup:
    started_at = manifests.now()
    name = started_at.strftime(manifests.NAME)
    # a name of its own: PostgreSQL's program may outlive a killed backup, and goes on writing to that one's directory
    path = Path(tempfile.mkdtemp(manifests.PARTIAL, f"{name}.", directory))
    cluster, positions = _positions(site)
    facts = asyncio.run(_facts(site))
    free = shutil.disk_usage(directory).free
    if free < facts.data_bytes + _SPARE_BYTES:
        raise MachineError(
            f"only {free // 2**20} MB are free in {directory}, and the databases have {facts.data_bytes // 2**20} MB",
            "Free some space, or name a directory on another disk.",
        )
    _copy_server(site, path)
    _tar(site.secrets.path(), path / "secrets.tar")
    manifest = Manifest(
        format=manifests.FORMAT,
        started_at=started_at,
        ended_at=manifests.now(),
        release=version("bdcan-local"),
        postgres=facts.postgres,
        system=facts.system,
        **_log_needed(path / "backup_manifest"),
        data_bytes=facts.data_bytes,
        kafka_cluster=cluster,
        positions=positions,
        migrations=facts.migrations,
        audit_heads=facts.audit_heads,
        files=manifests.digests(path),
    )
    manifests.write(path, manifest)
    _sync(path)
    done = path.rename(directory / name)
    _sync(directory)
    size = sum(size for _, size in manifest.files.values())
    took = (manifest.ended_at - started_at).total_seconds()
    say(f"{done}: {size / 2**20:.0f} MB, five databases and {len(positions)} positions in {took:.1f} s")
    return Backup(done, manifest)


class _Facts(msgspec.Struct, frozen=True):
    postgres: str
    system: str
    data_bytes: int
    migrations: dict[str, dict[str, str]]
    audit_heads: dict[str, Head]


async def _facts(site: Site) -> _Facts:
    try:
        server = await asyncpg.connect(site.dsn(), timeout=10)
        try:
            postgres = (await server.fetchval("SHOW server_version")).partition(" ")[0]
            system = str(await server.fetchval("SELECT system_identifier FROM pg_control_system()"))
            size = await server.fetchval("SELECT sum(pg_database_size(oid))::bigint FROM pg_database")
        finally:
            await server.close()
        migrations, heads = {}, {}
        for service in SERVICES:
            migrations[service] = await applied(site.dsn(own_name(service)))
            heads[service] = await _head(site.dsn(own_name(service)))
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        raise PlatformError(
            f"PostgreSQL does not answer ({type(error).__name__})", "Look at `bdcan status`, and try again."
        ) from error
    return _Facts(postgres, system, size, migrations, heads)


async def applied(dsn: str) -> dict[str, str]:
    """The migrations of a database, each with the SHA-256 of its text. None where nothing was migrated yet."""
    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        if not await connection.fetchval("SELECT to_regclass('schema_migration') IS NOT NULL"):
            return {}
        rows = await connection.fetch("SELECT name, sha256 FROM schema_migration ORDER BY applied_at, name")
        return {row["name"]: row["sha256"] for row in rows}
    finally:
        await connection.close()


async def _head(dsn: str) -> Head:
    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        if not await connection.fetchval("SELECT to_regclass('chassis.audit') IS NOT NULL"):
            return Head(0, "")
        row = await connection.fetchrow(_HEAD)
        return Head(row[0], row[1]) if row else Head(0, "")
    finally:
        await connection.close()


def _positions(site: Site) -> tuple[str, tuple[Position, ...]]:
    try:
        with Cluster(site.kafka) as cluster:
            found = cluster.positions(groups_of_services(cluster.groups()))
            return cluster.identity(), tuple(
                Position(group, topic, partition, offset)
                for (group, topic, partition), offset in sorted(found.items())
            )
    except KafkaException as error:
        raise PlatformError(
            f"Kafka does not answer ({error})", "Look at `bdcan status`, and try again."
        ) from error


def groups_of_services(groups: Sequence[str]) -> list[str]:
    """The groups of the services' consumers. The pulse keeps what it knows in Kafka, so it is not set back."""
    ours = tuple(f"bdcan.{service}." for service in SERVICES)
    return sorted(
        group for group in groups if group.startswith(ours) and not group.startswith("bdcan.routing.pulse")
    )


def _copy_server(site: Site, path: Path) -> None:
    _run(
        site,
        ("pg_basebackup", "--pgdata", str(path), *address(site), "--label", path.name),
        ("--format=tar", "--compress=client-gzip:1", "--wal-method=stream", "--checkpoint=fast"),
        ("--manifest-checksums=SHA256", "--no-sync", "--no-password"),
    )
    # what is in the copy is what PostgreSQL says that it sent, and the log in it can be read
    _run(site, ("pg_verifybackup", "--format=tar", "--no-parse-wal", "--quiet", str(path)))


def address(site: Site) -> tuple[str, ...]:
    """How PostgreSQL's programs find the server."""
    return ("--host", site.host, "--port", str(site.port), "--username", SUPERUSER)


def environment(site: Site) -> dict[str, str]:
    """What PostgreSQL's programs see of the environment: a password among their words could be read by anybody."""
    return {"PGPASSWORD": site.password, "LC_ALL": "C", "TZ": "UTC", "PATH": "/usr/bin:/bin"}


def _run(site: Site, program: tuple[str, ...], *more: tuple[str, ...]) -> None:
    name, *words = program
    argv = [str(binaries() / name), *words, *(word for part in more for word in part)]
    ran = subprocess.run(argv, env=environment(site), capture_output=True, text=True, check=False)  # noqa: S603 # the words are ours
    if ran.returncode != 0:
        reason = (ran.stderr.strip().splitlines() or ["no message"])[-1]
        raise PlatformError(
            f"{name} failed: {reason}", "Look at the server's log, and make the backup again."
        )


def _log_needed(postgres_manifest: Path) -> dict[str, Any]:
    """The part of the server's log that the copy needs, as PostgreSQL wrote it down."""
    [needed] = msgspec.json.decode(postgres_manifest.read_bytes())["WAL-Ranges"]
    return {
        "timeline": needed["Timeline"],
        "start_lsn": needed["Start-LSN"],
        "end_lsn": needed["End-LSN"],
    }


def _tar(folder: Path, into: Path) -> None:
    """Pack the secrets. A file that is being replaced is taken as it was, or as it is."""
    with tarfile.open(into, "w") as packed:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink() and path.suffix != ".new":
                content = path.read_bytes()
                entry = packed.gettarinfo(path, str(path.relative_to(folder)))
                entry.size = len(content)
                packed.addfile(entry, io.BytesIO(content))


def _sync(directory: Path) -> None:
    """All that is in the directory survives a loss of power from now on."""
    for path in (*directory.iterdir(), directory):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
