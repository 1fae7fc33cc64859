"""A supervisor under a guardian of its own."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from bdcan_local.fixtures import make_broker
from bdcan_local.guardian import Guardian
from bdcan_local.servers import KafkaBroker
from bdcan_local.settings import Settings
from bdcan_local.supervisor import Supervisor

sys.path.insert(0, str(Path(__file__).parent))  # units.py is shared by the tests of this folder


@pytest.fixture
def own_guardian() -> Iterator[Guardian]:
    with Guardian(grace_seconds=1) as guardian:
        yield guardian


@pytest.fixture
async def supervisor(own_guardian: Guardian, tmp_path: Path) -> AsyncIterator[Supervisor]:
    supervisor = Supervisor(own_guardian, tmp_path)
    yield supervisor
    await supervisor.stop(list(supervisor.statuses))


@pytest.fixture(scope="session")
def clean_broker(
    platform_settings: Settings, platform_directory: Path, guardian: Guardian
) -> Iterator[KafkaBroker]:
    """A broker without the records that tests of other parts leave on our topics."""
    broker = make_broker(platform_settings, platform_directory / "clean-kafka", guardian)
    yield broker
    broker.close()
