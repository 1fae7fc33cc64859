"""Waiting until rows have come, by cheap counts on the services' databases."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

import asyncpg

_FIRST_PAUSE_SECONDS = 0.02

REFERRALS = "SELECT count(*) FROM referral"
CALLS = "SELECT count(*) FROM welfare_call"
ENTRIES = "SELECT count(*) FROM timeline"


class Watch:
    """Counts rows in several databases. `queries`: DSN → a query that gives one number."""

    def __init__(self, queries: Mapping[tuple[str, str], int]) -> None:
        """Wants each query, as (DSN, SQL), to have grown by so many rows when `grown` returns."""
        self._wanted = dict(queries)
        self._connections: dict[str, asyncpg.Connection] = {}
        self._before: dict[tuple[str, str], int] = {}

    async def __aenter__(self) -> Self:
        for dsn, _ in self._wanted:
            if dsn not in self._connections:
                self._connections[dsn] = await asyncpg.connect(dsn)
        self._before = {query: await self._count(query) for query in self._wanted}
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for connection in self._connections.values():
            await connection.close()

    async def grown(self, limit_seconds: float) -> float:
        """Wait until all rows are there; returns the moment, in the terms of `perf_counter`.

        It asks at intervals of ten times what asking takes: the watching costs a tenth of a core at most.
        Raises TimeoutError.
        """
        async with asyncio.timeout(limit_seconds):
            for query, wanted in self._wanted.items():
                while True:
                    asked = time.perf_counter()
                    if await self._count(query) - self._before[query] >= wanted:
                        break
                    answered = time.perf_counter()
                    await asyncio.sleep(max(_FIRST_PAUSE_SECONDS, 10 * (answered - asked)))
        return time.perf_counter()

    async def _count(self, query: tuple[str, str]) -> int:
        dsn, sql = query
        return await self._connections[dsn].fetchval(sql)
