"""Waiting for a condition with a time limit, instead of a sleep."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import httpx


async def until(check: Callable[[], Awaitable[Any]], seconds: float = 20) -> Any:
    """The first true answer of `check`. A server that is away is no answer yet."""
    async with asyncio.timeout(seconds):
        while True:
            try:
                if answer := await check():
                    return answer
            except (OSError, httpx.HTTPError, asyncpg.PostgresError, asyncpg.InterfaceError):
                pass
            await asyncio.sleep(0.01)


async def until_true(check: Callable[[], Any], seconds: float = 20) -> Any:
    """The same for a check that need not wait for anything."""

    async def ask() -> Any:
        return check()

    return await until(ask, seconds)


@asynccontextmanager
async def running(
    part: Callable[[asyncio.Event], Awaitable[None]], seconds: float = 30
) -> AsyncIterator[asyncio.Task[None]]:
    """Run a worker's part beside the test, stop it at the end, and let its failure fail the test."""
    stopping = asyncio.Event()
    task = asyncio.ensure_future(part(stopping))
    try:
        yield task
    finally:
        stopping.set()
        async with asyncio.timeout(seconds):
            await task
