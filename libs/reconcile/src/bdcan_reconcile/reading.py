"""Reads the five databases, each in one read-only snapshot. Set by set: no statement is about one row.

Times of the deadlines are domain time; how long an event has waited in an outbox is real time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from typing import Any, Self, TypeAlias, TypeVar
from uuid import UUID

import asyncpg
from msgspec import Struct

from bdcan_chassis.clock import Clock
from bdcan_reconcile.rows import (
    SERVICES,
    Assignment,
    Call,
    Deadline,
    Escalation,
    Known,
    Letter,
    Need,
    Parcel,
    Referral,
    Stores,
    Task,
    Unsent,
)

S = TypeVar("S", bound=Struct)
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

LATE_SECONDS = 60.0
"""Real seconds by which a deadline may be late, and for which an event may wait in an outbox, before somebody must look."""

_LETTERS = 5000
"""Dead letters that are read at most of each service."""


class UnreadableError(Exception):
    """A database does not answer, or does not have what this release reads."""


class Outbox(Struct, frozen=True):
    """How far a service's outbox had come when it was read: the newest number of each traffic class."""

    service: str
    newest: dict[str, int]


class Readings(Struct, frozen=True):
    """One reading: the rows, and how far each outbox had come."""

    stores: Stores
    outboxes: tuple[Outbox, ...]


class Databases:
    """The five databases, each through one connection that cannot write."""

    def __init__(self, dsns: Mapping[str, str], clock: Clock) -> None:
        self._dsns = dsns
        self._clock = clock
        self._stack = AsyncExitStack()
        self._connections: dict[str, Connection] = {}

    async def __aenter__(self) -> Self:
        try:
            for service in SERVICES:
                connection = await asyncpg.connect(
                    self._dsns[service],
                    timeout=10,
                    command_timeout=60,
                    server_settings={
                        "default_transaction_read_only": "on",
                        "application_name": "bdcan.reconcile",
                    },
                )
                self._stack.push_async_callback(connection.close, timeout=5)
                self._connections[service] = connection
        except (OSError, TimeoutError, asyncpg.PostgresError) as error:
            await self._stack.aclose()
            raise UnreadableError(f"a database does not answer ({type(error).__name__})") from error
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def read(self, referral_ids: Collection[UUID] | None = None) -> Readings:
        """All rows, or those about some referrals. Raises UnreadableError."""
        stores = Stores(self._clock.now())
        late = stores.now - timedelta(seconds=LATE_SECONDS) * _speed(self._clock)
        try:
            outboxes = await asyncio.gather(
                *(self._read_one(service, stores, referral_ids, late) for service in SERVICES)
            )
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise UnreadableError(f"a database does not answer ({type(error).__name__}: {error})") from error
        return Readings(stores, tuple(outboxes))

    async def unsent(self, outboxes: Collection[Outbox]) -> dict[str, int]:
        """How many events wait by topic, of those that were there at a reading."""
        found: dict[str, int] = {}
        for outbox in outboxes:
            rows = await self._connections[outbox.service].fetch(
                _STILL_UNSENT, list(outbox.newest), list(outbox.newest.values())
            )
            for row in rows:
                found[row["topic"]] = found.get(row["topic"], 0) + row["count"]
        return found

    async def find(self, named: str) -> list[UUID]:
        """The referrals that a reference, or an id of anything of theirs, may mean."""
        try:
            thing = UUID(named)
        except ValueError:
            rows = await self._connections["intake"].fetch(BY_REFERENCE, named)
            return [row["id"] for row in rows]
        found: list[UUID] = []
        for service, sql in _BY_ID:
            found += [row["referral_id"] for row in await self._connections[service].fetch(sql, thing)]
        return list(dict.fromkeys(found))

    async def fetch(self, service: str, sql: str, *arguments: object) -> list[asyncpg.Record]:
        """Rows of one more query, for those who tell a story."""
        return await self._connections[service].fetch(sql, *arguments)

    async def _read_one(
        self, service: str, stores: Stores, referral_ids: Collection[UUID] | None, late: datetime
    ) -> Outbox:
        connection = self._connections[service]
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            await read_store(connection, service, stores, referral_ids, late)
            newest = await connection.fetch(_NEWEST)
        return Outbox(service, {row["traffic_class"]: row["seq"] for row in newest})


async def read_store(
    connection: Connection,
    service: str,
    stores: Stores,
    referral_ids: Collection[UUID] | None,
    late: datetime,
) -> None:
    """Add what a service has stored to `stores`. `late`: a deadline before this time is forgotten."""
    only = None if referral_ids is None else list(referral_ids)
    for name, row_type, sql in QUERIES[service]:
        setattr(stores, name, _structs(row_type, await connection.fetch(sql, only)))
    stores.deadlines += [Deadline(service, *row) for row in await connection.fetch(_OVERDUE, late)]
    stores.unsent += [Unsent(service, *row) for row in await connection.fetch(_UNSENT, LATE_SECONDS)]
    stores.letters += [_letter(service, row) for row in await connection.fetch(_OPEN, _LETTERS)]


def _structs(row_type: type[S], rows: list[asyncpg.Record]) -> list[S]:
    return [row_type(*row) for row in rows]


def _speed(clock: Clock) -> float:
    """Domain seconds in a real one."""
    return 1.0 / clock.real_seconds(timedelta(seconds=1))


def _letter(service: str, row: asyncpg.Record) -> Letter:
    columns = dict(row)
    about = columns.pop("about")
    return Letter(service=service, referral_id=about and UUID(about), **columns)


_REFERRALS = """
SELECT t.id, t.state, t.hub_id, t.owner, t.due_at, t.called, t.out_of_area, t.withdrawn_reason IS NOT NULL, t.outcome,
    t.assignment_version, t.closed_at, t.changed_at, d.due_at
FROM referral AS t LEFT JOIN chassis.deadline AS d ON d.kind = 'assignment-due' AND d.subject = t.id
WHERE $1::uuid[] IS NULL OR t.id = ANY ($1)
"""

_NEEDS = """
SELECT referral_id, id, code, lane, state, reason, owner, due_at FROM need
WHERE $1::uuid[] IS NULL OR referral_id = ANY ($1)
"""

_ASSIGNMENTS = """
SELECT t.referral_id, t.state, t.hub_id, t.version, t.triage_due_at, t.changed_at, d.due_at
FROM assignment AS t LEFT JOIN chassis.deadline AS d ON d.kind = 'triage-due' AND d.subject = t.referral_id
WHERE $1::uuid[] IS NULL OR t.referral_id = ANY ($1)
"""

_CALLS = """
SELECT t.referral_id, t.call_id, t.state, t.hub_id, t.ended, t.due_at, t.claim_expires_at, t.review, t.review_by,
    t.changed_at, c.due_at, r.due_at, a.due_at
FROM welfare_call AS t LEFT JOIN chassis.deadline AS c ON c.kind = 'claim' AND c.subject = t.referral_id
    LEFT JOIN chassis.deadline AS r ON r.kind = 'review' AND r.subject = t.referral_id
    LEFT JOIN chassis.deadline AS a ON a.kind = 'call' AND a.subject = t.referral_id
WHERE $1::uuid[] IS NULL OR t.referral_id = ANY ($1)
"""

_TASKS = """
SELECT t.referral_id, t.task_id, t.need_id, t.parcel_id, t.kind, t.state, t.hub_id, t.due_at, t.stopped_by,
    CASE t.state WHEN 'open' THEN t.alarm_at WHEN 'offered' THEN t.offer_expires_at
        WHEN 'accepted' THEN t.do_by + interval '24 hours' END,
    t.changed_at, d.due_at
FROM task AS t LEFT JOIN chassis.deadline AS d ON d.kind = 'task' AND d.subject = t.task_id
WHERE $1::uuid[] IS NULL OR t.referral_id = ANY ($1)
"""

_PARCELS = """
SELECT t.referral_id, t.parcel_id, t.need_id, t.state, t.hub_id, t.due_at, t.retry_at, t.changed_at, d.due_at, r.due_at
FROM parcel AS t LEFT JOIN chassis.deadline AS d ON d.kind = 'parcel-due' AND d.subject = t.parcel_id
    LEFT JOIN chassis.deadline AS r ON r.kind = 'parcel-retry' AND r.subject = t.parcel_id
WHERE $1::uuid[] IS NULL OR t.referral_id = ANY ($1)
"""

_ESCALATIONS = """
SELECT t.referral_id, t.escalation_id, t.kind,
    ARRAY(SELECT (n ->> 'need_id')::uuid FROM jsonb_array_elements(t.needs) AS n), t.state, t.hub_id, t.due_at, t.case_id,
    t.outcome, t.changed_at, d.due_at
FROM escalation AS t LEFT JOIN chassis.deadline AS d ON d.kind = 'escalation-late' AND d.subject = t.escalation_id
WHERE $1::uuid[] IS NULL OR t.referral_id = ANY ($1)
"""

_KNOWN = "SELECT referral_id, hub_id FROM referral WHERE $1::uuid[] IS NULL OR referral_id = ANY ($1)"

QUERIES: Mapping[str, tuple[tuple[str, type[Any], str], ...]] = {
    "intake": (("referrals", Referral, _REFERRALS), ("needs", Need, _NEEDS)),
    "routing": (("assignments", Assignment, _ASSIGNMENTS),),
    "volunteer-match": (("calls", Call, _CALLS), ("tasks", Task, _TASKS)),
    "foodhub": (("parcels", Parcel, _PARCELS), ("foodhub", Known, _KNOWN)),
    "escalation": (("escalations", Escalation, _ESCALATIONS), ("escalation", Known, _KNOWN)),
}
"""By service: the list of `Stores` that is filled, its row, and the statement. $1: only these referrals; NULL: all."""

_EVERYWHERE: Mapping[str, tuple[str, ...]] = {
    "chassis.deadline": ("kind", "subject", "due_at"),
    "chassis.watched_deadline": ("kind", "subject", "due_at", "failures", "error"),
    "chassis.watched_letter": (
        "seq",
        "id",
        "consumer",
        "topic",
        "state",
        "reason",
        "error",
        "event_type",
        "about",
    ),
    "chassis.outbox": ("traffic_class", "seq", "topic", "created_at"),
}
_WORDS: Mapping[str, Mapping[str, str]] = {
    "intake": {
        "referral": "id state hub_id owner due_at called out_of_area withdrawn_reason outcome assignment_version"
        " closed_at changed_at",
        "need": "referral_id id code lane state reason owner due_at",
    },
    "routing": {"assignment": "referral_id state hub_id version triage_due_at changed_at"},
    "volunteer-match": {
        "welfare_call": "referral_id call_id state hub_id ended due_at claim_expires_at review review_by changed_at",
        "task": "referral_id task_id need_id parcel_id kind state hub_id due_at stopped_by alarm_at offer_expires_at"
        " do_by changed_at",
    },
    "foodhub": {
        "parcel": "referral_id parcel_id need_id state hub_id due_at retry_at changed_at",
        "referral": "referral_id hub_id",
    },
    "escalation": {
        "escalation": "referral_id escalation_id kind needs state hub_id due_at case_id outcome changed_at",
        "referral": "referral_id hub_id",
    },
}

READS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    service: {**{table: tuple(words.split()) for table, words in tables.items()}, **_EVERYWHERE}
    for service, tables in _WORDS.items()
}
"""By service: the tables and columns that the statements above and below read. A role that reconciles may read no others."""

_OVERDUE = """
SELECT kind, subject, due_at, failures, error FROM chassis.watched_deadline
WHERE due_at < $1 OR failures > 0 ORDER BY due_at LIMIT 5000
"""

_UNSENT = """
SELECT topic, count(*), extract(epoch FROM now() - min(created_at))::float8 FROM chassis.outbox
GROUP BY topic HAVING min(created_at) < now() - make_interval(secs => $1)
"""

_OPEN = """
SELECT id AS letter_id, consumer, topic, state, reason, error, event_type, about
FROM chassis.watched_letter ORDER BY seq LIMIT $1
"""

_NEWEST = "SELECT traffic_class, max(seq) AS seq FROM chassis.outbox GROUP BY traffic_class"

_STILL_UNSENT = """
SELECT o.topic, count(*) AS count FROM chassis.outbox AS o
JOIN unnest($1::text[], $2::bigint[]) AS n (traffic_class, seq) ON o.traffic_class = n.traffic_class AND o.seq <= n.seq
GROUP BY o.topic
"""

BY_REFERENCE = """
SELECT id FROM referral WHERE told_reference = $1 OR source || ':' || told_reference = $1 OR reference_key = ANY (ARRAY(
    SELECT reference_digest(s.source, $1) FROM (SELECT DISTINCT source FROM referral) AS s
    UNION ALL SELECT reference_digest(split_part($1, ':', 1), substr($1, strpos($1, ':') + 1))
)) ORDER BY id
"""

_BY_ID = (
    ("intake", "SELECT id AS referral_id FROM referral WHERE id = $1"),
    ("intake", "SELECT referral_id FROM need WHERE id = $1"),
    ("volunteer-match", "SELECT referral_id FROM welfare_call WHERE call_id = $1 OR referral_id = $1"),
    ("volunteer-match", "SELECT referral_id FROM task WHERE task_id = $1"),
    ("foodhub", "SELECT referral_id FROM parcel WHERE parcel_id = $1"),
    ("escalation", "SELECT referral_id FROM escalation WHERE escalation_id = $1 OR referral_id = $1"),
    ("routing", "SELECT referral_id FROM assignment WHERE referral_id = $1"),
)
