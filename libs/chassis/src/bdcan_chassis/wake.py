"""Wakes: a commit tells the service's workers that there is work, by NOTIFY; a worker turns it into asyncio events.

The NOTIFY comes after the commit. Within a transaction it would hold a lock of the whole database while the commit waits
for the disk: no two requests could share an fsync.

Every waiter also has an interval, so a lost NOTIFY (no listener was connected, or the process died after the commit)
only delays it until then. After a reconnect every waiter is woken once.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable

from bdcan_chassis.database import Pool, backoff_seconds, dedicated_connection, wait, wait_for_either
from bdcan_chassis.errors import DATABASE_ERRORS, is_transient
from bdcan_chassis.logs import get_logger

log = get_logger(__name__)

CHANNEL = "bdcan"
"""The NOTIFY channel of a service's database; the payload says who is to wake."""

_SHARED_SECONDS = 0.01
"""How long commits gather before they share a NOTIFY. Nothing is waited for here: the wakes only become fewer."""


class Waker:
    """Wakes whoever waits for work in any worker of the service. Commits within a few milliseconds share one NOTIFY."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._names: set[str] = set()
        self._sending: asyncio.Task[None] | None = None

    def wake(self, names: Iterable[str]) -> None:
        """Wake them soon. Call it after the commit."""
        self._names.update(names)
        if self._names and (self._sending is None or self._sending.done()):
            self._sending = asyncio.create_task(self._send())

    async def _send(self) -> None:
        while self._names:
            names, self._names = sorted(self._names), set()
            try:
                await self._pool.execute(_NOTIFY, CHANNEL, names)
            except DATABASE_ERRORS as error:  # the waiters look for themselves in a moment
                log.info("wake.not_sent", exc_info=error)
            await asyncio.sleep(_SHARED_SECONDS)


class Wakes:
    """Events by name: `outbox:<traffic_class>`, `pass:<name>`, `deadlines`."""

    def __init__(self) -> None:
        self._events: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)

    def of(self, name: str) -> asyncio.Event:
        """The event of that name. A waiter clears it *before* it looks for work."""
        return self._events[name]

    def all(self) -> None:
        """Wake everybody."""
        for event in self._events.values():
            event.set()

    async def listen(self, dsn: str, application: str, stopping: asyncio.Event) -> None:
        """Turn notifications into events until `stopping`; reconnects for ever."""
        attempt = 0
        while not stopping.is_set():
            try:
                async with dedicated_connection(dsn, application) as connection:
                    lost = asyncio.Event()
                    connection.add_termination_listener(lambda *_, lost=lost: lost.set())
                    await connection.add_listener(CHANNEL, lambda *args: self.of(str(args[3])).set())
                    attempt = 0
                    self.all()
                    while not stopping.is_set() and not lost.is_set():
                        await connection.execute("SELECT 1")  # a dead connection does not report itself
                        await wait_for_either(lost, stopping, 5)
            except DATABASE_ERRORS as error:
                if not is_transient(error):
                    raise
                attempt += 1
                log.warning("wake.disconnected", attempt=attempt, exc_info=error)
                await wait(stopping, backoff_seconds(attempt))


_NOTIFY = "SELECT pg_notify($1, name) FROM unnest($2::text[]) AS name"
