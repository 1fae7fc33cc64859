"""Serve an app until told to stop. Signals are the process's business, not uvicorn's, which would raise them again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from bdcan_chassis.errors import ChassisError

_GRACE_SECONDS = 20


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take none."""
        yield


async def serve(app: FastAPI, host: str, port: int, stopping: asyncio.Event) -> None:
    """Serve until `stopping`, then finish what is under way. Raises ChassisError if the port cannot be bound."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve())
    stop = asyncio.create_task(stopping.wait())
    await asyncio.wait({serving, stop}, return_when=asyncio.FIRST_COMPLETED)
    stop.cancel()
    server.should_exit = True
    try:
        await serving
    except SystemExit as error:  # uvicorn's way to say that the port is taken
        raise ChassisError(f"port {port} cannot be bound") from error
