"""Long work beside urgent work in one process: other tasks get turns during a long batch."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from time import perf_counter
from typing import TypeVar

T = TypeVar("T")

_TURN_SECONDS = 0.003


async def in_turns(items: Iterable[T]) -> AsyncIterator[T]:
    """Give the items one by one, and let the process's other tasks run every 3 ms.

    500 events take a tenth of a second of Python, and three times as long on a busy machine. Without turns, an urgent
    event or a request would wait for all of it before each of its own statements.
    """
    end = perf_counter() + _TURN_SECONDS
    for item in items:
        yield item
        if perf_counter() >= end:
            await asyncio.sleep(0)
            end = perf_counter() + _TURN_SECONDS
