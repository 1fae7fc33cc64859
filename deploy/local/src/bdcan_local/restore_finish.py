"""The end of a restore, at the next start: each consumer reads again from before the backup. The inbox drops what the database knows.

Each database is told that it was restored, so that the services say so beside the head of their audit: a head that goes down
is then no cut. The chained file of restores keeps what the heads were.
"""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import asyncpg

from bdcan_chassis.audit import RESTORED_AT
from bdcan_local import chain
from bdcan_local.backup import groups_of_services
from bdcan_local.cluster import Cluster, Place
from bdcan_local.processes import SERVICES, own_name
from bdcan_local.restore import NOTE, Note, unfinished
from bdcan_local.secrets_store import SecretsStore

Say = Callable[[str], None]

RESTORES = "restores.jsonl"
"""Who restored what: a chained file among the secrets."""


@dataclass(frozen=True)
class Rewind:
    """Where each consumer begins, how many records that are, and by topic how many Kafka has forgotten."""

    positions: Mapping[Place, int]
    again: int
    forgotten: Mapping[str, int]


def rewind(
    noted: Mapping[Place, int],
    present: Mapping[Place, int],
    ranges: Mapping[tuple[str, int], tuple[int, int]],
    *,
    same_cluster: bool,
) -> Rewind:
    """From where each consumer must read so that it misses nothing: pure.

    Args:
        noted: what the backup says. A consumer or partition that is not in it is younger, and begins at the beginning.
        present: what the cluster says now.
        ranges: where the records of each partition begin and end now.
        same_cluster: whether the noted offsets are about these records at all.
    """
    positions: dict[Place, int] = {}
    again, forgotten = 0, dict[str, int]()
    for place in sorted({*noted, *present}):
        _, topic, partition = place
        if (topic, partition) not in ranges:
            continue
        first, end = ranges[topic, partition]
        wanted = noted.get(place, first) if same_cluster else first
        positions[place] = min(max(wanted, first), end)
        again += end - positions[place]
        if wanted < first:
            forgotten[topic] = max(forgotten.get(topic, 0), first - wanted)
    return Rewind(positions, again, forgotten)


async def finish(secrets: SecretsStore, kafka: Mapping[str, Any], postgres: str | None, say: Say) -> None:
    """Finish a restore if there is one. Call it when both servers answer, and before a service starts.

    `postgres`: the server, as its administrator; None where nobody here may act as one.
    """
    note = unfinished(secrets)
    if note is None:
        return
    found, same = await asyncio.to_thread(_set_back, note, kafka)
    heads = await _mark(postgres, datetime.now(UTC)) if postgres else {}
    chain.add(
        secrets.path(RESTORES),
        {
            "by": getpass.getuser(),
            "act": "restore",
            "backup": note.backup,
            "to": note.to and note.to.astimezone(UTC).isoformat(),
            "records_again": found.again,
            "audit_heads": heads,
        },
    )
    secrets.path(NOTE).unlink()
    _tell(note, found, say, same_cluster=same)
    for service, head in heads.items():
        say(f"the audit of {service} goes on from {head}")


def _set_back(note: Note, kafka: Mapping[str, Any]) -> tuple[Rewind, bool]:
    """Set the consumers back; returns from where they read, and whether Kafka is the same cluster."""
    with Cluster(kafka) as cluster:
        noted = {(one.group, one.topic, one.partition): one.offset for one in note.positions}
        present = cluster.positions(groups_of_services(cluster.groups()))
        ranges = cluster.ranges([(topic, partition) for _, topic, partition in {*noted, *present}])
        same = cluster.identity() == note.kafka_cluster
        found = rewind(noted, present, ranges, same_cluster=same)
        cluster.set_positions(found.positions)
    return found, same


async def _mark(postgres: str, at: datetime) -> dict[str, str]:
    """Tell each database when it was restored; returns where each audit ends now, as `SEQ:HASH`."""
    heads: dict[str, str] = {}
    for service in SERVICES:
        name = own_name(service)
        connection = await asyncpg.connect(postgres.rpartition("/")[0] + f"/{name}", timeout=10)
        try:
            await connection.execute(f"ALTER DATABASE {name} SET {RESTORED_AT} = '{at:%Y-%m-%dT%H:%M:%SZ}'")
            heads[service] = await connection.fetchval(_HEAD)
        finally:
            await connection.close()
    return heads


def _tell(note: Note, found: Rewind, say: Say, *, same_cluster: bool) -> None:
    say(f"restore of {note.backup}: consumers read {found.again} records again, and drop what they know")
    if not same_cluster:
        say("Kafka is another cluster: what was on its way at the time of the backup is lost.")
    for topic, count in found.forgotten.items():
        say(f"Kafka has forgotten records of {topic} since the backup (at most {count} of a partition).")
    say("When `bdcan lag` is 0, run `bdcan reconcile`: it names whom something was lost about.")


_HEAD = "SELECT coalesce((SELECT seq || ':' || encode(hash, 'hex') FROM chassis.audit ORDER BY seq DESC LIMIT 1), '0:')"
