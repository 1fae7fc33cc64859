"""Intake on a fresh database, without Kafka."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bdcan_chassis.testing.harness import Harness, harness
from bdcan_intake.app import service
from bdcan_intake.settings import Settings


@pytest.fixture
async def given(postgres_server) -> AsyncIterator[Harness]:
    async with harness(postgres_server, service, Settings) as running:
        yield running
