"""From records to committed effects: one transaction for a batch, and no record is skipped or handled twice.

The fast way runs every handler once over all its events. On any failure that is not transient, the batch is rolled back
and handled the careful way. Handlers then run inside savepoints, and a failing group is halved until the bad record is
alone. That record is parked, and later records of its key are queued behind it. Inbox, state, outgoing events, deadlines
and parked records commit together or not at all.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from msgspec import Struct

from bdcan_chassis import dead_letters, metrics
from bdcan_chassis.dead_letters import Key, NewDeadLetter, record_time
from bdcan_chassis.errors import BadRecordError, StoppedConsumerError, describe, is_transient
from bdcan_chassis.fairness import in_turns
from bdcan_chassis.ids import NUMBER, derived_id
from bdcan_chassis.logs import get_logger
from bdcan_chassis.stages import in_stages
from bdcan_chassis.subscription import Consumer, Handler
from bdcan_chassis.tracing import Unit, working
from bdcan_chassis.transaction import Transactions, Tx
from bdcan_contracts.envelope import EnvelopeError, Event, Record, decode, type_of

log = get_logger(__name__)

_UNREADABLE = UUID("0b7c1d5e-8f0a-5c52-9a3e-6d1f4b2c7e90")  # fixed for ever: inbox keys are made from it
_WINDOW = 1000
_RATIO_NEEDS = 200  # a share of fewer records means nothing


class Read(Struct, frozen=True):
    """A record that has been read: an event with its handler, or the error that says why it is none.

    A consumer with `on_records` reads for itself: its records have none of these.
    """

    place: int
    record: Record
    key: Key
    """Topic and record key. A readable event always has one."""
    event: Event[Any] | None
    handler: Handler[Any] | None
    error: EnvelopeError | None

    @property
    def identity(self) -> UUID:
        """Its key in the inbox: the event's key, or the record's position if no event can be read from it."""
        if self.event is not None:
            return self.event.key
        r = self.record
        return position_key(r.topic, r.partition, r.offset, r.timestamp)


def position_key(topic: str, partition: int, offset: int, timestamp: int) -> UUID:
    """The inbox key of a record by its position; `timestamp` (milliseconds) tells a topic from one of its name made anew."""
    return derived_id(_UNREADABLE, f"{topic}/{partition}/{offset}/{timestamp}")


@dataclass(slots=True)
class ParkLimit:
    """Stops a consumer that parks too many records: a bad release must not park a whole topic."""

    in_a_row: int
    ratio: float
    _row: int = 0
    _bad: int = 0
    _window: deque[bool] = field(default_factory=lambda: deque(maxlen=_WINDOW))

    def check(self, failed: Sequence[bool]) -> None:
        """Raise StoppedConsumerError if these outcomes, on top of the earlier ones, go over the limit."""
        if not self._bad and not any(failed):
            return  # the usual case
        row = self._row
        for bad in failed:
            row = row + 1 if bad else 0
            if row >= self.in_a_row:
                raise StoppedConsumerError(f"{row} records in a row could not be handled")
        seen = [*self._window, *failed][-_WINDOW:]
        if len(seen) >= _RATIO_NEEDS and sum(seen) / len(seen) > self.ratio:
            raise StoppedConsumerError(f"{sum(seen)} of the last {len(seen)} records could not be handled")

    def remember(self, failed: Sequence[bool]) -> None:
        """Count outcomes that have been committed."""
        for bad in failed:
            self._row = self._row + 1 if bad else 0
        self._window.extend(failed)
        if self._bad or any(failed):
            self._bad = sum(self._window)


@dataclass(slots=True)
class _Attempt:
    """One attempt at a batch, in one transaction."""

    tx: Tx
    consumer: Consumer
    outcome: Counter[str] = field(default_factory=Counter)
    blocked: set[Key] = field(default_factory=set)
    dead: list[tuple[int, NewDeadLetter]] = field(default_factory=list)
    failed: dict[int, bool] = field(default_factory=dict)
    erased: set[UUID] = field(default_factory=set)
    """Subjects of the batch that were erased: what its events bring back goes again."""

    def park(self, read: Read, reason: str, error: str, *, counted: bool) -> None:
        self._put(read, "parked", reason, error)
        self.failed[read.place] = counted
        if self.consumer.ordered and read.record.key is not None:
            self.blocked.add(read.key)

    def queue(self, read: Read) -> None:
        self._put(read, "queued", "behind-parked", "an earlier record of this key is parked")

    def _put(self, read: Read, state: str, reason: str, error: str) -> None:
        r = read.record
        taken = read.error is None
        if self.tx.unit is not None:
            self.tx.unit.mark(read.identity, reason, failed=True)
        self.dead.append(
            (
                read.place,
                NewDeadLetter(
                    r.topic,
                    r.partition,
                    r.offset,
                    record_time(r.timestamp),
                    r.key,
                    r.headers,
                    r.value,
                    state,
                    reason,
                    error,
                    taken,
                ),
            )
        )
        self.outcome[state] += 1


class Dispatcher:
    """Handles batches of records for one consumer."""

    def __init__(self, consumer: Consumer, transactions: Transactions, limit: ParkLimit) -> None:
        self.consumer = consumer
        self.transactions = transactions
        self._limit = limit
        self._handlers = consumer.bind(transactions.catalogue)
        self.exemplar: dict[str, str] | None = None
        """A trace of the last batch, for the histograms."""

    def read(self, place: int, record: Record) -> Read | None:
        """Read a record. None: a known type that this consumer does not handle, and therefore ignores."""
        catalogue, topic, key = self.transactions.catalogue, record.topic, (record.topic, record.key or b"")
        if self.consumer.on_records is not None:
            return Read(place, record, key, None, None, None)
        try:
            type_name = type_of(record.headers) or ""
            handler = self._handlers.get((topic, type_name))
            if handler is None:
                known = catalogue.by_type.get(type_name)
                if known is not None and topic in known.topic_names:
                    return None
            event = decode(catalogue, topic, record.key, record.headers, record.value)
        except EnvelopeError as error:
            return Read(place, record, key, None, None, error)
        return Read(place, record, key, event, handler, None)

    async def run(self, tx: Tx, group: Sequence[Read]) -> None:
        """Give a group of records, or of events of one type, to their handler."""
        if self.consumer.on_records is not None:
            await self.consumer.on_records([read.record for read in group], tx)
            return
        handler = group[0].handler
        assert handler is not None  # noqa: S101 # what has an event has a handler
        await handler([read.event for read in group if read.event is not None], tx)

    async def process(self, records: Sequence[Record]) -> Counter[str]:
        """Handle a batch in one transaction; returns how many records had which outcome.

        Raises StoppedConsumerError at the limit of parked records. After any other error nothing is left behind, and the
        same batch can be given again.
        """
        reads = [
            read
            async for place, record in in_turns(enumerate(records))
            if (read := self.read(place, record)) is not None
        ]
        if not reads:  # nothing for this consumer: needs no transaction
            return Counter(skipped=len(records))
        try:
            attempt = await self._attempt(reads, careful=False)
        except StoppedConsumerError:
            raise
        except (
            Exception
        ) as error:  # the one place where the consumer catches: retry, or look for the bad record
            if is_transient(error):
                raise
            log.warning(
                "consumer.isolating", consumer=self.consumer.name, records=len(records), exc_info=error
            )
            attempt = await self._attempt(reads, careful=True)
        attempt.outcome["skipped"] += len(records) - len(reads)
        return attempt.outcome

    async def _attempt(self, reads: list[Read], *, careful: bool) -> _Attempt:
        with working(self.transactions.tracer, f"batch {self.consumer.name}", "consumer") as unit:
            attempt = await self._transact(reads, careful=careful)
        self.exemplar = unit and unit.exemplar
        return attempt

    def _take_part(self, unit: Unit, reads: list[Read]) -> None:
        unit.own.attributes |= {
            "messaging.system": "kafka",
            "messaging.operation.type": "process",
            "messaging.batch.message_count": len(reads),
            "messaging.consumer.group.name": f"bdcan.{self.transactions.service}.{self.consumer.name}",
        }
        for read in reads:
            if read.event is not None:
                unit.handle(read.record, read.event)

    async def _transact(self, reads: list[Read], *, careful: bool) -> _Attempt:
        async with self.transactions.pool.acquire() as connection, connection.transaction():
            tx = self.transactions.on(connection)
            attempt = _Attempt(tx, self.consumer)
            if tx.unit is not None:
                self._take_part(tx.unit, reads)
            if careful:
                await connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
            ready = await self._sort_out(attempt, reads)
            self._move_on(tx, ready)
            groups = self._groups(ready)
            if self.consumer.lock_first and len(groups) > 1:
                await self.consumer.lock_first(tx, referral_ids(ready))
            for group in groups:
                if careful:
                    await self._isolate(attempt, group)
                else:
                    await self.run(tx, group)
                    attempt.outcome["handled"] += len(group)
            if attempt.erased and self.transactions.erase_again:
                await self.transactions.erase_again(tx, attempt.erased)
            failed = [attempt.failed.get(read.place, False) for read in reads]
            self._limit.check(failed)
            if attempt.dead:
                attempt.dead.sort(key=lambda item: item[0])
                await dead_letters.keep(
                    connection,
                    self.consumer.name,
                    [item[1] for item in attempt.dead],
                    ordered=self.consumer.ordered,
                )
            await tx.flush()
        self._limit.remember(failed)
        self.transactions.committed(tx)
        return attempt

    def _groups(self, ready: list[Read]) -> list[list[Read]]:
        if self.consumer.on_records is not None:
            return [ready] if ready else []
        return stages(ready)

    def _move_on(self, tx: Tx, ready: list[Read]) -> None:
        """Move the transaction's time to the latest of these events, so that no effect is earlier than its cause."""
        own_time = tx.now
        tx.not_before(*[read.event.time for read in ready if read.event])
        metrics.CLOCK_BEHIND.labels(self.consumer.name).set((tx.now - own_time).total_seconds())

    async def _sort_out(self, attempt: _Attempt, reads: list[Read]) -> list[Read]:
        """Ignore what the inbox has, queue what follows a parked record, park what cannot be read."""
        connection = attempt.tx.connection
        identities = [read.identity for read in reads]
        subjects = referral_ids(reads)
        fresh, any_parked, attempt.erased = await take(connection, self.consumer.name, identities, subjects)
        if any_parked and self.consumer.ordered:
            keys = {read.key for read in reads if read.record.key is not None}
            attempt.blocked = await dead_letters.parked_keys(connection, self.consumer.name, list(keys))
        ready: list[Read] = []
        for read, identity in zip(reads, identities, strict=True):
            if identity not in fresh:
                attempt.outcome["duplicate"] += 1
                if attempt.tx.unit is not None:
                    attempt.tx.unit.mark(identity, "duplicate")
                continue
            fresh.discard(identity)  # the same event twice in one batch
            if read.error is not None:
                self._reject(attempt, read, read.error)
            elif read.key in attempt.blocked:
                attempt.queue(read)
            else:
                ready.append(read)
        return ready

    def _reject(self, attempt: _Attempt, read: Read, error: EnvelopeError) -> None:
        r = read.record
        log.warning(
            "consumer.parked",
            consumer=self.consumer.name,
            topic=r.topic,
            partition=r.partition,
            offset=r.offset,
            reason=error.reason,
        )
        attempt.park(read, error.reason, str(error)[:500], counted=True)

    async def _isolate(self, attempt: _Attempt, group: list[Read]) -> None:
        free = []
        for read in group:
            if read.key in attempt.blocked:
                attempt.queue(read)
            else:
                free.append(read)
        if not free:
            return
        mark = attempt.tx.mark()
        try:
            async with attempt.tx.connection.transaction():
                await self.run(attempt.tx, free)
        except Exception as error:  # see process()
            if is_transient(error):
                raise
            attempt.tx.rewind(mark)
            if len(free) > 1:
                middle = len(free) // 2
                await self._isolate(attempt, free[:middle])
                await self._isolate(attempt, free[middle:])
                return
            reason = error.reason if isinstance(error, BadRecordError) else dead_letters.HANDLER_FAILED
            log.error(
                "consumer.parked",
                consumer=self.consumer.name,
                event_id=free[0].event and free[0].event.id,
                reason=reason,
                exc_info=error,
                **_trace_of(attempt.tx.unit, free[0]),
            )
            attempt.park(free[0], reason, describe(error), counted=True)
        else:
            attempt.outcome["handled"] += len(free)


def _trace_of(unit: Unit | None, read: Read) -> dict[str, str]:
    """What a log line about one record of a batch names."""
    part = None if unit is None else unit.part(read.identity)
    return {} if part is None else {"trace": part.trace_id}


def referral_ids(ready: Iterable[Read]) -> set[UUID]:
    """The referrals that these events are about."""
    ids = (getattr(read.event.data, "referral_id", None) for read in ready if read.event)
    return {referral_id for referral_id in ids if referral_id}


def stages(ready: Iterable[Read]) -> list[list[Read]]:
    """Group events by topic and type so that each key's events keep their order from group to group."""
    return [group for _, group in in_stages(ready, lambda read: read.record.key or b"", _kind)]


def _kind(read: Read) -> tuple[str, str]:
    assert read.event is not None  # noqa: S101 # only events are ready
    return read.record.topic, read.event.type


async def take(
    connection: Any, consumer: str, keys: Iterable[UUID], subjects: Iterable[UUID] = ()
) -> tuple[set[UUID], bool, set[UUID]]:
    """Write event keys to the inbox; returns those that were new, whether any key is parked, and which subjects were erased."""
    # sorted, so that two workers with the same batch wait for each other and do not deadlock
    wanted = sorted(set(keys), key=NUMBER)
    if not wanted:
        return set(), False, set()
    rows = await connection.fetch(_TAKE, consumer, wanted, list(subjects))
    erased = {subject for r in rows[:1] for subject in r["erased"] or ()}
    return {r["event_key"] for r in rows}, any(r["any_parked"] for r in rows[:1]), erased


_TAKE = """
WITH taken AS (
    INSERT INTO chassis.inbox (consumer, event_key) SELECT $1, key FROM unnest($2::uuid[]) AS key
    ON CONFLICT DO NOTHING RETURNING event_key
)
SELECT event_key, EXISTS (SELECT FROM chassis.parked_key WHERE consumer = $1) AS any_parked,
    (SELECT array_agg(subject_id) FROM chassis.erasure WHERE erased_at IS NOT NULL AND subject_id = ANY ($3::uuid[])) AS erased
FROM taken
"""
