"""Durable deadlines: rows with a time, which fire at least once after they are due and never before.

One leader fires them. It reads due rows without a lock. The handler locks its aggregates and decides. Then the runner
deletes exactly the rows that it read. If another transaction has deleted or moved one of them, the whole transaction is rolled
back and the next round sees the new state. A deadline that was cancelled in time therefore has no effect. (To lock the
rows first would deadlock with handlers, which lock their aggregate before they move its deadline.)

A handler that fails does not lose its deadline. The runner retries failing deadlines one by one, at growing intervals,
and a metric counts them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, TypeAlias
from uuid import UUID

from bdcan_chassis import metrics
from bdcan_chassis.database import Connection, backoff_seconds, dedicated_connection, wait, wait_for_either
from bdcan_chassis.errors import describe, is_transient
from bdcan_chassis.logs import get_logger
from bdcan_chassis.pauses import DEADLINES, NOTHING_PAUSED, Pauses
from bdcan_chassis.settings import ServiceSettings
from bdcan_chassis.tracing import working
from bdcan_chassis.transaction import LOOK_SECONDS, Transactions, Tx
from bdcan_chassis.wake import Wakes

log = get_logger(__name__)

ROUND = 200
"""Deadlines fired in one transaction at most."""

_SHORTEST_SECONDS = 0.005
_REST_SECONDS = 0.05
_RETRY_MOST = timedelta(minutes=15)


class Due(NamedTuple):
    """A deadline that is due: its kind, its aggregate and its time."""

    kind: str
    subject: UUID
    due_at: datetime


DeadlineHandler: TypeAlias = Callable[[Sequence[Due], Tx], Awaitable[None]]
"""Takes all due deadlines of one kind. It locks the aggregates and lets their state decide; it may set new ones."""


class _MovedError(Exception):
    """A deadline was cancelled or moved while it fired."""


class Deadlines:
    """Fires a service's deadlines while it is the leader."""

    def __init__(
        self,
        handlers: Mapping[str, DeadlineHandler],
        transactions: Transactions,
        settings: ServiceSettings,
        wakes: Wakes,
        pauses: Pauses = NOTHING_PAUSED,
    ) -> None:
        self._handlers = handlers
        self._transactions = transactions
        self._dsn = settings.database_url.get_secret_value()
        self._name = f"bdcan.{transactions.service}.deadlines"
        self._wake = wakes.of("deadlines")
        self._gate = pauses.of(DEADLINES)

    async def run(self, stopping: asyncio.Event) -> None:
        """Fire until `stopping`; becomes leader when it can, and starts again after any failure."""
        attempt = 0
        while not stopping.is_set():
            try:
                async with dedicated_connection(self._dsn, self._name) as connection:
                    while not stopping.is_set() and not await connection.fetchval(_LEAD, self._name):
                        await wait(stopping, 1.0)
                    while not stopping.is_set():
                        if self._gate.closed:
                            await self._gate.opened(stopping)
                            continue
                        self._wake.clear()
                        seconds = await self._seconds_to_next(
                            connection
                        )  # fails with the connection that leads
                        if seconds > 0 or not await self.fire():
                            await wait_for_either(self._wake, stopping, max(seconds, _SHORTEST_SECONDS))
                            if (
                                self._wake.is_set()
                            ):  # others are about to set deadlines too: one look serves them all
                                await wait(stopping, _REST_SECONDS)
                        attempt = 0
            except Exception as error:  # a deadline outlives a failure of its handler: log it, try again
                attempt += 1
                log.warning(
                    "deadlines.failed", attempt=attempt, transient=is_transient(error), exc_info=error
                )
                await wait(stopping, backoff_seconds(attempt))

    async def fire(self) -> int:
        """One round: handle the deadlines that are due now; returns how many were."""
        now = self._transactions.clock.now()
        rows = await self._transactions.pool.fetch(_DUE, now, ROUND, list(self._handlers))
        by_kind: dict[str, list[Due]] = {}
        for row in rows:
            by_kind.setdefault(row["kind"], []).append(Due(row["kind"], row["subject"], row["due_at"]))
        return sum([await self._fire(kind, due) for kind, due in by_kind.items()])

    async def _fire(self, kind: str, due: list[Due]) -> int:
        try:
            return await self._handle(kind, due)
        except _MovedError:
            return 1  # look again at once: the row is deleted or lies in the future now
        except Exception as error:  # isolate the one at fault; see module docstring
            if is_transient(error):
                raise
            if len(due) == 1:
                await self._postpone(due[0], error)
                return 0
        return sum([await self._fire(kind, [deadline]) for deadline in due])

    async def _handle(self, kind: str, due: list[Due]) -> int:
        tracer = self._transactions.tracer
        with working(tracer, f"deadline {kind}", quiet=(_MovedError,)) as unit:
            async with self._transactions.begin() as tx:
                await self._handlers[kind](due, tx)
                gone = await tx.connection.fetch(
                    _FIRED, [kind] * len(due), [d.subject for d in due], [d.due_at for d in due]
                )
                if len(gone) != len(due):
                    raise _MovedError
        exemplar = unit and unit.exemplar
        for deadline in due:
            metrics.DEADLINE_LATENESS.labels(kind).observe(
                max(0.0, (tx.now - deadline.due_at).total_seconds()), exemplar
            )
        metrics.DEADLINES_FIRED.labels(kind).inc(len(due))
        return len(due)

    async def _postpone(self, deadline: Due, error: Exception) -> None:
        log.error("deadline.failed", kind=deadline.kind, subject=str(deadline.subject), exc_info=error)
        now = self._transactions.clock.now()
        await self._transactions.pool.execute(
            _POSTPONE, deadline.kind, deadline.subject, deadline.due_at, now, _RETRY_MOST, describe(error)
        )

    async def _seconds_to_next(self, connection: Connection) -> float:
        clock = self._transactions.clock
        soonest = await connection.fetchval(_SOONEST, list(self._handlers))
        if soonest is None:
            return LOOK_SECONDS
        return min(LOOK_SECONDS, clock.real_seconds(soonest - clock.now()))


_LEAD = "SELECT pg_try_advisory_lock(hashtextextended($1, 0))"

_DUE = """
SELECT kind, subject, due_at FROM chassis.deadline WHERE due_at <= $1 AND kind = ANY ($3::text[]) ORDER BY due_at LIMIT $2
"""

_FIRED = """
DELETE FROM chassis.deadline AS d
USING unnest($1::text[], $2::uuid[], $3::timestamptz[]) AS f (kind, subject, due_at)
WHERE d.kind = f.kind AND d.subject = f.subject AND d.due_at = f.due_at RETURNING d.subject
"""

_POSTPONE = """
UPDATE chassis.deadline SET failures = failures + 1, last_error = $6,
    due_at = $4::timestamptz + least($5::interval, interval '1 second' * (2 ^ least(failures, 20)))
WHERE kind = $1 AND subject = $2 AND due_at = $3
"""

_SOONEST = "SELECT min(due_at) FROM chassis.deadline WHERE kind = ANY ($1::text[])"
