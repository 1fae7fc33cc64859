"""Real HTTP servers on this machine, for tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from typing import Any, Literal

import uvicorn


@asynccontextmanager
async def serving(app: Any, port: int = 0, lifespan: Literal["on", "off"] = "off") -> AsyncIterator[str]:
    """Serve an ASGI app; yields its URL. Port 0: any free one."""
    config = uvicorn.Config(app, port=port, log_config=None, lifespan=lifespan, timeout_graceful_shutdown=1)
    async with serving_as(config) as url:
        yield url


@asynccontextmanager
async def serving_as(config: uvicorn.Config) -> AsyncIterator[str]:
    """Serve as a configuration says; yields the URL once requests are taken."""
    server = uvicorn.Server(config)
    server.capture_signals = nullcontext  # pyright: ignore[reportAttributeAccessIssue] # the test runner has the signals
    running = asyncio.create_task(server.serve())
    async with asyncio.timeout(10):
        while not server.started:  # noqa: ASYNC110 # uvicorn offers no event
            await asyncio.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await running
