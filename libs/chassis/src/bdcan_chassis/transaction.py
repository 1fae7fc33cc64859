"""One transaction: state, outgoing events and deadlines commit together, or none of them does.

Application code gets a Tx and never calls commit. The Tx collects events, deadlines and the reply to a request in memory.
When the transaction ends, one statement writes them, after the state, with rows that nobody reads before (`add`). An
aggregate's row is thus locked before its events get their sequence numbers, and the outbox has each aggregate's events in
the order of its states.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Hashable,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cache
from itertools import zip_longest
from typing import Any, NamedTuple, Protocol, TypeAlias, TypeVar
from uuid import UUID

import orjson
from msgspec import Struct
from prometheus_client import Counter
from pydantic import BaseModel

from bdcan_chassis import audit as chain
from bdcan_chassis.calendar import Calendar, make_calendar
from bdcan_chassis.clock import Clock
from bdcan_chassis.database import Connection, Pool, are_many, columns
from bdcan_chassis.errors import BadRecordError, ChassisError
from bdcan_chassis.ids import NUMBER, new_id
from bdcan_chassis.messages.message import MESSAGE, Message, wait_until
from bdcan_chassis.messages.message import PASS as SENDING
from bdcan_chassis.table import Statement, Table
from bdcan_chassis.tracing import Span, Tracer, Unit, current_unit, fresh_context, remember
from bdcan_chassis.wake import Waker
from bdcan_contracts.envelope import Catalogue, encode_body, encode_headers, source_of
from bdcan_contracts.upstreams import Upstreams

S = TypeVar("S", bound=Struct)

MAX_BODY_BYTES = 500_000
"""Half of what a broker takes by default: an event that no broker takes would hold up its traffic class for ever."""


MOST_SKEW = timedelta(hours=1)
"""How far a unit's time may be moved on from its own clock: one mad clock must not carry everybody away."""


LOOK_SECONDS = 10.0
"""Whoever fires deadlines looks at least so often, because a NOTIFY may be lost."""

_SOON_SECONDS = 2 * LOOK_SECONDS  # a deadline that is further away needs no wake


class _Outgoing(NamedTuple):
    traffic_class: str
    id: UUID
    topic: str
    record_key: bytes
    headers: bytes
    body: bytes


class _Reply(NamedTuple):
    caller: str
    key: str
    request_hash: bytes
    status: int
    reply: bytes


class Cause(Protocol):
    """What an event follows from: another event, or a record of an upstream system."""

    @property
    def traceparent(self) -> str | None: ...  # noqa: D102


class DoneBeforeError(ChassisError):
    """This key already has a stored reply."""


# by kind and subject; None takes one back
_Deadlines: TypeAlias = dict[str, dict[UUID, datetime | None]]


@dataclass(frozen=True, slots=True)
class Mark:
    """A point in a transaction to go back to."""

    events: int
    deadlines: _Deadlines
    wakes: frozenset[str]
    added: tuple[tuple[Table[Any], Struct], ...]
    audited: int
    forgotten: frozenset[UUID]
    counted: int
    traces: Mapping[UUID, Span]


@dataclass(slots=True)
class Tx:
    """A running transaction. `now` is the one instant at which all of it happens, in domain time."""

    connection: Connection
    now: datetime
    service: str
    catalogue: Catalogue
    deadline_kinds: Collection[str]
    clock: Clock
    traceparent: str | None = None
    calendar: Calendar = field(default_factory=make_calendar)
    upstreams: Upstreams = field(default_factory=Upstreams)
    """The upstream systems, as they were when the transaction began."""
    unit: Unit | None = None
    """The unit of work that it belongs to; None where nothing is traced."""
    _events: list[_Outgoing] = field(default_factory=list)
    _deadlines: _Deadlines = field(default_factory=lambda: defaultdict(dict))
    _wakes: set[str] = field(default_factory=set)
    _added: list[tuple[Table[Any], Struct]] = field(default_factory=list)
    _audited: list[chain.Entry] = field(default_factory=list)
    _forgotten: set[UUID] = field(default_factory=set)
    _counted: list[Counter] = field(default_factory=list)
    _traces: dict[UUID, Span] = field(default_factory=dict)
    _reply: _Reply | None = None
    _latest: datetime = field(init=False)

    def __post_init__(self) -> None:
        self._latest = self.now + MOST_SKEW

    @property
    def today(self) -> date:
        """The local date: the one that people here mean by today."""
        return self.calendar.local_date(self.now)

    def emit(
        self,
        data: BaseModel,
        *,
        cause: Cause | None = None,
        traffic_class: str | None = None,
        topic: str | None = None,
    ) -> UUID:
        """Publish an event when the transaction commits; returns its id.

        Topic, key and subject follow from the body's type; `traffic_class` chooses where a type has several topics, and `topic`
        names an upstream system's own. `cause` passes on the trace. Raises LookupError for a type that this service does not own
        or another topic than the type's, and BadRecordError for a body above MAX_BODY_BYTES.
        """
        event_type = self.catalogue.of(type(data))
        kind = event_type.topic_in(traffic_class) if topic is None else self.catalogue.topic_of(topic)
        if kind not in event_type.topics:
            raise LookupError(f"a {event_type.type} does not belong on {topic}")
        if self.service not in kind.writers:
            raise LookupError(f"{self.service} may not write to {kind.name}")
        body = encode_body(data)
        if len(body) > MAX_BODY_BYTES:
            raise BadRecordError(
                "event-too-large", f"a {event_type.type} has {len(body)} bytes, {MAX_BODY_BYTES} are allowed"
            )
        event_id = new_id()
        subject = event_type.subject_of(data)
        trace = cause.traceparent if cause else self.traceparent
        if self.unit is not None:
            trace = self._traced(self.unit, data, cause)
        trace = trace or fresh_context().traceparent  # so that what follows can be told from what does not
        headers = encode_headers(event_type, event_id, source_of(self.service), subject, self.now, trace)
        self._events.append(
            _Outgoing(
                kind.traffic_class,
                event_id,
                topic or kind.name,
                subject.encode(),
                pack_headers(headers),
                body,
            )
        )
        return event_id

    def begin_traces(
        self, name: str, keys: Sequence[Hashable], said: Sequence[str | None] = ()
    ) -> Sequence[Cause]:
        """A trace for each of many things that came together. `said`: the traces of their senders, which are linked."""
        if self.unit is None:
            return ()
        unit = self.unit
        return [unit.begin(name, key, theirs) for key, theirs in zip_longest(keys, said)]

    def follow(self, unit: Unit, key: Any, cause: Cause | None) -> Cause | None:
        """What the events about a row follow from, in its trace. The transaction keeps where that has got to."""
        follows = unit.follow(key, cause)
        if isinstance(follows, Span) and isinstance(key, UUID):
            self._traces[key] = follows
        return follows

    def _traced(self, unit: Unit, data: BaseModel, cause: Cause | None) -> str | None:
        """The trace of an event. The first one of a lane that is always sampled has those before it sampled, too."""
        span = cause if isinstance(cause, Span) else unit.follow(None, cause)
        if not isinstance(span, Span):
            return span and span.traceparent
        before = span.traceparent.encode()
        if unit.tracer.look_at(span, data):
            after = span.traceparent.encode()
            self._events = [e._replace(headers=e.headers.replace(before, after)) for e in self._events]
        return span.traceparent

    def not_before(self, *instants: datetime | None) -> None:
        """Move `now` forward to the latest of these instants, at most MOST_SKEW ahead of the process's own clock.

        The clocks of two processes differ. Without this, an event could have an earlier time than its cause, or than an
        earlier event of its aggregate, and a reader that compares times would ignore it as old news. The consumer calls this
        with the events of a batch, a book with the rows that it locks.
        """
        latest = max((i for i in instants if i is not None), default=self.now)
        self.now = max(self.now, min(latest, self._latest))

    def set_deadline(self, kind: str, subject: UUID, due_at: datetime) -> None:
        """Set the deadline `kind` of `subject` to `due_at`, or move it there. Raises LookupError if no handler waits for it."""
        if kind not in self.deadline_kinds:
            raise LookupError(f"{self.service} has no handler for the deadline {kind}: name it in DEADLINES")
        self._deadlines[kind][subject] = due_at

    def cancel_deadline(self, kind: str, subject: UUID) -> None:
        """Cancel the deadline, if there is one."""
        self._deadlines[kind][subject] = None

    @property
    def wakes(self) -> frozenset[str]:
        """Who is to wake when the transaction has committed."""
        return frozenset(self._wakes)

    def tell(self, *messages: Message) -> None:
        """Record what people are to hear. Each message is sent once after the commit, and not at night unless its kind may.

        A message that was recorded before is left as it is.
        """
        due = [
            one if one.any_hour else wait_until(one, self.calendar.next_calling(one.due_at))
            for one in messages
        ]
        self.add(MESSAGE, due)
        if any(self._is_soon(one.due_at) for one in due):
            self.wake(SENDING)

    def wake(self, planner: str) -> None:
        """Wake a planner or a gateway when the transaction has committed."""
        self._wakes.add(f"pass:{planner}")

    def count(self, *counters: Counter) -> None:
        """Move counters on by one when the transaction has committed: what is rolled back did not happen."""
        self._counted.extend(counters)

    @property
    def counted(self) -> Sequence[Counter]:
        """The counters to move on when the transaction has committed."""
        return self._counted

    def mark(self) -> Mark:
        """Remember what has been collected so far."""
        deadlines = {kind: dict(subjects) for kind, subjects in self._deadlines.items()}
        return Mark(
            len(self._events),
            deadlines,
            frozenset(self._wakes),
            tuple(self._added),
            len(self._audited),
            frozenset(self._forgotten),
            len(self._counted),
            dict(self._traces),
        )

    def rewind(self, mark: Mark) -> None:
        """Forget what was collected after `mark`. A savepoint does the same for the database."""
        del self._events[mark.events :]
        self._deadlines.clear()
        self._deadlines.update({kind: dict(subjects) for kind, subjects in mark.deadlines.items()})
        self._wakes = set(mark.wakes)
        self._added = list(mark.added)
        del self._audited[mark.audited :]
        self._forgotten = set(mark.forgotten)
        del self._counted[mark.counted :]
        self._traces = dict(mark.traces)

    def add(self, table: Table[S], rows: Iterable[S]) -> None:
        """Write new rows with the last statement: the transaction does not read them. One that exists is left as it is."""
        self._added.extend((table, row) for row in rows)

    async def write_added(self) -> None:
        """Write what was added now, because something is about to read it."""
        added, self._added = self._added, []
        for table, rows in _by_table(added).items():
            await table.insert_missing(self.connection, rows, self.now)

    def audit(
        self, act: chain.Act, actor: str, subject_id: UUID, reason: str = "", **detail: Any
    ) -> chain.Entry:
        """Record who saw or did what. `detail` holds codes and ids, never personal data."""
        entry = chain.Entry(new_id(), self.now, actor, act, subject_id, detail, reason)
        self._audited.append(entry)
        return entry

    def erase_reasons(self, subject_ids: Iterable[UUID]) -> None:
        """Erase why people looked at some subjects: a reason is free text, and may name them."""
        self._forgotten.update(subject_ids)

    def keep_reply(self, caller: str, key: str, request_hash: bytes, status: int, body: bytes) -> None:
        """Store the reply to a request. If the key already has a reply, the transaction fails with DoneBeforeError."""
        self._reply = _Reply(caller, key, request_hash, status, body)

    async def flush(self) -> None:
        """Write what was collected. Whoever opened the transaction calls it once, at the end. Raises DoneBeforeError."""
        parts: dict[tuple[str, bool], dict[str, Any]] = {}
        if self._deadlines:
            gone, moved = self._promised()
            for name, rows in (("gone", gone), ("moved", moved)):
                if rows:
                    parts[name, len(rows) == 1] = _arguments(name, rows)
        if self._events:
            self._wakes.update(
                f"outbox:{traffic_class}" for traffic_class in {e.traffic_class for e in self._events}
            )
            if are_many(self._events):
                await self.connection.copy_records_to_table(
                    "outbox", schema_name="chassis", columns=_Outgoing._fields, records=self._events
                )
            else:
                parts["sent", len(self._events) == 1] = _arguments("sent", self._events)
        if self._reply:
            parts["kept", True] = _arguments("kept", [self._reply])
        tables = _by_table(self._added)
        for place, (table, rows) in enumerate(tables.items()):
            parts[table.name, False] = {f"rows_{place}": table.encoded(sorted(rows, key=table.key_of))}
        if any(table.keeps_time for table in tables):
            parts["now", True] = {"now": self.now}
        if parts:
            arguments = {name: value for part in parts.values() for name, value in part.items()}
            if not await _writing(tuple(parts), tuple(tables)).value(self.connection, **arguments):
                raise DoneBeforeError
        if self._traces:
            await remember(self.connection, self._traces)
        await self._flush_audit()
        self._events, self._added, self._reply = [], [], None
        self._deadlines.clear()
        self._traces.clear()

    async def _flush_audit(self) -> None:
        """Write to the audit last: it locks the chain until the commit."""
        if self._forgotten:
            await chain.erase_reasons(self.connection, sorted(self._forgotten), self.now)
        if self._audited:
            await chain.write(self.connection, self._audited)
        self._audited, self._forgotten = [], set()

    def _promised(self) -> tuple[list[tuple[str, UUID]], list[tuple[str, UUID, datetime]]]:
        """The deadlines that are cancelled, and those that are set."""
        gone, moved = [], []
        # sorted, so that two transactions with the same deadlines lock the rows in one order
        for kind, subjects in sorted(self._deadlines.items()):
            for subject in sorted(subjects, key=NUMBER):
                due_at = subjects[subject]
                if due_at is None:
                    gone.append((kind, subject))
                else:
                    moved.append((kind, subject, due_at))
        if any(self._is_soon(due_at) for _, _, due_at in moved):
            self._wakes.add("deadlines")
        return gone, moved

    def _is_soon(self, due_at: datetime) -> bool:
        """Whether it may be due before anybody looks by himself."""
        return self.clock.real_seconds(due_at - self.now) < _SOON_SECONDS


@dataclass(frozen=True, slots=True)
class Transactions:
    """Opens the transactions of one service."""

    pool: Pool
    clock: Clock
    service: str
    catalogue: Catalogue
    deadline_kinds: Collection[str]
    calendar: Calendar = field(default_factory=make_calendar)
    erase_again: Callable[[Tx, Collection[UUID]], Awaitable[None]] | None = None
    """Erases what an event has just brought back of subjects that were erased; None: the service erases nobody."""
    upstreams: Callable[[], Upstreams] = Upstreams
    """The upstream systems as they are now."""
    tracer: Tracer | None = None
    """None: nothing is traced."""
    _waker: Waker = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_waker", Waker(self.pool))

    @property
    def today(self) -> date:
        """The local date: the one that people here mean by today."""
        return self.calendar.local_date(self.clock.now())

    @asynccontextmanager
    async def begin(self, traceparent: str | None = None) -> AsyncIterator[Tx]:
        """A transaction: commits at the end of the block, rolls back if it raises."""
        async with self.pool.acquire() as connection, connection.transaction():
            tx = self.on(connection, traceparent)
            yield tx
            await tx.flush()
        self.committed(tx)

    @asynccontextmanager
    async def rehearsal(self, traceparent: str | None = None) -> AsyncIterator[Tx]:
        """A transaction that is rolled back at the end of the block: whoever flushes it learns what a commit would refuse."""
        async with self.pool.acquire() as connection:
            transaction = connection.transaction()
            await transaction.start()
            try:
                yield self.on(connection, traceparent)
            finally:
                await transaction.rollback()

    def committed(self, tx: Tx) -> None:
        """Count what happened, and wake whoever waits for it. Whoever opened the transaction calls this after the commit."""
        for counter in tx.counted:
            counter.inc()
        self._waker.wake(tx.wakes)

    def on(self, connection: Connection, traceparent: str | None = None) -> Tx:
        """A Tx on a connection whose transaction the caller has opened; the caller flushes, commits and says so."""
        return Tx(
            connection,
            self.clock.now(),
            self.service,
            self.catalogue,
            self.deadline_kinds,
            self.clock,
            traceparent,
            self.calendar,
            self.upstreams(),
            None if self.tracer is None else current_unit(),
        )


def pack_headers(headers: list[tuple[str, bytes]]) -> bytes:
    """Record headers as one value for a table. Latin-1 maps each byte to one character, so all bytes survive.

    Kafka allows a null value; it becomes an empty one.
    """
    return orjson.dumps([[k, (v or b"").decode("latin-1")] for k, v in headers])


def unpack_headers(packed: bytes) -> list[tuple[str, bytes]]:
    """The inverse of `pack_headers`."""
    return [(k, v.encode("latin-1")) for k, v in orjson.loads(packed)]


def _by_table(added: Iterable[tuple[Table[Any], Struct]]) -> dict[Table[Any], list[Struct]]:
    by_table: dict[Table[Any], list[Struct]] = {}
    for table, row in added:
        by_table.setdefault(table, []).append(row)
    return by_table


def _arguments(part: str, rows: Sequence[Sequence[Any]]) -> dict[str, Any]:
    """One row as values, many as arrays: asyncpg takes long to look at an array."""
    values = rows[0] if len(rows) == 1 else columns(rows)
    return {f"{part}_{name}": value for name, value in zip(_COLUMNS[part], values, strict=True)}


@cache
def _writing(parts: tuple[tuple[str, bool], ...], tables: tuple[Table[Any], ...]) -> Statement:
    """The statement that writes these parts and rows. It returns 0 if the reply is stored already."""
    written = [_part(name, is_one=is_one) for name, is_one in parts if name in _PARTS]
    written += [
        _ADDED.format(name=table.name.replace(".", "_"), insert=table.insert_of(f":rows_{place}", ":now"))
        for place, table in enumerate(tables)
    ]
    result = "(SELECT count(*) FROM kept)" if ("kept", True) in parts else "1"
    return Statement(_WRITE.format(", ".join(written), result))


def _part(name: str, *, is_one: bool) -> str:
    kinds = _COLUMNS[name]
    given = ", ".join(
        f":{name}_{column}::{kind}" + ("" if is_one else "[]") for column, kind in kinds.items()
    )
    rows = f"(VALUES ({given}, 1))" if is_one else f"unnest({given}) WITH ORDINALITY"
    return _PARTS[name].format(columns=", ".join(kinds), rows=f"{rows} AS n ({', '.join(kinds)}, place)")


_WRITE = "WITH {} SELECT {}"

_ADDED = "added_{name} AS ({insert} ON CONFLICT DO NOTHING)"

_COLUMNS = {
    "gone": {"kind": "text", "subject": "uuid"},
    "moved": {"kind": "text", "subject": "uuid", "due_at": "timestamptz"},
    "sent": {
        "traffic_class": "text",
        "id": "uuid",
        "topic": "text",
        "record_key": "bytea",
        "headers": "bytea",
        "body": "bytea",
    },
    "kept": {"caller": "text", "key": "text", "request_hash": "bytea", "status": "int", "body": "bytea"},
}

_PARTS = {
    "gone": "gone AS (DELETE FROM chassis.deadline AS d USING {rows} WHERE d.kind = n.kind AND d.subject = n.subject)",
    "moved": """
moved AS (
    INSERT INTO chassis.deadline ({columns}) SELECT {columns} FROM {rows}
    ON CONFLICT (kind, subject) DO UPDATE SET due_at = excluded.due_at, failures = 0, last_error = NULL
)
""",
    "sent": "sent AS (INSERT INTO chassis.outbox ({columns}) SELECT {columns} FROM {rows} ORDER BY place)",
    "kept": """
kept AS (
    INSERT INTO chassis.idempotency_key ({columns}) SELECT {columns} FROM {rows} ON CONFLICT DO NOTHING RETURNING true
)
""",
}
