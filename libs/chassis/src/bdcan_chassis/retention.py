"""What is kept for how long. A service lists its kinds of record; housekeeping ends what is past its time, in portions.

A kind ends in one of two ways: its rows are deleted, or their personal columns are emptied and the row stays without the
person. Neither changes a state: only rows whose story has ended are touched, and nobody is told.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from bdcan_chassis import audit, metrics
from bdcan_chassis.database import Connection
from bdcan_chassis.errors import ConfigurationError
from bdcan_chassis.logs import get_logger
from bdcan_chassis.table import Statement
from bdcan_chassis.transaction import Transactions

log = get_logger(__name__)

PORTION = 1000
"""Rows that one statement ends at most, so that no lock is held for long."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A kind of record: what it holds, why, on which lawful basis, for how long, and what happens then.

    `past`: the SQL condition on a row `t` of `table` that is past its time `:before`. `emptied`: the columns that are emptied, with their
    new values; without it the row is deleted. `real_time`: the database stamps the row, not the domain's clock. `by_rule`: what a rule of
    the domain does instead, because a state changes with it; housekeeping only counts such rows. `of_subjects`: the condition on a row `t`
    that is about one of `:subject_ids`; such rows end at once when a person is erased. `stays_about`: the same, where rows stay. An export shows both.
    `history`: the column of the time of a table that is append-only. Its rows end 30 days after they were written at the earliest.
    """

    name: str
    table: str
    holds: str
    why: str
    basis: str
    period: timedelta
    past: str
    emptied: Mapping[str, str] = field(default_factory=dict)
    real_time: bool = False
    by_rule: str = ""
    of_subjects: str = ""
    stays_about: str = ""
    history: str = ""

    @property
    def then(self) -> str:
        """What happens to a row that is past its time."""
        if self.by_rule:
            return self.by_rule
        if not self.emptied:
            return "the row is deleted"
        return f"emptied: {', '.join(self.emptied)}; the rest stays without the person"

    @property
    def count(self) -> Statement:
        """How many rows are past their time."""
        return Statement(_COUNT.format(table=self.table, past=self._past))

    async def end_some(self, connection: Connection, before: datetime) -> int:
        """End a portion of them; returns how many."""
        return await self._run(self.end, connection, before=before, portion=PORTION)

    async def erase_of(self, connection: Connection, subject_ids: Sequence[UUID]) -> int:
        """End the rows of some subjects, whatever their age; returns how many."""
        return await self._run(self.erase, connection, subject_ids=subject_ids)

    async def _run(self, statement: Statement, connection: Connection, **arguments: Any) -> int:
        run = statement.value if self.history else statement.execute
        return await run(connection, **arguments)

    @property
    def _past(self) -> str:
        return f"t.{self.history} < now() - interval '30 days' AND {self.past}" if self.history else self.past

    @property
    def end(self) -> Statement:
        """Ends a portion of them. Rows that somebody has locked wait for the next round."""
        if self.history:
            places = _PAST_OF_HISTORY.format(table=self.table, past=self._past)
            return Statement(_END_HISTORY.format(table=self.table, places=places, forgets=self._forgets))
        past = _PAST.format(table=self.table, past=self.past)
        if not self.emptied:
            return Statement(_DELETE.format(table=self.table, past=past))
        sets = ", ".join(f"{column} = {value}" for column, value in self.emptied.items())
        return Statement(_EMPTY.format(table=self.table, sets=sets, past=past))

    @property
    def about(self) -> str:
        """The condition on a row that is about some subjects; empty: no row of this kind is."""
        return " OR ".join(f"({one})" for one in (self.of_subjects, self.stays_about) if one)

    @property
    def held(self) -> Statement:
        """The rows about some subjects, as JSON."""
        return Statement(_HELD.format(table=self.table, subjects=self.about))

    @property
    def erase(self) -> Statement:
        """Ends the rows of some subjects, whatever their age."""
        if self.history:
            places = _OF_HISTORY.format(table=self.table, subjects=self.of_subjects)
            return Statement(_END_HISTORY.format(table=self.table, places=places, forgets=self._forgets))
        if not self.emptied:
            return Statement(_ERASE.format(table=self.table, subjects=self.of_subjects))
        sets = ", ".join(f"{column} = {value}" for column, value in self.emptied.items())
        return Statement(_EMPTY_OF.format(table=self.table, sets=sets, subjects=self.of_subjects))

    @property
    def _forgets(self) -> str:
        return next(iter(self.emptied), "")


@dataclass(frozen=True, slots=True)
class Past:
    """A kind with its period as configured, and how many of its rows are past it."""

    kept: Kept
    period: timedelta
    rows: int


def periods(kinds: Sequence[Kept], settings: Mapping[str, timedelta]) -> dict[str, timedelta]:
    """How long each kind is kept. Raises ConfigurationError for a kind that does not exist, or a period that is not positive."""
    if unknown := settings.keys() - {kind.name for kind in kinds}:
        names = ", ".join(sorted(kind.name for kind in kinds))
        raise ConfigurationError(
            f"BDCAN_RETENTION names {', '.join(sorted(unknown))}: this service keeps {names}"
        )
    if wrong := sorted(name for name, period in settings.items() if period <= timedelta()):
        raise ConfigurationError(f"BDCAN_RETENTION: {', '.join(wrong)} must be kept for some time")
    return {kind.name: settings.get(kind.name, kind.period) for kind in kinds}


async def look(
    transactions: Transactions, kinds: Sequence[Kept], kept_for: Mapping[str, timedelta]
) -> list[Past]:
    """How many rows of each kind are past their time. Changes nothing."""
    found = []
    async with transactions.pool.acquire() as connection:
        for kind in kinds:
            period = kept_for[kind.name]
            rows = await kind.count.value(connection, before=_now(transactions, kind) - period)
            found.append(Past(kind, period, rows))
    return found


async def end(
    transactions: Transactions, kinds: Sequence[Kept], kept_for: Mapping[str, timedelta]
) -> dict[str, int]:
    """End what is past its time, each portion in a transaction of its own; returns how many rows of each kind."""
    ended: dict[str, int] = {}
    for kind in kinds:
        if kind.by_rule:
            continue
        before = _now(transactions, kind) - kept_for[kind.name]
        ended[kind.name] = 0
        portion = PORTION
        while portion == PORTION:
            async with transactions.pool.acquire() as connection:
                portion = await kind.end_some(connection, before)
            ended[kind.name] += portion
    before = transactions.clock.now() - kept_for[_AUDIT.name]
    async with transactions.pool.acquire() as connection:
        ended[_AUDIT.name] = await audit.expire(connection, before, transactions.clock.now())
    if any(ended.values()):
        log.info("retention.ended", rows={name: rows for name, rows in ended.items() if rows})
    metrics.RETENTION_RUN.replace({(): time.time()})
    return ended


async def measure(
    transactions: Transactions, kinds: Sequence[Kept], kept_for: Mapping[str, timedelta]
) -> None:
    """Set the gauge of rows that are past their time."""
    found = await look(transactions, kinds, kept_for)
    metrics.RETENTION_PAST.replace({(past.kept.name,): past.rows for past in found})


def _now(transactions: Transactions, kind: Kept) -> datetime:
    return datetime.now(UTC) if kind.real_time else transactions.clock.now()


_AUDIT = Kept(
    "audit",
    "chassis.audit",
    "who saw or did what about whom, when and why",
    "so that a resident can be shown who was told what, and misuse is found",
    "legal obligation: accountability (UK GDPR art. 5(2))",
    timedelta(days=6 * 365),
    "t.at < :before AND t.at < now() - interval '90 days'",
    by_rule="the oldest rows are deleted; a row of the chain says which",
)

CHASSIS_KEPT = (
    _AUDIT,
    Kept(
        "settled-dead-letters",
        "chassis.dead_letter",
        "records that could not be handled, with what a stranger wrote in key, headers and body",
        "so that an operator can see what was replayed or discarded",
        "legitimate interest: to keep the service running",
        timedelta(days=30),
        "t.settled_at < :before AND t.state IN ('replayed', 'discarded')"
        " AND (t.body IS NOT NULL OR t.record_key IS NOT NULL OR t.error <> '' OR t.event_type IS NOT NULL"
        " OR t.headers <> '[]'::bytea)",
        {"record_key": "NULL", "headers": "'[]'::bytea", "body": "NULL", "event_type": "NULL", "error": "''"},
        real_time=True,
    ),
    Kept(
        "ended-messages",
        "chassis.message",
        "which kind of message went to whom about what, and when: ids, codes and times",
        "so that nobody gets a message twice, and somebody can see what a person heard",
        "public task",
        timedelta(days=90),
        "t.ended_at < :before",
    ),
    Kept(
        "ended-pauses",
        "chassis.pause",
        "which operator had which loop stand still, and why",
        "so that whoever is on call sees what was paused a moment ago; the audit keeps it for longer",
        "legitimate interest: to keep the service running",
        timedelta(days=7),
        "t.ends_at < :before",
        real_time=True,
    ),
    Kept(
        "stored-replies",
        "chassis.idempotency_key",
        "the reply to a request with an Idempotency-Key",
        "so that a repeated request has its effect once",
        "legitimate interest: to keep the service running",
        timedelta(days=2),
        "t.created_at < :before",
        real_time=True,
    ),
    Kept(
        "traces",
        "chassis.trace",
        "which trace the last step of a row belongs to: an id of the row and an id of the trace",
        "so that an operator sees all steps of a referral in one trace",
        "legitimate interest: to keep the service running",
        timedelta(days=30),
        "t.moved_at < :before",
        real_time=True,
    ),
)
"""What every service keeps. A settled dead letter keeps its id, place, state, reason code and times."""


_COUNT = "SELECT count(*) FROM {table} AS t WHERE {past}"

_PAST = "ARRAY(SELECT t.ctid FROM {table} AS t WHERE {past} LIMIT :portion FOR UPDATE SKIP LOCKED)"

_PAST_OF_HISTORY = "ARRAY(SELECT t.ctid FROM {table} AS t WHERE {past} LIMIT :portion)"

_OF_HISTORY = "ARRAY(SELECT t.ctid FROM {table} AS t WHERE {subjects})"

_END_HISTORY = "SELECT chassis.end_history('{table}', {places}, '{forgets}')"

_DELETE = "DELETE FROM {table} WHERE ctid = ANY ({past})"

_EMPTY = "UPDATE {table} SET {sets} WHERE ctid = ANY ({past})"

_ERASE = "DELETE FROM {table} AS t WHERE {subjects}"

_HELD = "SELECT to_jsonb(t)::text AS held FROM {table} AS t WHERE {subjects}"

_EMPTY_OF = "UPDATE {table} AS t SET {sets} WHERE {subjects}"
