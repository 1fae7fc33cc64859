"""Heartbeats of a process: does the database answer, does Kafka answer, does the event loop wake in time?

A connection that is refused raises an error, and whoever uses it says so. One that hangs says nothing: a frozen broker gives
a consumer no records, as an idle one does. These heartbeats therefore have connections and a time-out of their own.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import asyncpg

from bdcan_chassis import metrics
from bdcan_chassis.clock import Clock
from bdcan_chassis.database import Pool, wait
from bdcan_chassis.errors import DATABASE_ERRORS
from bdcan_chassis.logs import get_logger
from bdcan_chassis.settings import ServiceSettings

if TYPE_CHECKING:
    from bdcan_chassis.consumer import ConsumerLoop

log = get_logger(__name__)

BEAT_SECONDS = 5.0
ANSWER_SECONDS = 3.0
_LAG_SECONDS = 1.0


class Peer(Protocol):
    """Something that a process depends on. `errors`: how it refuses."""

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        """How it refuses."""
        ...

    async def ask(self) -> None:
        """Return when it has answered; hangs where it hangs."""
        ...

    async def leave(self) -> None:
        """Give the connection up, whatever state it is in."""
        ...


class Database:
    """The service's own database, by a connection that nothing else uses."""

    errors = DATABASE_ERRORS

    def __init__(self, settings: ServiceSettings, application: str) -> None:
        self._dsn, self._application = settings.database_url.get_secret_value(), application[:63]
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None

    async def ask(self) -> None:
        """Ask for nothing."""
        if self._connection is None:
            self._connection = await asyncpg.connect(
                self._dsn, timeout=ANSWER_SECONDS, server_settings={"application_name": self._application}
            )
        await self._connection.execute("SELECT 1")

    async def leave(self) -> None:
        """Cut the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()


async def answers(peer: Peer) -> bool:
    """Whether it answers in time. After a silence the next heartbeat connects anew."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            await peer.ask()
    except (*peer.errors, TimeoutError) as error:
        log.warning("heartbeat.missed", of=type(peer).__name__.lower(), exc_info=error)
        await peer.leave()
        return False
    return True


async def beat(
    database: Peer, kafka: Peer | None, loops: Sequence[ConsumerLoop], stopping: asyncio.Event
) -> None:
    """Ask both every few seconds until `stopping`. A consumer whose database or Kafka hangs counts as blocked."""
    try:
        while True:
            database_answers, kafka_answers = await asyncio.gather(
                answers(database), answers(kafka) if kafka else _yes()
            )
            metrics.DATABASE_CONNECTED.replace({(): database_answers})
            if kafka:
                metrics.KAFKA_CONNECTED.replace({(): kafka_answers})
            for loop in loops:
                waits = loop.progress.state == "blocked" or not (database_answers and kafka_answers)
                metrics.BLOCKED.labels(loop.name).set(waits)
            epoch = time.time() - time.monotonic()
            metrics.LAST_POLL.replace({(loop.name,): epoch + loop.progress.polled_at for loop in loops})
            if await wait(stopping, BEAT_SECONDS):
                return
    finally:
        await database.leave()
        if kafka:
            await kafka.leave()


async def _yes() -> bool:
    return True


async def feel_lag(stopping: asyncio.Event) -> None:
    """Observe by how much the event loop wakes this task too late, until `stopping`."""
    started = time.perf_counter()
    while not await wait(stopping, _LAG_SECONDS):
        now = time.perf_counter()
        metrics.EVENT_LOOP_LAG.observe(max(0.0, now - started - _LAG_SECONDS))
        started = now


def _disk_used() -> float:
    disk = shutil.disk_usage(".")
    return 1 - disk.free / disk.total


def describe_process(settings: ServiceSettings, version: str, clock: Clock, pool: Pool) -> None:
    """Export what runs here, which time it is, and how busy the pool is, as of each scrape."""
    metrics.BUILD_INFO.labels(version, settings.commit).set(1)
    metrics.DISK_USED.set_function(lambda: {(): _disk_used()})
    metrics.DOMAIN_TIME.set_function(lambda: {(): clock.now().timestamp()})
    metrics.POOL_CONNECTIONS.set_function(
        lambda: {("busy",): pool.get_size() - pool.get_idle_size(), ("idle",): pool.get_idle_size()}
    )
