"""Lists of any length, page by page, and work on a list for as long as there is some."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from bdcan_simulator.client import BrokenError, Client, RefusedError
from bdcan_simulator.identity import Who

PAGE = 500

_LEAST_PAUSE, _LONGEST_PAUSE = 0.25, 2.0


async def every(
    client: Client, who: Who, service: str, path: str, **params: str | int
) -> AsyncIterator[dict[str, Any]]:
    """Every item of a list. Raises RefusedError."""
    after = None
    while True:
        asked: dict[str, str | int] = {"limit": PAGE} | params
        if after:
            asked["after"] = after
        answer = await client.get(who, service, path, **asked)
        if not answer.ok:
            raise RefusedError(f"GET {service} {path}: {answer.problem}")
        page = answer.json()
        for item in page["items"]:
            yield item
        after = page.get("next")
        if not after:
            return


async def first_page(
    client: Client, who: Who, service: str, path: str, **params: str | int
) -> list[dict[str, Any]]:
    """The first items of a list; none, and that is counted, while its route is broken. Raises RefusedError."""
    asked: dict[str, str | int] = {"limit": PAGE} | params
    try:
        answer = await client.get(who, service, path, **asked)
    except BrokenError as error:
        client.broken[str(error)] += 1
        return []
    if not answer.ok:
        raise RefusedError(f"GET {service} {path}: {answer.problem}")
    return answer.json()["items"]


async def keep_at(work: Callable[[], Awaitable[int]], over: asyncio.Event) -> None:
    """Work until it is over. `work` tells how much it found to do: after nothing, it is asked less and less often."""
    pause = _LEAST_PAUSE
    while not over.is_set():
        pause = _LEAST_PAUSE if await work() else min(pause * 1.6, _LONGEST_PAUSE)
        try:
            await asyncio.wait_for(over.wait(), pause)
        except TimeoutError:
            continue
