"""The toy service on a fresh database, with and without Kafka."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # ledger.py is shared by the tests of this folder

from ledger import SQL, Faults, ledger_catalogue, ledger_service

from bdcan_chassis.settings import ServiceSettings
from bdcan_chassis.testing.harness import Harness, harness


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
async def given(postgres_server, faults: Faults, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Harness]:
    from bdcan_chassis.service import Service

    monkeypatch.setattr(Service, "migration_packages", property(lambda _: ["bdcan_chassis"]))
    catalogue = ledger_catalogue()
    async with harness(
        postgres_server, lambda s: ledger_service(s, catalogue, faults), ServiceSettings
    ) as running:
        await running.transactions.pool.execute(SQL)
        yield running
