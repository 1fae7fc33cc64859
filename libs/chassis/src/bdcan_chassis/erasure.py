"""Erasing a person: what a service holds about a subject ends at once, and a late event does not bring it back.

A subject is whatever the service's rows name: a referral's id. A service declares an `Eraser`. A request makes a row, which stays
for ever and holds ids and times only. While work is open the row waits, and looks again every hour. When the work has
settled, or its time is up, the same rows end as by retention. The row then is a tombstone: a transaction that handles an event about its
subject erases again before it commits. An hour later everything is erased once more, for whoever was at work at that moment.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace
from pydantic import BaseModel

from bdcan_chassis.audit import Act
from bdcan_chassis.book import Book
from bdcan_chassis.database import Connection
from bdcan_chassis.deadlines import DeadlineHandler, Due
from bdcan_chassis.messages.book import drop_messages
from bdcan_chassis.retention import Kept
from bdcan_chassis.step import Step
from bdcan_chassis.subscription import Batch
from bdcan_chassis.table import Statement, Table
from bdcan_chassis.transaction import Tx

LOOK = "erasure"
"""Deadline: look whether the work has settled; once erased, erase once more."""

LOOK_EVERY = timedelta(hours=1)


class Erasure(Struct, frozen=True):
    """A subject that is to be erased, or was. `erase_by`: open work is waited for until then."""

    subject_id: UUID
    erasure_id: UUID
    requested_at: datetime
    erase_by: datetime
    waits_for: tuple[str, ...] = ()
    erased_at: datetime | None = None


Rows = Mapping[str, int]
"""How many rows of each kind of record were erased."""

Answer = Callable[[dict[str, Any], Rows], BaseModel]
"""Makes the event that answers a request: from its fields, and the rows that went."""


def is_ripe(erasure: Erasure, waits_for: Sequence[str], now: datetime) -> bool:
    """Whether to erase now: nothing is open, or the time is up."""
    return not waits_for or now >= erasure.erase_by


def waiting(
    erasure: Erasure, waits_for: Sequence[str], now: datetime, tell: Callable[[Erasure], BaseModel]
) -> Step[Erasure]:
    """Open work is waited for. Whoever asked hears of it when it changes."""
    after = replace(erasure, waits_for=tuple(sorted(set(waits_for))))
    look_at = min(now + LOOK_EVERY, erasure.erase_by)
    return Step(after, (tell(after),) if after != erasure else (), {LOOK: look_at})


def erased(erasure: Erasure, now: datetime, tell: Callable[[Erasure], BaseModel]) -> Step[Erasure]:
    """Everything that says who the person was has gone."""
    after = replace(erasure, waits_for=(), erased_at=erasure.erased_at or now)
    return Step(after, (tell(after),), {LOOK: now + LOOK_EVERY})


def forgotten(subject_id: UUID, now: datetime, *told: BaseModel) -> Step[Erasure]:
    """A subject goes because its own story ended; no request has to be answered."""
    return Step(Erasure(subject_id, subject_id, now, now, erased_at=now), told, {LOOK: now + LOOK_EVERY})


class Erasures(Book[Erasure]):
    """Requests and tombstones."""

    table = Table("chassis.erasure", Erasure, key="subject_id", stamp=None)


async def _nothing(_tx: Tx, _subject_ids: Collection[UUID]) -> Sequence[bytes]:
    return ()


@dataclass(frozen=True)
class Eraser:
    """How a service erases.

    `kinds`: its kinds of record; those with `of_subjects` go. `open_work`: a query of pairs, a subject (`:subject_ids`) and a code of what
    is still open. `keeps`: codes of what stays without the person. `first` runs before anything goes, and returns record keys
    under which strangers wrote about the subjects. `known_as`: the id under which the service knows whoever sent an enquiry.
    """

    service: str
    kinds: Sequence[Kept]
    answer: Answer
    open_work: Statement | None = None
    keeps: tuple[str, ...] = ()
    first: Callable[[Tx, Collection[UUID]], Awaitable[Sequence[bytes]]] = field(default=_nothing)
    known_as: Callable[[UUID], UUID] | None = None

    @property
    def deadlines(self) -> dict[str, DeadlineHandler]:
        """The deadline that the service adds to its own."""
        return {LOOK: self.on_due}

    async def on_requested(self, batch: Batch[Any], tx: Tx) -> None:
        """Handle requests that came by event. Their data name `referral_id`, `erasure_id`, `requested_at` and `erase_by`."""
        await self.request(
            tx,
            [
                Erasure(e.data.referral_id, e.data.erasure_id, e.data.requested_at, e.data.erase_by)
                for e in batch
            ],
        )

    async def request(self, tx: Tx, asked: Iterable[Erasure]) -> None:
        """Erase subjects, or wait for their open work. A subject that was erased before is answered at once."""
        wanted = {one.subject_id: one for one in asked}
        book = Erasures(tx)
        await book.put_missing(Step(one) for one in wanted.values())
        for known in await book.lock_keys(wanted.keys()):
            if known.erasure_id != wanted[known.subject_id].erasure_id:
                book.put(Step(replace(known, erasure_id=wanted[known.subject_id].erasure_id)))
        await self._proceed(book, tx)

    async def on_due(self, due: Sequence[Due], tx: Tx) -> None:
        """Look again at what waits, and erase once more what was erased an hour ago."""
        book = Erasures(tx)
        found = await book.lock_keys(d.subject for d in due)
        await self.erase(tx, [one.subject_id for one in found if one.erased_at])
        waiting_ones = Erasures(tx)
        await waiting_ones.lock_keys(one.subject_id for one in found if not one.erased_at)
        await self._proceed(waiting_ones, tx)

    async def again(self, tx: Tx, subject_ids: Collection[UUID]) -> None:
        """Erase what an event about an erased subject has just brought back."""
        await tx.write_added()
        await self.erase(tx, subject_ids)

    async def erase(self, tx: Tx, subject_ids: Collection[UUID]) -> dict[UUID, Rows]:
        """End every row of these subjects that says who somebody is; returns how many rows of each kind."""
        counted: dict[UUID, Rows] = {}
        await drop_messages(tx, subject_ids, "erased")
        for subject_id in sorted(set(subject_ids)):
            keys = [str(subject_id).encode(), *await self.first(tx, [subject_id])]
            counted[subject_id] = {
                kind.name: await kind.erase_of(tx.connection, [subject_id])
                for kind in self.kinds
                if kind.of_subjects
            } | {"dead-letters": await _scrub(tx, subject_id, keys)}
        tx.erase_reasons(subject_ids)
        return counted

    async def _proceed(self, book: Erasures, tx: Tx) -> None:
        open_work: dict[UUID, list[str]] = {}
        if self.open_work:
            subject_ids = [one.subject_id for one in book]
            for subject_id, code in await self.open_work.records(tx.connection, subject_ids=subject_ids):
                open_work.setdefault(subject_id, []).append(code)
        for one in book:
            waits_for = open_work.get(one.subject_id, ())
            if one.erased_at or is_ripe(one, waits_for, tx.now):
                rows = (await self.erase(tx, [one.subject_id]))[one.subject_id]
                book.put(erased(one, tx.now, lambda e, rows=rows: self._told(e, rows, tx.now)))
            else:
                book.put(waiting(one, waits_for, tx.now, lambda e: self._told(e, {}, tx.now)))
        await book.save()

    def _told(self, erasure: Erasure, rows: Rows, now: datetime) -> BaseModel:
        said = {
            "referral_id": erasure.subject_id,
            "erasure_id": erasure.erasure_id,
            "service": self.service,
            "erased": erasure.erased_at is not None,
            "waits_for": erasure.waits_for,
            "keeps": self.keeps if erasure.erased_at else (),
            "answered_at": now,
        }
        return self.answer(said, {kind: count for kind, count in rows.items() if count})


async def erased_among(connection: Connection, subject_ids: Iterable[UUID]) -> set[UUID]:
    """Which of these subjects were erased."""
    rows = await connection.fetch(_ERASED, list(subject_ids))
    return {row["subject_id"] for row in rows}


async def _scrub(tx: Tx, subject_id: UUID, keys: Sequence[bytes]) -> int:
    """Empty the dead letters about a subject. An open one is discarded: nothing is left that it could change."""
    gone = await tx.connection.fetch(_SCRUB, keys, str(subject_id).encode())
    tx.erase_reasons(row["id"] for row in gone)
    for row in gone:
        if row["was_open"]:
            tx.audit(Act.DISCARDED, "erasure", row["id"], "the person was erased")
    if gone:
        await tx.connection.execute(_FREE_KEYS)
    return len(gone)


_ERASED = "SELECT subject_id FROM chassis.erasure WHERE erased_at IS NOT NULL AND subject_id = ANY ($1)"

_SCRUB = """
UPDATE chassis.dead_letter AS d
SET record_key = NULL, headers = '[]', body = NULL, event_type = NULL, error = '',
    state = CASE WHEN f.state IN ('parked', 'queued') THEN 'discarded' ELSE f.state END,
    settled_at = coalesce(d.settled_at, now())
FROM (
    SELECT seq, state FROM chassis.dead_letter
    WHERE record_key = ANY ($1::bytea[]) OR position($2::bytea IN body) > 0 ORDER BY seq FOR UPDATE
) AS f
WHERE d.seq = f.seq RETURNING d.id, f.state IN ('parked', 'queued') AS was_open
"""

_FREE_KEYS = """
DELETE FROM chassis.parked_key AS p WHERE NOT EXISTS (
    SELECT FROM chassis.dead_letter AS d WHERE d.consumer = p.consumer AND d.topic = p.topic
        AND d.record_key = p.record_key AND d.state IN ('parked', 'queued')
)
"""
