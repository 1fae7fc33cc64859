"""Wakes: one LISTEN connection for each worker, turned into asyncio events.

Every waiter also has an interval, so a lost NOTIFY (no listener was connected) only delays it until then. After a
reconnect every waiter is woken once.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict

from bdcan_chassis.database import backoff_seconds, dedicated_connection, wait, wait_for_either
from bdcan_chassis.errors import DATABASE_ERRORS, is_transient
from bdcan_chassis.logs import get_logger
from bdcan_chassis.transaction import CHANNEL

log = get_logger(__name__)


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
