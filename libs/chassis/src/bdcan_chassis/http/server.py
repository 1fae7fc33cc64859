"""Serve an app until told to stop. The process handles signals itself, because uvicorn would raise them again."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, cast

import uvicorn
from fastapi import FastAPI

from bdcan_chassis.errors import ConfigurationError
from bdcan_chassis.http.connections import Connection, Crowd
from bdcan_chassis.settings import ServiceSettings

_GRACE_SECONDS = 20


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take none."""
        yield


def config_of(app: FastAPI, settings: ServiceSettings) -> uvicorn.Config:
    """How uvicorn serves the app, with time-outs and limits for each connection."""
    crowd = Crowd(settings.http_connections)
    return uvicorn.Config(
        app,
        http=cast("Any", partial(Connection, settings=settings, crowd=crowd)),
        ws="none",
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        proxy_headers=False,  # nothing here asks who the client is
        timeout_keep_alive=cast("Any", settings.http_idle_time.total_seconds()),
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )


async def serve(app: FastAPI, settings: ServiceSettings, port: int, stopping: asyncio.Event) -> None:
    """Serve until `stopping`, then finish the requests under way. Raises ConfigurationError if the port cannot be bound."""
    host = settings.http_host
    try:  # uvicorn's own SystemExit would end the event loop before anybody can name the port
        listener = socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET
        )
    except OSError as error:
        raise ConfigurationError(f"port {port} of {host} cannot be bound") from error
    server = _Server(config_of(app, settings))
    serving = asyncio.create_task(server.serve([listener]))
    stop = asyncio.create_task(stopping.wait())
    await asyncio.wait({serving, stop}, return_when=asyncio.FIRST_COMPLETED)
    stop.cancel()
    server.should_exit = True
    await serving
