"""Connections to a service's own database."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterable, Sequence, Sized
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

import asyncpg

from bdcan_chassis.errors import DATABASE_ERRORS
from bdcan_chassis.logs import get_logger

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]
    Pool: TypeAlias = asyncpg.Pool[asyncpg.Record]
else:
    Connection = asyncpg.Connection
    Pool = asyncpg.Pool

log = get_logger(__name__)

# A paused process must not hold locks for ever: the server ends its transaction, and a time-out is transient.
_SERVER_SETTINGS = {
    "idle_in_transaction_session_timeout": "30000",
    "lock_timeout": "20000",
    "statement_timeout": "60000",
    "timezone": "UTC",
    "random_page_cost": "1.1",
}
# random_page_cost: the default is for spinning disks, and lets batches of 500 ids scan whole tables.
# plan_cache_mode stays "auto": planning each statement anew was a third of PostgreSQL's time. A generic plan that was made on
# an empty table lasts until autovacuum analyzes the table, a minute later at the most.


MANY_ROWS = 32
"""From so many rows on, COPY is cheaper than arrays, of which asyncpg looks at each element twice: half the time on both
sides, for one round trip more."""


def columns(rows: Iterable[Sequence[Any]]) -> list[list[Any]]:
    """The rows as one list for each column, as `unnest` takes them."""
    return [list(column) for column in zip(*rows, strict=True)]


def are_many(rows: Sized) -> bool:
    """Whether there are enough rows for COPY to be worth its round trip."""
    return len(rows) >= MANY_ROWS


async def open_pool(
    dsn: str, size: int, application: str, kind: type[asyncpg.Connection[asyncpg.Record]] = asyncpg.Connection
) -> Pool:
    """A pool that opens connections when needed, so that a process can start while the database is down."""
    return await asyncpg.create_pool(
        dsn,
        min_size=0,
        max_size=size,
        timeout=10,
        command_timeout=60,
        max_inactive_connection_lifetime=300,
        reset=_leave_as_it_is,
        connection_class=kind,
        server_settings={**_SERVER_SETTINGS, "application_name": application[:63]},
    )


async def _leave_as_it_is(_connection: object) -> None:
    """Do nothing: no session state outlives its transaction here, and asyncpg's RESET ALL would cost a round trip."""


@asynccontextmanager
async def dedicated_connection(
    dsn: str, application: str
) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """A connection outside the pool, for session locks and LISTEN."""
    connection = await asyncpg.connect(
        dsn,
        timeout=10,
        command_timeout=60,
        server_settings={
            **_SERVER_SETTINGS,
            "application_name": application[:63],
            # a leader that is cut off must lose its session, and with it its lock
            "tcp_keepalives_idle": "10",
            "tcp_keepalives_interval": "5",
            "tcp_keepalives_count": "3",
        },
    )
    try:
        yield connection
    finally:
        try:
            await connection.close(timeout=5)
        except DATABASE_ERRORS:
            connection.terminate()


def backoff_seconds(attempt: int, most: float = 10.0) -> float:
    """Full-jitter exponential back-off: a random wait of up to 0.1 · 2^attempt seconds, and at most `most`."""
    return random.uniform(0.05, min(most, 0.1 * 2 ** min(attempt, 12)))  # noqa: S311 # jitter needs no secrecy


async def wait(event: asyncio.Event, seconds: float) -> bool:
    """Wait for an event for at most so many seconds; returns whether it came."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True


async def rest(stopping: asyncio.Event, took: float, most: float = 0.05) -> None:
    """Wait for four times as many seconds as the last round took, at most `most`, unless `stopping`.

    Use it after a round that had little to do: the next round finds more work for the same cost. The first record of a
    burst never waits.
    """
    await wait(stopping, min(4 * took, most))


async def wait_for_either(first: asyncio.Event, second: asyncio.Event, seconds: float) -> None:
    """Wait until one of two events is set, for at most so many seconds."""
    waits = [asyncio.ensure_future(first.wait()), asyncio.ensure_future(second.wait())]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for waiting in waits:
            waiting.cancel()
