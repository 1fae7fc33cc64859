"""The audit: who saw or did what, and why. Rows are only ever added, and each one's hash covers the row before it.

The database makes the chain (`migrations/0050_audit.sql`). `Tx.audit` adds a row with the last statement of its
transaction, because rows are added one transaction after the other. `verify` computes the chain again from outside. Two
things may happen to old rows, and a later row of the chain tells of each: they expire, or their reasons are erased.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

import orjson
from msgspec import Struct

from bdcan_chassis import metrics
from bdcan_chassis.database import Connection, columns
from bdcan_chassis.logs import get_logger
from bdcan_chassis.table import Query, Statement

log = get_logger(__name__)

RESTORED_AT = "bdcan.restored_at"
"""A setting of the database, by which `bdcan restore` says when it put it back. As cutting the audit, it takes an administrator."""
_PORTION = 5000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Act(StrEnum):
    """What the audit knows. Words, because a row outlives the release that wrote it."""

    DISCLOSED = "disclosed"
    CONTACT_SHOWN = "contact-shown"
    POSITION_SHOWN = "position-shown"
    DEAD_LETTER_SHOWN = "dead-letter-shown"
    REPLAY_REQUESTED = "dead-letter-replay-requested"
    REPLAYED = "dead-letter-replayed"
    FAILED_AGAIN = "dead-letter-failed-again"
    DISCARDED = "dead-letter-discarded"
    DEADLINE_SET = "deadline-set"
    TASK_OPENED = "task-opened"
    LOOP_PAUSED = "loop-paused"
    LOOP_RESUMED = "loop-resumed"
    PERSON_CORRECTED = "person-corrected"
    PERSON_ERASED = "person-erased"
    PERSON_EXPORTED = "person-exported"
    EXPIRED = "audit-expired"
    REASONS_ERASED = "reasons-erased"
    HISTORY_ENDED = "history-ended"


SHOWS_A_PERSON = (Act.DISCLOSED, Act.CONTACT_SHOWN, Act.DEAD_LETTER_SHOWN, Act.PERSON_EXPORTED)
"""The acts that let an account see who somebody is."""


class Entry(Struct, frozen=True):
    """A row of the audit. `subject_id`: whom or what it is about. `detail` holds codes and ids, never personal data."""

    id: UUID
    at: datetime
    actor: str
    act: str
    subject_id: UUID
    detail: dict[str, Any]
    reason: str


class Row(Struct, frozen=True):
    """A row with its place in the chain. `detail` is PostgreSQL's text of it, which the hash covers."""

    seq: int
    id: UUID
    at: datetime
    actor: str
    act: str
    subject_id: UUID
    detail: str
    reason: str
    reason_salt: UUID | None
    reason_digest: bytes
    previous_hash: bytes
    hash: bytes


class Verdict(Struct, frozen=True):
    """What a check of the chain found. `broken` names the first row that is not as it was written; None: all is well."""

    rows: int
    head_seq: int
    head_hash: str
    broken: str | None


async def write(connection: Connection, entries: Sequence[Entry]) -> None:
    """Add rows to the chain. The chain is locked until the transaction ends: do it last."""
    await connection.execute(
        _INSERT,
        *columns(
            (e.id, e.at, e.actor, e.act, e.subject_id, orjson.dumps(e.detail).decode(), e.reason)
            for e in entries
        ),
    )


async def erase_reasons(connection: Connection, subject_ids: Sequence[UUID], now: datetime) -> None:
    """Erase why people looked at these subjects. A row of the chain says whose reasons went."""
    await connection.execute("SELECT chassis.erase_audit_reasons($1, $2)", subject_ids, now)


async def expire(connection: Connection, before: datetime, now: datetime) -> int:
    """Delete the rows that are older, from the beginning of the chain on. A row of the chain says which; returns how many."""
    return await connection.fetchval("SELECT chassis.expire_audit($1, $2)", before, now)


async def about(connection: Connection, subject_id: UUID, act: Act, limit: int) -> tuple[list[Entry], int]:
    """The newest of what was done to a subject, the newest last, and how much more there is."""
    rows = await _ABOUT.all(connection, subject_id=subject_id, act=act, limit=limit)
    count = len(rows)
    if count == limit:
        count = await _COUNT_ABOUT.value(connection, subject_id=subject_id, act=act)
    return [_entry(row) for row in rows[::-1]], count - len(rows)


async def find(
    connection: Connection,
    *,
    actor: str | None = None,
    subject_id: UUID | None = None,
    since: datetime | None = None,
    limit: int = 100,
) -> list[Row]:
    """The newest rows that fit, the newest last."""
    found = await _FIND.all(connection, actor=actor, subject_id=subject_id, since=since, limit=limit)
    return found[::-1]


async def busy_accounts(connection: Connection, since: datetime, limit: int) -> list[tuple[str, int]]:
    """The accounts that were shown more than `limit` people since then, and how many."""
    rows = await connection.fetch(_BUSY, since, [*SHOWS_A_PERSON], limit)
    return [(row["actor"], row["shown"]) for row in rows]


class Watch:
    """Looks, again and again, for accounts that are shown unusually many people. The log names each of them once."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._known: set[str] = set()

    async def look(self, connection: Connection, now: datetime) -> None:
        """Set the gauges of the audit."""
        [(restored, head)] = await connection.fetch(_HEAD, RESTORED_AT)
        busy = await busy_accounts(connection, now - timedelta(hours=1), self._limit)
        metrics.AUDIT_HEAD.replace({(restored,): head})
        metrics.AUDIT_BUSY.replace({(): len(busy)})
        for account, shown in busy:
            if account not in self._known:
                log.warning("audit.busy_account", account=account, shown=shown, limit=self._limit)
        self._known = {account for account, _ in busy}


async def verify(connection: Connection, noted: tuple[int, str] | None = None) -> Verdict:
    """Compute the chain again, in one snapshot.

    `noted`: the number and the hash of a head that somebody wrote down elsewhere. A chain alone cannot show that its newest
    rows were cut off, or that all of it was written anew; such a note does.
    """
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        checker = _Checker()
        async for row in _rows(connection):
            checker.take(row)
    return checker.verdict(noted)


def hash_of(row: Row) -> bytes:
    """The hash that the row must have, as the database computes it."""
    micros = (row.at - _EPOCH) // timedelta(microseconds=1)
    covered = row.previous_hash
    for text in (
        str(row.seq),
        str(row.id),
        str(micros),
        row.actor,
        row.act,
        str(row.subject_id),
        row.detail,
        row.reason_digest.hex(),
    ):
        field = text.encode()
        covered += f"{len(field)}:".encode() + field
    return hashlib.sha256(covered).digest()


class _Checker:
    """Reads the rows in their order, and remembers the first fault."""

    def __init__(self) -> None:
        self._rows = 0
        self._first: Row | None = None
        self._last: Row | None = None
        self._broken: str | None = None
        self._expired: set[tuple[int, str]] = set()
        self._erased: set[int] = set()
        self._without_reason: list[int] = []
        self._hashes: dict[int, str] = {}

    def take(self, row: Row) -> None:
        """Look at the next row."""
        if self._broken is None:
            self._broken = self._fault(row)
        self._rows += 1
        self._first = self._first or row
        self._last = row
        if row.reason_salt is None:
            self._without_reason.append(row.seq)
        self._hashes[row.seq] = row.hash.hex()
        if row.act == Act.EXPIRED:
            detail = orjson.loads(row.detail)
            self._expired.add((detail["last_seq"], detail["last_hash"]))
        elif row.act == Act.REASONS_ERASED:
            self._erased.update(orjson.loads(row.detail)["rows"])

    def _fault(self, row: Row) -> str | None:
        last = self._last
        if last is not None and row.seq != last.seq + 1:
            return f"row {last.seq + 1} is missing"
        if last is not None and row.previous_hash != last.hash:
            return f"row {row.seq} does not follow row {last.seq}"
        if row.hash != hash_of(row):
            return f"row {row.seq} was changed"
        if row.reason_salt is not None and row.reason_digest != _digest(row.reason_salt, row.reason):
            return f"row {row.seq} was changed: its reason is not the one that was written"
        return None

    def verdict(self, noted: tuple[int, str] | None) -> Verdict:
        """What was found, once all rows were read."""
        broken = self._broken or self._fault_of_beginning() or self._fault_of_reasons()
        head = (self._last.seq, self._last.hash.hex()) if self._last else (0, "")
        if broken is None and noted is not None:
            broken = self._fault_of_note(*noted, head[0])
        return Verdict(self._rows, *head, broken)

    def _fault_of_beginning(self) -> str | None:
        first = self._first
        if first is None or (first.seq == 1 and first.previous_hash == b""):
            return None
        if (first.seq - 1, first.previous_hash.hex()) in self._expired:
            return None
        return f"row {first.seq - 1} is missing, and no row says that it expired"

    def _fault_of_reasons(self) -> str | None:
        silent = next((seq for seq in self._without_reason if seq not in self._erased), None)
        return None if silent is None else f"row {silent} was changed: no row says that its reason was erased"

    def _fault_of_note(self, seq: int, noted_hash: str, head: int) -> str | None:
        if seq > head:
            return f"row {head + 1} is missing: row {seq} was noted, and the chain ends before it"
        if self._first is not None and seq < self._first.seq:
            return None  # it expired since
        return None if self._hashes[seq] == noted_hash else f"row {seq} is not the one that was noted"


def _digest(salt: UUID, reason: str) -> bytes:
    return hashlib.sha256(salt.bytes + reason.encode()).digest()


def _entry(row: Row) -> Entry:
    return Entry(row.id, row.at, row.actor, row.act, row.subject_id, orjson.loads(row.detail), row.reason)


async def _rows(connection: Connection) -> AsyncIterator[Row]:
    after = 0
    while True:
        portion = await _PART.all(connection, after=after, limit=_PORTION)
        for row in portion:
            yield row
        if len(portion) < _PORTION:
            return
        after = portion[-1].seq


_INSERT = """
INSERT INTO chassis.audit (id, at, actor, act, subject_id, detail, reason)
SELECT id, at, actor, act, subject_id, detail::jsonb, reason
FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::uuid[], $6::text[], $7::text[])
    WITH ORDINALITY AS e (id, at, actor, act, subject_id, detail, reason, place)
ORDER BY place
"""

_AS_TEXT = {"detail": "detail::text"}

# The rows behind a number, in their order.
_PART = Query(
    "SELECT {columns} FROM chassis.audit WHERE seq > :after ORDER BY seq LIMIT :limit", Row, joined=_AS_TEXT
)

# What was done to a subject, the newest last.
_ABOUT = Query(
    "SELECT {columns} FROM chassis.audit WHERE subject_id = :subject_id AND act = :act ORDER BY seq DESC LIMIT :limit",
    Row,
    joined=_AS_TEXT,
)

# How often it was done.
_COUNT_ABOUT = Statement("SELECT count(*) FROM chassis.audit WHERE subject_id = :subject_id AND act = :act")

# The newest rows of an account, about a subject, since a time; NULL: of all.
_FIND = Query(
    """
    SELECT {columns} FROM chassis.audit
    WHERE (:actor::text IS NULL OR actor = :actor) AND (:subject_id::uuid IS NULL OR subject_id = :subject_id)
        AND (:since::timestamptz IS NULL OR at >= :since)
    ORDER BY seq DESC LIMIT :limit
    """,
    Row,
    joined=_AS_TEXT,
)

_HEAD = """
SELECT coalesce(nullif(current_setting($1, true), ''), 'never'), coalesce(max(seq), 0) FROM chassis.audit
"""

_BUSY = """
SELECT actor, count(*) AS shown FROM chassis.audit WHERE at > $1 AND act = ANY ($2::text[])
GROUP BY actor HAVING count(*) > $3 ORDER BY actor
"""
