"""The service on an empty database, and what its tests talk about."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

sys.path.insert(
    0, str(Path(__file__).parent)
)  # volunteer_match_story.py is shared by the tests of this service

from bdcan_chassis.testing.harness import Harness, harness
from bdcan_volunteer_match.app import service
from bdcan_volunteer_match.settings import Settings


@pytest.fixture
async def given(postgres_server) -> AsyncIterator[Harness]:
    async with harness(postgres_server, service, Settings) as running:
        yield running
