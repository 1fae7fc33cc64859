"""Servers that fail on purpose, and a client that must get along with them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
from aiohttp import web
from joserfc.jwk import ECKey

from bdcan_simulator.client import Client, open_client
from bdcan_simulator.endpoints import SERVICES
from bdcan_simulator.identity import Identities

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Serving = Callable[..., AbstractAsyncContextManager[str]]


@pytest.fixture(scope="session")
def serving() -> Serving:
    """A real HTTP server on 127.0.0.1 that answers everything with a handler; yields its URL."""

    @asynccontextmanager
    async def run(handler: Handler, port: int = 0) -> AsyncIterator[str]:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handler)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()

    return run


@pytest.fixture(scope="session")
def identities() -> Identities:
    key = ECKey.generate_key("P-256", auto_kid=True)
    return Identities("https://issuer.example.org", "bdcan", key, "an-api-key")


@pytest.fixture
def client_of(identities: Identities):
    """Opens a client whose five services are all one URL."""

    @asynccontextmanager
    async def opened(url: str, **options: float) -> AsyncIterator[Client]:
        apis = dict.fromkeys(SERVICES, url)
        async with open_client(apis, identities, **options) as client:  # pyright: ignore[reportArgumentType]
            yield client

    return opened


@pytest.fixture(scope="session")
def eventually():
    """Waits for a condition, so many seconds at most."""

    async def wait(condition: Callable[[], object], seconds: float = 20) -> None:
        async with asyncio.timeout(seconds):
            while not condition():  # noqa: ASYNC110 # whatever it is that comes true sets no event
                await asyncio.sleep(0.01)

    return wait
