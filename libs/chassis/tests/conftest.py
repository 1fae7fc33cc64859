"""The toy service on a fresh database, with and without Kafka."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # ledger.py is shared by the tests of this folder

from ledger import SQL, Faults, ledger_catalogue, ledger_service
from toy_api import ToyError, toy_router

from bdcan_chassis.settings import ServiceSettings
from bdcan_chassis.testing.harness import START, Harness, harness


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
        await running.owner.execute(SQL)
        await running.grant()
        yield running


@pytest.fixture(scope="module")
def shared_faults() -> Faults:
    return Faults()


@pytest.fixture(scope="module")
async def shared_ledger(postgres_server, shared_faults: Faults) -> AsyncIterator[Harness]:
    """One database and one API for the tests of a module: a new one for each test costs half a second."""
    from bdcan_chassis.service import Service

    catalogue = ledger_catalogue()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Service, "migration_packages", property(lambda _: ["bdcan_chassis"]))

        def build(settings: ServiceSettings) -> Service:
            return replace(
                ledger_service(settings, catalogue, shared_faults),
                routers=(toy_router(),),
                domain_errors={ToyError: 409},
            )

        async with harness(postgres_server, build, ServiceSettings) as running:
            await running.owner.execute(SQL)
            await running.grant()
            yield running


@pytest.fixture
async def ledger(shared_ledger: Harness, shared_faults: Faults) -> Harness:
    """The module's toy service, with empty tables, its clock at the start and nothing going wrong."""
    shared_faults.poison, shared_faults.refuse, shared_faults.before_write = set(), set(), None
    shared_ledger.clock.instant = START
    shared_ledger._dispatchers.clear()
    await shared_ledger.owner.execute(
        "TRUNCATE account, rung, chassis.inbox, chassis.outbox, chassis.deadline, chassis.parked_key,"
        " chassis.dead_letter, chassis.audit, chassis.idempotency_key RESTART IDENTITY"
    )
    return shared_ledger
