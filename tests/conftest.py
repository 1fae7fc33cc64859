"""The five services, each on a database of its own, for tests of what all of them promise."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from importlib import import_module
from typing import Any

import pytest

from bdcan_chassis.testing.harness import Harness, harness
from bdcan_local.processes import SERVICES, own_name

_NEEDED: Mapping[str, Mapping[str, Any]] = {
    "escalation": {
        "council_url": "http://127.0.0.1:9",
        "council_api_key": "test",
        "council_callback_secret": "a secret of at least thirty-two letters",
        "intake_url": "http://127.0.0.1:9",
        "intake_api_key": "test",
    }
}


@pytest.fixture(params=SERVICES)
def service_name(request: pytest.FixtureRequest) -> str:
    """Each service, one after the other; a test names one with `parametrize`."""
    return request.param


@pytest.fixture(scope="session")
def needed() -> Mapping[str, Mapping[str, Any]]:
    """The settings without a default that a service has beyond those of all."""
    return _NEEDED


@pytest.fixture
def start(postgres_server: Any) -> Callable[..., AbstractAsyncContextManager[Harness]]:
    """Start a service by its name: `async with start("intake") as running`. Further arguments are settings."""

    def started(name: str, **more: Any) -> AbstractAsyncContextManager[Harness]:
        app, settings = (import_module(f"{own_name(name)}.{part}") for part in ("app", "settings"))
        return harness(postgres_server, app.service, settings.Settings, **{**_NEEDED.get(name, {}), **more})

    return started


@pytest.fixture
async def given(
    service_name: str, start: Callable[..., AbstractAsyncContextManager[Harness]]
) -> AsyncIterator[Harness]:
    """Each service, running."""
    async with start(service_name) as running:
        yield running
