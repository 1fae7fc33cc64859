"""Pauses: an operator has a loop stand still in all workers of a service, until a time.

A loop is a part of a worker that can be paused: `consumer:NAME`, `relay:TRAFFIC-CLASS`, `pass:NAME` (a planner or a gateway),
`deadlines`, `housekeeping`. A pause is a row, so a restart ends none; and it has an end, so nobody forgets one. A paused loop
finishes what it has in hand and keeps its place: a consumer stays in its group, a relay and the deadlines stay leaders.

Loops on which the safety of people depends are the service's `urgent_loops`. They are paused only where the operator says
so once more, and for a quarter of an hour at most.

Times are real: an operator's half hour does not pass faster on a scaled clock.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import NAMESPACE_URL, UUID, uuid5

from msgspec import Struct

from bdcan_chassis import metrics
from bdcan_chassis.audit import Act
from bdcan_chassis.database import Connection, Pool, backoff_seconds, wait_for_either
from bdcan_chassis.errors import DATABASE_ERRORS, ConfigurationError, is_transient
from bdcan_chassis.logs import get_logger
from bdcan_chassis.table import Query
from bdcan_chassis.transaction import Tx
from bdcan_chassis.wake import CHANNEL, Wakes

if TYPE_CHECKING:
    from bdcan_chassis.service import Service

log = get_logger(__name__)

DEADLINES, HOUSEKEEPING, REPLAY = "deadlines", "housekeeping", "replay"

LONGEST = timedelta(hours=24)
LONGEST_URGENT = timedelta(minutes=15)
"""How long a pause may last: of a loop, and of an urgent one."""

_WAKE = "pauses"
_LOOK_SECONDS = 5.0  # a NOTIFY may be lost


class Pause(Struct, frozen=True):
    """A loop that stands still. `left_seconds`: of real time, as of the reading."""

    loop: str
    ends_at: datetime
    paused_at: datetime
    actor: str
    reason: str
    left_seconds: float


def loops_of(service: Service) -> tuple[str, ...]:
    """The loops of the service's workers."""
    passes = [work.name for work in (*service.planners, *service.gateways)]
    return (
        *(f"consumer:{consumer.name}" for consumer in service.consumers),
        *(f"relay:{traffic_class}" for traffic_class in service.traffic_classes),
        *((DEADLINES,) if service.deadlines else ()),
        *(f"pass:{name}" for name in (*passes, REPLAY)),
        HOUSEKEEPING,
    )


async def pause(
    tx: Tx, service: Service, loop: str, lasts: timedelta, actor: str, reason: str, *, although_urgent: bool
) -> Pause:
    """Pause a loop, or move the end of its pause. Raises ConfigurationError where that may not be."""
    _check(service, loop)
    urgent = loop in service.urgent_loops
    if urgent and not although_urgent:
        raise ConfigurationError(
            f"the safety of people depends on {loop} of {service.name}: say --although-urgent if it must stand still,"
            f" for {LONGEST_URGENT.seconds // 60} minutes at most"
        )
    longest = LONGEST_URGENT if urgent else LONGEST
    if not timedelta() < lasts <= longest:
        raise ConfigurationError(f"a pause of {loop} lasts {longest} at most, and has an end")
    rows = await _PAUSE.all(tx.connection, loop=loop, lasts=lasts, actor=actor, reason=reason)
    ends_at = rows[0].ends_at.isoformat()
    tx.audit(Act.LOOP_PAUSED, actor, _subject(service, loop), reason, loop=loop, ends_at=ends_at)
    await tx.connection.execute(_NOTIFY, CHANNEL, _WAKE)
    return rows[0]


async def resume(tx: Tx, service: Service, loop: str, actor: str, reason: str) -> bool:
    """End a pause now. False: the loop was not paused. Raises ConfigurationError for a loop that does not exist."""
    _check(service, loop)
    if not await _RESUME.all(tx.connection, loop=loop):
        return False
    tx.audit(Act.LOOP_RESUMED, actor, _subject(service, loop), reason, loop=loop)
    await tx.connection.execute(_NOTIFY, CHANNEL, _WAKE)
    return True


async def paused(connection: Connection) -> list[Pause]:
    """The pauses that are in force, the one that ends first at the head."""
    return await _PAUSED.all(connection)


@dataclass(frozen=True, slots=True)
class Gate:
    """What a loop asks before it takes on more work."""

    pauses: Pauses
    loop: str

    @property
    def closed(self) -> bool:
        """Whether the loop must stand still."""
        return self.pauses.holds(self.loop)

    async def opened(self, stopping: asyncio.Event) -> None:
        """Return when the loop may work, or is told to stop."""
        while self.closed and not stopping.is_set():
            await self.pauses.change(stopping)


class Pauses:
    """The pauses as a worker knows them. Until it has read them once, all loops stand still: one may be paused."""

    def __init__(self, known: Mapping[str, float] | None = None) -> None:
        self._until = None if known is None else dict(known)
        self._changed = asyncio.Event()

    def of(self, loop: str) -> Gate:
        """The gate of a loop."""
        return Gate(self, loop)

    def holds(self, loop: str) -> bool:
        """Whether a loop must stand still. Its pause ends by itself, also while the database is away."""
        return self._until is None or self._until.get(loop, 0.0) > time.monotonic()

    async def known(self, stopping: asyncio.Event) -> None:
        """Return when they have been read once, or it is time to stop."""
        while self._until is None and not stopping.is_set():
            await self.change(stopping)

    async def change(self, stopping: asyncio.Event) -> None:
        """Wait until another reading is there, a pause ends, or it is time to stop."""
        await wait_for_either(self._changed, stopping, self._to_next_end())

    async def follow(
        self, pool: Pool, wakes: Wakes, loops: Iterable[str], urgent: frozenset[str], stopping: asyncio.Event
    ) -> None:
        """Read the pauses again and again until `stopping`, and tell Prometheus."""
        named = tuple(loops)
        wake, failures = wakes.of(_WAKE), 0
        while not stopping.is_set():
            wake.clear()
            try:
                async with pool.acquire() as connection:
                    self._take(await paused(connection))
                failures = 0
            except DATABASE_ERRORS as error:  # what was known stays in force until its end
                if not is_transient(error):
                    raise
                failures += 1
                log.warning("pauses.unreadable", attempt=failures, exc_info=error)
            if self._until is not None:
                metrics.LOOP_PAUSED.replace(
                    {(loop, "yes" if loop in urgent else "no"): self.holds(loop) for loop in named}
                )
            seconds = backoff_seconds(failures, 2) if failures else self._to_next_end()
            await wait_for_either(wake, stopping, seconds)

    def _take(self, found: list[Pause]) -> None:
        before = self._until or {}
        self._until = {one.loop: time.monotonic() + one.left_seconds for one in found}
        for one in found:
            if one.loop not in before:
                log.warning("loop.paused", loop=one.loop, by=one.actor, ends_at=one.ends_at.isoformat())
        for loop in before.keys() - self._until.keys():
            log.info("loop.resumed", loop=loop)
        self._changed.set()
        self._changed = asyncio.Event()

    def _to_next_end(self) -> float:
        left = [until - time.monotonic() for until in (self._until or {}).values()]
        return min([_LOOK_SECONDS, *(max(0.01, seconds) for seconds in left)])


NOTHING_PAUSED = Pauses({})
"""For a loop that runs alone."""


def _check(service: Service, loop: str) -> None:
    loops = loops_of(service)
    if loop not in loops:
        raise ConfigurationError(f"{service.name} has no loop {loop!r}; it has {', '.join(loops)}")


def _subject(service: Service, loop: str) -> UUID:
    """The id of a loop in the audit."""
    return uuid5(NAMESPACE_URL, f"bdcan:{service.name}:{loop}")


_NOTIFY = "SELECT pg_notify($1, $2)"

_COLUMNS = {"left_seconds": "extract(epoch FROM ends_at - now())::float8"}

# The pauses that are in force.
_PAUSED = Query(
    "SELECT {columns} FROM chassis.pause WHERE ends_at > now() ORDER BY ends_at", Pause, joined=_COLUMNS
)

# A loop stands still from now on.
_PAUSE = Query(
    """
    INSERT INTO chassis.pause AS p (loop, ends_at, actor, reason) VALUES (:loop, now() + :lasts::interval, :actor, :reason)
    ON CONFLICT (loop) DO UPDATE SET ends_at = excluded.ends_at, actor = excluded.actor, reason = excluded.reason,
        paused_at = CASE WHEN p.ends_at > now() THEN p.paused_at ELSE now() END
    RETURNING {columns}
    """,
    Pause,
    joined=_COLUMNS,
)

# A pause that is in force ends; one that has ended is only forgotten.
_RESUME = Query(
    "UPDATE chassis.pause SET ends_at = now() WHERE loop = :loop AND ends_at > now() RETURNING {columns}",
    Pause,
    joined=_COLUMNS,
)
