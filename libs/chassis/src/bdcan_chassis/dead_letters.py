"""Dead letters: records that are parked because they failed, or queued behind a parked record of their key.

No record is lost. It leaves the table by a replay, or by a discard with a reason; both are audited.
The consumer and a replay share the lock `parked_key`. A consumer that finds a key parked waits for a running replay
and looks again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from bdcan_chassis.audit import Act
from bdcan_chassis.database import Connection
from bdcan_chassis.errors import storable
from bdcan_chassis.ids import new_id
from bdcan_chassis.metrics import DEAD_LETTER_REASONS
from bdcan_chassis.table import Query
from bdcan_chassis.transaction import Tx, pack_headers, unpack_headers
from bdcan_contracts.envelope import Headers, type_of

Key = tuple[str, bytes]
"""Topic and record key: the scope in which order is kept."""

HANDLER_FAILED = "handler-failed"
"""Reason of a record whose handler raised something that it did not mean to."""

_MAX_KEY_BYTES = 1024
"""No longer key is an event's (it must equal ce_subject), and no index takes the 3,000 bytes that a stranger may send."""

_LAST_MILLISECOND = 253_402_300_799_999  # of the year 9999


class NewDeadLetter(NamedTuple):
    """A record that becomes a dead letter."""

    topic: str
    partition: int
    offset: int
    time: datetime
    key: bytes | None
    headers: Headers
    body: bytes | None
    state: str
    reason: str
    error: str
    taken: bool
    """Whether the inbox holds the event already: a replay must then not treat it as a duplicate."""


class DeadLetter(
    Struct,
    frozen=True,
    rename={"partition": "record_partition", "offset": "record_offset", "key": "record_key"},
):
    """A dead letter without its body. `seq` grows with each dead letter."""

    id: UUID
    seq: int
    consumer: str
    topic: str
    partition: int
    offset: int
    key: bytes | None
    event_type: str | None
    state: str
    reason: str
    error: str
    parked_at: datetime
    settled_at: datetime | None


async def parked_keys(connection: Connection, consumer: str, keys: Sequence[Key]) -> set[Key]:
    """The parked ones among these keys. Locks them until the transaction ends."""
    rows = await connection.fetch(_LOCK_KEYS, consumer, [k[0] for k in keys], [k[1] for k in keys])
    return {(r["topic"], r["record_key"]) for r in rows}


async def keep(
    connection: Connection, consumer: str, records: Sequence[NewDeadLetter], *, ordered: bool
) -> None:
    """Write records to the table, in order. In an ordered consumer their keys are parked from now on."""
    await connection.execute(
        _INSERT,
        consumer,
        [new_id() for _ in records],
        [r.topic for r in records],
        [r.partition for r in records],
        [r.offset for r in records],
        [r.time for r in records],
        [_stored_key(r.key) for r in records],
        [pack_headers(list(r.headers)) for r in records],
        [r.body for r in records],
        [storable(named) if (named := type_of(r.headers)) else None for r in records],
        [r.state for r in records],
        [storable(r.reason) for r in records],
        [storable(r.error) for r in records],
        [r.taken for r in records],
    )
    keys = sorted({(r.topic, key) for r in records if (key := _stored_key(r.key)) is not None})
    if ordered and keys:
        await connection.execute(_PARK_KEYS, consumer, [k[0] for k in keys], [k[1] for k in keys])


async def find(
    connection: Connection,
    *,
    consumer: str | None = None,
    state: str | None = None,
    limit: int = 100,
    after: int = 0,
) -> list[DeadLetter]:
    """Dead letters behind `after` (a `seq`), the newest last; only open ones (parked or queued) unless `state` is given.

    This reading is not audited. It therefore shows only the class of a handler's error, whose text may quote a record.
    """
    letters = await _FIND.all(
        connection,
        consumer=consumer,
        states=[state] if state else ["parked", "queued"],
        after=after,
        limit=limit,
    )
    return _without_quotes(letters)


class Wanted(NamedTuple):
    """Which parked records somebody means. None: any."""

    consumer: str | None = None
    topic: str | None = None
    reason: str | None = None
    before: datetime | None = None
    """Parked before this time."""


async def parked(connection: Connection, wanted: Wanted) -> list[DeadLetter]:
    """All parked records that fit, the oldest first. As in `find`, an error shows its class alone."""
    return _without_quotes(await _PARKED.all(connection, **wanted._asdict()))


async def show(tx: Tx, letter_id: UUID, actor: str, reason: str) -> tuple[DeadLetter, dict[str, Any]] | None:
    """One dead letter with headers and body. The audit records who looked and why."""
    letter = await _SHOW.first(tx.connection, id=letter_id)
    if letter is None:
        return None
    tx.audit(Act.DEAD_LETTER_SHOWN, actor, letter_id, reason)
    [row] = await tx.connection.fetch(_CONTENT, letter_id)
    body: bytes | None = row["body"]
    return letter, {
        "headers": {k: v.decode("utf-8", "replace") for k, v in unpack_headers(row["headers"])},
        "body": None if body is None else body.decode("utf-8", "replace"),
    }


async def request_replay(tx: Tx, letter_id: UUID, actor: str, reason: str) -> bool:
    """Ask a worker to handle the record and those queued behind it, in order. False: no open record has this id."""
    connection = tx.connection
    row = await connection.fetchrow(_OPEN, letter_id)
    if row is None:
        return False
    if row["record_key"] is None or not await connection.fetchval(
        _REQUEST_KEY, row["consumer"], row["topic"], row["record_key"]
    ):
        await connection.execute(_REQUEST_ALONE, letter_id)
    tx.audit(Act.REPLAY_REQUESTED, actor, letter_id, reason)
    await connection.execute("SELECT pg_notify('bdcan', 'pass:replay')")
    return True


async def discard(tx: Tx, letter_id: UUID, actor: str, reason: str) -> bool:
    """Settle one record without handling it, so that those queued behind it can be replayed. False: none is open."""
    connection = tx.connection
    row = await connection.fetchrow(_OPEN, letter_id)
    if row is None:
        return False
    key = (row["consumer"], row["topic"], row["record_key"])
    if row["record_key"] is not None:  # the lock that a consumer and a replay take first
        await parked_keys(connection, row["consumer"], [(row["topic"], row["record_key"])])
    row = await connection.fetchrow(f"{_OPEN} FOR UPDATE", letter_id)
    if row is None:  # a running replay has settled it
        return False
    await settle(connection, [letter_id], "discarded")
    tx.audit(Act.DISCARDED, actor, letter_id, reason)
    if row["record_key"] is not None:
        await connection.execute(_FREE_KEY, *key)
        if row["state"] == "parked":  # its queued records must not wait for an operator too
            await connection.execute(_REQUEST_KEY, *key)
            await connection.execute("SELECT pg_notify('bdcan', 'pass:replay')")
    return True


async def settle(connection: Connection, ids: Sequence[UUID], state: str) -> None:
    """Mark records as `replayed` or `discarded`."""
    await connection.execute(_SETTLE, list(ids), state)


async def counts(connection: Connection) -> dict[tuple[str, str, str], int]:
    """How many dead letters are open, by consumer, state and class of reason."""
    found: Counter[tuple[str, str, str]] = Counter()
    for row in await connection.fetch(_COUNT):
        reason = row["reason"] if row["reason"] in DEAD_LETTER_REASONS else "bad-record"
        found[row["consumer"], row["state"], reason] += row["n"]
    return found


def record_time(milliseconds: int) -> datetime:
    """A Kafka record's time stamp as an instant; a time stamp outside the calendar gives the nearest one inside."""
    return datetime.fromtimestamp(min(max(milliseconds, 0), _LAST_MILLISECOND) / 1000, UTC)


def _without_quotes(letters: Sequence[DeadLetter]) -> list[DeadLetter]:
    return [replace(x, error=x.error.partition(":")[0]) if x.reason == HANDLER_FAILED else x for x in letters]


def _stored_key(key: bytes | None) -> bytes | None:
    return None if key is None else key[:_MAX_KEY_BYTES]


_LOCK_KEYS = """
SELECT topic, record_key FROM chassis.parked_key
WHERE consumer = $1 AND (topic, record_key) IN (SELECT t, k FROM unnest($2::text[], $3::bytea[]) AS wanted (t, k))
ORDER BY topic, record_key FOR UPDATE
"""

_INSERT = """
INSERT INTO chassis.dead_letter
    (consumer, id, topic, record_partition, record_offset, record_time, record_key, headers, body, event_type, state, reason,
     error, taken)
SELECT $1, id, topic, record_partition, record_offset, record_time, record_key, headers, body, event_type, state, reason, error,
       taken
FROM unnest($2::uuid[], $3::text[], $4::int[], $5::bigint[], $6::timestamptz[], $7::bytea[], $8::bytea[], $9::bytea[],
            $10::text[], $11::text[], $12::text[], $13::text[], $14::boolean[])
    WITH ORDINALITY AS r (id, topic, record_partition, record_offset, record_time, record_key, headers, body, event_type,
                          state, reason, error, taken, place)
ORDER BY place
ON CONFLICT (consumer, topic, record_partition, record_offset, record_time) DO NOTHING
"""

_PARK_KEYS = """
INSERT INTO chassis.parked_key (consumer, topic, record_key)
SELECT $1, t, k FROM unnest($2::text[], $3::bytea[]) AS parked (t, k) ON CONFLICT DO NOTHING
"""

# Dead letters in some states, behind a `seq`. No consumer: those of all consumers.
_FIND = Query(
    """
    SELECT {columns} FROM chassis.dead_letter
    WHERE (:consumer::text IS NULL OR consumer = :consumer) AND state = ANY (:states::text[]) AND seq > :after
    ORDER BY seq LIMIT :limit
    """,
    DeadLetter,
)

# The parked dead letters that fit; NULL: any.
_PARKED = Query(
    """
    SELECT {columns} FROM chassis.dead_letter
    WHERE state = 'parked' AND (:consumer::text IS NULL OR consumer = :consumer)
        AND (:topic::text IS NULL OR topic = :topic) AND (:reason::text IS NULL OR reason = :reason)
        AND (:before::timestamptz IS NULL OR parked_at < :before)
    ORDER BY seq
    """,
    DeadLetter,
)

# One dead letter.
_SHOW = Query("SELECT {columns} FROM chassis.dead_letter WHERE id = :id", DeadLetter)

_CONTENT = "SELECT headers, body FROM chassis.dead_letter WHERE id = $1"

_OPEN = """
SELECT consumer, topic, record_key, state FROM chassis.dead_letter WHERE id = $1 AND state IN ('parked', 'queued')
"""

_REQUEST_KEY = """
UPDATE chassis.parked_key SET replay_requested_at = now()
WHERE consumer = $1 AND topic = $2 AND record_key = $3 RETURNING true
"""

_REQUEST_ALONE = "UPDATE chassis.dead_letter SET replay_requested_at = now() WHERE id = $1"

_SETTLE = "UPDATE chassis.dead_letter SET state = $2, settled_at = now() WHERE id = ANY ($1::uuid[])"

_FREE_KEY = """
DELETE FROM chassis.parked_key AS p
WHERE consumer = $1 AND topic = $2 AND record_key = $3 AND NOT EXISTS (
    SELECT FROM chassis.dead_letter AS d
    WHERE d.consumer = p.consumer AND d.topic = p.topic AND d.record_key = p.record_key AND d.state IN ('parked', 'queued')
)
"""

_COUNT = """
SELECT consumer, state, reason, count(*) AS n FROM chassis.dead_letter WHERE state IN ('parked', 'queued')
GROUP BY consumer, state, reason
"""
