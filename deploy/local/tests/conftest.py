"""A supervisor under a guardian of its own."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from bdcan_local.guardian import Guardian
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
