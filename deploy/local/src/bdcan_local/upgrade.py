"""`bdcan upgrade --check`: run by the new release beside the old one, it says what an upgrade would do, and whether it may begin.

It changes nothing. A finding *stops* an upgrade, is a *note* for whoever does it, or is *well*.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import asyncpg
import requests
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from confluent_kafka import KafkaException
from msgspec import Struct, to_builtins

from bdcan_chassis.migrate import migrations_in
from bdcan_contracts.catalogue import CATALOGUE
from bdcan_contracts.envelope import EnvelopeError, decode, type_of
from bdcan_local import access
from bdcan_local import backup_manifest as manifests
from bdcan_local.backup import applied
from bdcan_local.cluster import Cluster
from bdcan_local.errors import PlatformError
from bdcan_local.letters import read as read_letters
from bdcan_local.places import Places
from bdcan_local.processes import SERVICES, own_name
from bdcan_local.restore import NOTE, code_migrations
from bdcan_local.root import NEEDED_BYTES
from bdcan_local.secrets_store import SecretsStore
from bdcan_local.table import lines, span

Level = Literal["stop", "note", "well"]
Say = Callable[[str], None]

BACKUP_WITHIN = timedelta(hours=26)
"""A backup that is older is no way back."""

_SAMPLE = 50
"""So many of the newest records of each partition are read."""
_MAJOR = "18"
_ALONE = "-- no transaction"
_BUILD = re.compile(r"^bdcan_build_info\{([^}]*)\}", re.MULTILINE)


class Finding(Struct, frozen=True):
    """What was looked at. `about` is a stable word for machines; `todo` is empty where there is nothing to do."""

    level: Level
    about: str
    says: str
    todo: str = ""


class Stored(Struct, frozen=True):
    """What a service's database says. `major`: of PostgreSQL. `data_bytes`: how large it is."""

    applied: dict[str, str]
    major: str
    data_bytes: int


def migrations(service: str, stored: Mapping[str, str]) -> Iterator[Finding]:
    """What the new release would migrate: pure but for the files of the release."""
    code = code_migrations()[service]
    if edited := sorted(name for name, digest in stored.items() if code.get(name, digest) != digest):
        yield Finding(
            "stop",
            "migrations",
            f"{service}: {', '.join(edited)} was applied with another text than this release has",
            "Take the release as it was published: an applied file is never edited.",
        )
    if newer := sorted(set(stored) - set(code)):
        yield Finding(
            "note",
            "migrations",
            f"{service}: this release does not know {', '.join(newer)}: a later one ran here",
            "That is well for a way back of one release, and for nothing else.",
        )
    pending = [name for name in code if name not in stored]
    alone = _alone(service)
    for name in pending:
        how = "builds beside running work" if name in alone else "waits for its tables, 5 s at most"
        yield Finding("note", "migrations", f"{service} will apply {name} ({how})")
    if not (edited or newer or pending):
        yield Finding("well", "migrations", f"{service} has all {len(code)}")


def topics(
    wanted: Sequence[access.TopicSpec],
    partitions: Mapping[str, int],
    settings: Mapping[str, Mapping[str, str]],
) -> Iterator[Finding]:
    """What `provision` would change about topics: pure."""
    for spec in wanted:
        if spec.name not in partitions:
            yield Finding("note", "topics", f"{spec.name} will be made ({spec.partitions} partitions)")
            continue
        if spec.partitions > partitions[spec.name]:
            grown = f"{partitions[spec.name]} to {spec.partitions}"
            yield Finding("note", "topics", f"{spec.name} will grow from {grown} partitions")
        for name, value in spec.config:
            has = settings.get(spec.name, {}).get(name)
            if has != value:
                yield Finding("note", "topics", f"{spec.name}: {name} will be {value} in place of {has}")


def permissions(
    wanted: Sequence[access.Grant], left: Sequence[access.Grant], has: Sequence[access.Grant]
) -> Iterator[Finding]:
    """What `provision` would grant, and what it would leave for `--revoke`: pure."""
    for grant in sorted(set(wanted) - set(has)):
        yield Finding("note", "permissions", f"{grant.user} gets {grant.operation.name} on {grant.name}")
    if left:
        yield Finding(
            "note",
            "permissions",
            f"{len(left)} permission(s) are not in the catalogue",
            "Take them away with `bdcan provision --revoke`, once no older release runs.",
        )


def backup_age(found: Sequence[manifests.Backup], now: datetime, directory: Path | None) -> Finding:
    """Whether there is a way back: pure."""
    todo = "Make one: bdcan backup DIRECTORY."
    if directory is None:
        return Finding(
            "stop", "backup", "no directory of backups was named", f"{todo} Then name it with --backups."
        )
    if not found:
        return Finding("stop", "backup", f"there is no backup in {directory}", todo)
    age = now - found[-1].manifest.ended_at
    said = f"the newest backup is {span(age.total_seconds())} old"
    return Finding("stop", "backup", said, todo) if age > BACKUP_WITHIN else Finding("well", "backup", said)


def unreadable(records: Mapping[tuple[str, str], int]) -> Iterator[Finding]:
    """Records that this release cannot read, by topic and reason: pure."""
    for (topic, reason), count in sorted(records.items()):
        yield Finding(
            "stop",
            "events",
            f"{topic}: this release cannot read {count} of the newest records: {reason}",
            "Its readers would park them. Upgrade to a release that knows them.",
        )
    if not records:
        yield Finding("well", "events", "this release reads the newest records of each topic")


async def check(places: Places, backups: Path | None, secrets: SecretsStore | None = None) -> list[Finding]:
    """Look at everything; what stops an upgrade comes first. Raises PlatformError where something does not answer.

    `secrets`: those of the system, where we have them; they name the systems outside.
    """
    stored = await _stored(places)
    letters = sum(len(one.ids) + one.queued for one in await read_letters(places))
    found = [finding for service in SERVICES for finding in migrations(service, stored[service].applied)]
    found += _server(stored, places, secrets)
    found += unreadable(await _unreadable(places.kafka))
    found += await asyncio.to_thread(_cluster, places, secrets)
    found.append(backup_age(manifests.backups(backups) if backups else [], manifests.now(), backups))
    if letters:
        found.append(
            Finding(
                "note",
                "dead-letters",
                f"{letters} record(s) are set aside, or queued behind one",
                "See `bdcan dead-letters`: replay after the upgrade what it repairs.",
            )
        )
    found += await asyncio.to_thread(_versions, places)
    order: Sequence[Level] = ("stop", "note", "well")
    return sorted(found, key=lambda one: order.index(one.level))


def show(
    places: Places, backups: Path | None, say: Say, secrets: SecretsStore | None = None, *, as_json: bool
) -> int:
    """Say what was found. Returns 1 if an upgrade may not begin."""
    found = asyncio.run(check(places, backups, secrets))
    ready = not any(one.level == "stop" for one in found)
    if as_json:
        say(json.dumps({"ready": ready, "findings": to_builtins(found)}, indent=2))
        return 0 if ready else 1
    for line in lines(("", "about", "what"), [(one.level, one.about, one.says) for one in found]):
        say(line)
    for one in found:
        if one.level == "stop":
            say(f"{one.about}: {one.todo}")
    say("ready" if ready else "not ready")
    return 0 if ready else 1


async def _stored(places: Places) -> dict[str, Stored]:
    found: dict[str, Stored] = {}
    for service, dsn in places.databases.items():
        try:
            connection = await asyncpg.connect(dsn, timeout=10)
            try:
                major = (await connection.fetchval("SHOW server_version")).partition(".")[0]
                size = await connection.fetchval("SELECT pg_database_size(current_database())")
            finally:
                await connection.close()
            found[service] = Stored(await applied(dsn), major, size)
        except (OSError, TimeoutError, asyncpg.PostgresError) as error:
            raise PlatformError(
                f"{service}'s database does not answer ({type(error).__name__})", "Look at `bdcan status`."
            ) from error
    return found


def _server(stored: Mapping[str, Stored], places: Places, secrets: SecretsStore | None) -> Iterator[Finding]:
    if strange := {one.major for one in stored.values()} - {_MAJOR}:
        yield Finding(
            "stop",
            "postgres",
            f"PostgreSQL {', '.join(sorted(strange))} runs, and this release is made for {_MAJOR}",
            "Upgrade the server first.",
        )
    if secrets is not None and secrets.path(NOTE).exists():
        yield Finding("stop", "restore", "a restore is not finished", "Start the system: that finishes it.")
    if places.system is None:
        return
    free = shutil.disk_usage(places.system.data).free
    needed = NEEDED_BYTES + sum(one.data_bytes for one in stored.values())
    said = f"{free // 2**20} MB are free, and {needed // 2**20} MB would be enough for each table to be written anew"
    if free < needed:
        yield Finding("stop", "disk", said, "Free some space.")
    else:
        yield Finding("well", "disk", said)


def _cluster(places: Places, secrets: SecretsStore | None) -> list[Finding]:
    upstreams, outsiders = (), []
    if secrets is not None:
        upstreams, outsiders = secrets.upstreams(), secrets.outsiders(datetime.now(UTC))
    wanted = access.topic_specs(CATALOGUE.topics, upstreams)
    try:
        with Cluster(places.kafka) as cluster:
            partitions = cluster.partitions()
            settings = cluster.settings([spec.name for spec in wanted if spec.name in partitions])
            grants = cluster.grants()
    except KafkaException as error:
        raise PlatformError(f"Kafka does not answer ({error})", "Look at `bdcan status`.") from error
    left = access.superfluous(grants, CATALOGUE.topics, outsiders)
    found = [
        *topics(wanted, partitions, settings),
        *permissions(access.grants(CATALOGUE.topics, outsiders), left, grants),
    ]
    return found or [Finding("well", "topics", "`provision` would change nothing")]


async def _unreadable(kafka: Mapping[str, Any]) -> Counter[tuple[str, str]]:
    """How many of the newest records cannot be read. What strangers write is left out: it is answered, not parked."""
    found: Counter[tuple[str, str]] = Counter()
    try:
        async with AIOKafkaConsumer(**kafka, enable_auto_commit=False) as consumer:
            there = await consumer.topics()
            places = [
                TopicPartition(topic.name, number)
                for topic in CATALOGUE.topics
                if topic.name in there and not topic.per_sender
                for number in range(topic.partitions)
            ]
            firsts, ends = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
            for place in places:
                first = max(firsts[place], ends[place] - _SAMPLE)
                if first >= ends[place]:
                    continue
                consumer.assign([place])
                consumer.seek(place, first)
                while await consumer.position(place) < ends[place]:
                    for record in (await consumer.getmany(place, timeout_ms=1000)).get(place, ()):
                        if why := _why_unreadable(record):
                            found[place.topic, why] += 1
    except (KafkaError, OSError, TimeoutError) as error:
        raise PlatformError(
            f"Kafka does not answer ({type(error).__name__})", "Look at `bdcan status`."
        ) from error
    return found


def _why_unreadable(record: Any) -> str | None:
    if record.value is None:  # a tombstone of a compacted topic
        return None
    try:
        decode(CATALOGUE, record.topic, record.key, record.headers, record.value)
    except EnvelopeError as error:
        return f"{error.reason} ({type_of(record.headers) or 'no type'})"
    return None


def _versions(places: Places) -> list[Finding]:
    """Which versions run."""
    if places.system is None:
        urls = dict(places.apis)
    else:
        urls = {
            f"{service}-{kind}": places.system.url(f"{service}-{kind}")
            for service in SERVICES
            for kind in ("api", "worker")
        }
    running: defaultdict[str, list[str]] = defaultdict(list)
    for name, url in sorted(urls.items()):
        running[_version(url)].append(name)
    return [
        Finding("note" if len(running) > 1 else "well", "versions", f"{version}: {', '.join(names)}")
        for version, names in sorted(running.items())
    ]


def _version(url: str) -> str:
    try:
        answer = requests.get(f"{url}/metrics", timeout=5)
        answer.raise_for_status()
    except requests.RequestException:
        return "no answer"
    found = _BUILD.search(answer.content.decode("utf-8", "replace"))
    return found[1].replace('"', "") if found else "unknown"


def _alone(service: str) -> set[str]:
    """The migrations that run outside a transaction."""
    return {
        migration.name
        for package in ("bdcan_chassis", f"{own_name(service)}.store")
        for migration in migrations_in(package)
        if migration.sql.startswith(_ALONE)
    }
