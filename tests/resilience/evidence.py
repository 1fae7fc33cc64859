"""What a run left behind: rows of the five databases, records of every topic, the council's cases, and the ledger.

Reads only. Nothing is taken from a counter that the system keeps.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition

from bdcan_contracts.catalogue import CATALOGUE
from bdcan_contracts.envelope import EnvelopeError, decode
from bdcan_local.kafka import ADMIN, client_options
from bdcan_local.processes import SERVICES, System, own_name
from bdcan_reconcile.reading import read_store
from bdcan_reconcile.rows import Case, Stores

from .scan import Trace

LATE = timedelta(minutes=30)
"""Domain time by which a deadline may be late before it counts as forgotten: 15 s at a demo's speed."""

Row = Mapping[str, Any]
Connections: TypeAlias = "Mapping[str, asyncpg.Connection[asyncpg.Record]]"


@dataclass(frozen=True, slots=True)
class Record:
    """A record as it lies in a topic. `key` and all after it are None, or empty, where it cannot be read as an event."""

    topic: str
    partition: int
    offset: int
    record_key: bytes | None
    digest: bytes
    type: str | None = None
    key: UUID | None = None
    time: datetime | None = None
    referral_id: UUID | None = None
    parcel_id: UUID | None = None
    diets: tuple[str, ...] = ()
    timestamp: int = -1
    answers: tuple[str, int, int] | None = None
    """Of a receipt: topic, partition and offset of the record that it is about."""

    @property
    def place(self) -> tuple[str, int, int]:
        """Where it lies."""
        return self.topic, self.partition, self.offset


@dataclass(frozen=True, slots=True)
class Sent:
    """The load generator's books: what went in, and what the people were told."""

    references: frozenset[tuple[str, str]] = frozenset()
    bad_references: frozenset[str] = frozenset()
    done: Counter[str] = field(default_factory=Counter)
    erased: Mapping[UUID, tuple[str, str]] = field(default_factory=dict)
    """Referrals whose resident asked to be erased, with source and reference."""


@dataclass(frozen=True)
class Evidence:
    """Everything that the invariants are judged by.

    Attributes:
        now: domain time when it was gathered.
        sent: the load generator's books.
        verdict: what the simulator's own report finds wrong, from the APIs.
        rows: by service and name of a query in `QUERIES`.
        records: of all topics, in the order of topic, partition and offset.
        stores: what reconcile reads of the databases, and the council's cases.
        unclean: processes that did not end well when they were asked to.
        absent: processes that did not come back.
        unerased: residents who asked to be erased, and are not.
        traces: where values of those who are erased were found.
    """

    now: datetime
    sent: Sent
    verdict: tuple[str, ...]
    rows: Mapping[tuple[str, str], list[Row]]
    records: list[Record]
    stores: Stores
    unclean: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    unerased: tuple[str, ...] = ()
    traces: tuple[Trace, ...] = ()

    def of(self, service: str, query: str) -> list[Row]:
        """The rows of a query."""
        return self.rows[service, query]


_CHASSIS = {
    "outbox": "SELECT traffic_class, seq, topic, id FROM chassis.outbox",
    "deadline": "SELECT kind, subject, due_at, failures, last_error FROM chassis.deadline",
    "inbox": """
        SELECT consumer, event_key, received_at, pg_xact_commit_timestamp(xmin) AS committed_at FROM chassis.inbox
    """,
    "dead_letter": """
        SELECT consumer, topic, record_partition, record_offset, record_key, state, reason, error FROM chassis.dead_letter
    """,
    "parked_key": "SELECT consumer, topic, record_key FROM chassis.parked_key",
}

QUERIES: dict[tuple[str, str], str] = {
    **{(service, name): sql for service in SERVICES for name, sql in _CHASSIS.items()},
    ("intake", "referral"): """
        SELECT id, source, coalesce(reference, past_reference) AS reference, state, hub_id, out_of_area, withdrawn_reason, outcome,
            previous_referral_id
        FROM referral
    """,
    ("intake", "person"): """
        SELECT referral_id FROM resident
        WHERE num_nonnulls(name, phone, phone_e164, email, birth_date, nhs_number, address, postcode, notes) > 0
        UNION ALL SELECT referral_id FROM note
    """,
    ("intake", "timeline"): "SELECT referral_id, event_key, at, kind FROM timeline",
    ("volunteer-match", "attempt"): """
        SELECT call_id, attempt, referral_id, outcome FROM call_attempt
        UNION ALL SELECT call_id, NULL, referral_id, outcome FROM uncounted_attempt
    """,
    ("volunteer-match", "task"): """
        SELECT task_id, referral_id, need_id, parcel_id, kind, state, unfilled FROM task
    """,
    ("volunteer-match", "concern"): "SELECT concern_id, task_id FROM concern",
    ("foodhub", "parcel"): """
        SELECT parcel_id, referral_id, need_id, site_id, state, code, lines, top_up, back_order, sent, departure FROM parcel
    """,
    ("foodhub", "stock"): "SELECT site_id, item_id, received, issued, wasted, on_hand, reserved FROM stock",
    ("foodhub", "movement"): "SELECT site_id, item_id, kind, quantity, cause FROM movement",
    ("escalation", "call_back"): "SELECT event_id, escalation_id, said FROM call_back",
}
"""What is read of each database. Never a name, an address or a word about a person."""


@asynccontextmanager
async def databases(system: System) -> AsyncIterator[Connections]:
    """A connection to each service's database, as the superuser and past the proxies."""
    async with AsyncExitStack() as stack:
        opened: dict[str, asyncpg.Connection[asyncpg.Record]] = {}
        for service in SERVICES:
            dsn = system.postgres.dsn(database=own_name(service))
            opened[service] = await asyncpg.connect(dsn, timeout=30)
            stack.push_async_callback(opened[service].close)
        yield opened


async def read_rows(connections: Connections) -> dict[tuple[str, str], list[Row]]:
    """The rows of all queries."""
    return {
        (service, name): [_plain(row) for row in await connections[service].fetch(sql)]
        for (service, name), sql in QUERIES.items()
    }


def _plain(row: asyncpg.Record) -> Row:
    found = dict(row)
    for name in ("lines", "top_up", "back_order", "sent", "departure"):
        if found.get(name) is not None:
            found[name] = json.loads(found[name])
    return found


async def read_records(system: System) -> list[Record]:
    """All records of all topics, from the first to the last that is there now."""
    consumer = AIOKafkaConsumer(
        **client_options(system.kafka.bootstrap, ADMIN, system.kafka.password),
        enable_auto_commit=False,
        fetch_max_wait_ms=100,
    )
    await consumer.start()
    try:
        partitions = [
            TopicPartition(topic.name, number)
            for topic in CATALOGUE.topics
            for number in range(topic.partitions)
        ]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        found: list[Record] = []
        while any([await consumer.position(place) < ends[place] for place in partitions]):
            for batch in (await consumer.getmany(timeout_ms=500, max_records=5000)).values():
                found.extend(_record(raw) for raw in batch)
    finally:
        await consumer.stop()
    return sorted(found, key=lambda r: (r.topic, r.partition, r.offset))


def _record(raw: Any) -> Record:
    digest = sha256(repr((raw.key, raw.headers, raw.value)).encode()).digest()
    place = (raw.topic, raw.partition, raw.offset, raw.key, digest)
    try:
        event = decode(CATALOGUE, raw.topic, raw.key, raw.headers, raw.value)
    except EnvelopeError:
        return Record(*place, timestamp=raw.timestamp)
    about = event.data
    quoted = getattr(about, "record", None)
    return Record(
        *place,
        event.type,
        event.key,
        event.time,
        getattr(about, "referral_id", None),
        getattr(about, "parcel_id", None),
        tuple(getattr(about, "diets", ())),
        raw.timestamp,
        (quoted.topic, quoted.partition, quoted.offset) if quoted else None,
    )


async def read_stores(connections: Connections, now: datetime, cases: list[Case]) -> Stores:
    """What reconcile reads, with the council's cases."""
    stores = Stores(now, cases=cases)
    for service in SERVICES:
        await read_store(connections[service], service, stores, None, now - LATE)
    return stores
