"""A real system that was played on until everything was in somebody's hands, and copies of its five databases."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from bdcan_chassis.clock import Clock, ManualClock
from bdcan_local.cli import main
from bdcan_local.places import Places, of_system
from bdcan_local.postgres import binaries
from bdcan_local.processes import SERVICES, own_name
from bdcan_local.rights import post
from bdcan_local.root import Root
from bdcan_local.runner import Running
from bdcan_local.tokens import make_token
from bdcan_reconcile.check import Verdict, reconcile
from bdcan_reconcile.council import read_cases
from bdcan_reconcile.positions import Positions
from bdcan_reconcile.reading import Databases
from bdcan_reconcile.rows import Case
from tests import demo

_SPEED = 60.0
_REFERRALS = 600
_SECONDS = 240.0

IN_HANDS: Mapping[str, str] = {
    "volunteer-match": """
        SELECT (SELECT count(*) > 2 FROM welfare_call WHERE state IN ('due', 'unanswered'))
            AND (SELECT count(*) > 1 FROM task WHERE state IN ('open', 'offered', 'accepted') AND parcel_id IS NULL)
            AND (SELECT count(*) > 1 FROM task WHERE state IN ('open', 'offered', 'accepted') AND parcel_id IS NOT NULL)
    """,
    "foodhub": """
        SELECT EXISTS (SELECT FROM parcel WHERE state IN ('packed', 'dispatched'))
            AND (SELECT count(*) > 1 FROM parcel WHERE state IN ('requested', 'reserved', 'picking', 'short'))
            AND EXISTS (SELECT FROM parcel WHERE state = 'delivered')
    """,
    "escalation": """
        SELECT EXISTS (SELECT FROM escalation WHERE case_id IS NOT NULL AND state NOT IN ('declined', 'closed'))
    """,
}
"""When the play is stopped: something of each kind is open."""


@dataclass(frozen=True)
class Played:
    """The system, and the copies: `copies` has a DSN for each service, as the superuser; nobody uses them."""

    running: Running
    places: Places
    copies: Mapping[str, str]
    clock: Clock
    cases: list[Case]

    async def verdict(
        self, databases: Mapping[str, str] | None = None, cases: list[Case] | None = None
    ) -> Verdict:
        """What reconcile says of the copies, some of them replaced."""

        async def council() -> list[Case]:
            return self.cases if cases is None else cases

        async with (
            Databases({**self.copies, **(databases or {})}, self.clock) as opened,
            Positions(self.places.kafka) as positions,
        ):
            return await reconcile(opened, positions, council, 5.0)

    @asynccontextmanager
    async def without(self, service: str, sql: str) -> AsyncIterator[tuple[str, int]]:
        """A copy of a copy in which a loss is made; its DSN, and how many rows the loss hit."""
        name = f"lost_{own_name(service)}"
        server = self.running.system.postgres.dsn()
        admin = await asyncpg.connect(server)
        try:
            await admin.execute(f"CREATE DATABASE {name} TEMPLATE copy_{own_name(service)}")
            try:
                dsn = self.running.system.postgres.dsn(database=name)
                connection = await asyncpg.connect(dsn)
                hit = int((await connection.execute(sql)).rpartition(" ")[2])
                await connection.close()
                yield dsn, hit
            finally:
                await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
        finally:
            await admin.close()


def bdcan(system: Played, verb: str, *rest: str) -> subprocess.CompletedProcess[str]:
    """Run the operator's tool on the system."""
    root = system.running.system.data.parent
    command = (sys.executable, "-m", main.__module__, verb, "--root", str(root), *rest)
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env=dict(os.environ), timeout=120
    )


@asynccontextmanager
async def played(directory: Path) -> AsyncIterator[Played]:
    """Play, stop in the middle, wait until all has been heard, and copy."""
    root = Root(directory)
    async with demo.system(root, demo.clock(_SPEED)) as running:
        places = of_system(running.system)
        async with demo.people(root, _REFERRALS):
            await _in_hands(places)
            # the council's call-backs wait: its cases stay open
            await running.supervisor.stop(["escalation-api"])
        await _hand_in_what_nobody_can_place(places)
        end = time.monotonic() + _SECONDS
        while True:
            assert time.monotonic() < end, "the services never came to agree"
            now = ManualClock(places.clock.now())
            assert places.council is not None
            copies, cases = await _copy(running), await read_cases(*places.council)
            found = Played(running, places, copies, now, cases)
            verdict = await found.verdict()
            if not (verdict.culprits or verdict.open_doubts):
                break
        yield found


async def _in_hands(places: Places) -> None:
    async with AsyncExitStack() as stack:
        connections = {}
        for service, dsn in places.databases.items():
            connections[service] = await asyncpg.connect(dsn)
            stack.push_async_callback(connections[service].close)
        end = time.monotonic() + _SECONDS
        while True:
            open_now = {
                service: await connections[service].fetchval(sql) for service, sql in IN_HANDS.items()
            }
            if all(open_now.values()):
                return
            assert time.monotonic() < end, f"the play never had something of each kind open: {open_now}"
            await asyncio.sleep(0.1)


async def _hand_in_what_nobody_can_place(places: Places) -> None:
    """A referral without a postcode waits for a person, and nobody of the play is left to decide."""
    assert places.system is not None
    token = make_token(places.system.secrets, "desk").text
    asked = {
        "channel": "phone",
        "reference": "without-a-postcode",
        "person": {"name": "Amina Example", "phone": "07700 900123"},
        "needs": ["prescription"],
    }
    headers = {"Authorization": f"Bearer {token}"}
    await asyncio.to_thread(post, f"{places.apis['intake']}/v1/referrals", headers, asked)
    routing = await asyncpg.connect(places.databases["routing"])
    end = time.monotonic() + _SECONDS
    while not await routing.fetchval("SELECT EXISTS (SELECT FROM assignment WHERE state = 'held')"):
        assert time.monotonic() < end, "routing did not hold it"
        await asyncio.sleep(0.1)
    await routing.close()


async def _copy(running: Running) -> dict[str, str]:
    """Copy the five databases, all at once, within the server."""
    postgres = running.system.postgres
    admin = await asyncpg.connect(postgres.dsn())
    try:
        for service in SERVICES:
            await admin.execute(f"DROP DATABASE IF EXISTS copy_{own_name(service)} WITH (FORCE)")
            await admin.execute(f"CREATE DATABASE copy_{own_name(service)}")
    finally:
        await admin.close()
    copies = {service: postgres.dsn(database=f"copy_{own_name(service)}") for service in SERVICES}
    await asyncio.gather(
        *(_dump(postgres.dsn(database=own_name(service)), copies[service]) for service in SERVICES)
    )
    return copies


async def _dump(dsn: str, into: str) -> None:
    folder = binaries()
    script = f"'{folder}/pg_dump' --no-owner --no-privileges --dbname='{dsn}' | '{folder}/psql' --quiet -o /dev/null --set ON_ERROR_STOP=1 --dbname='{into}'"
    done = await asyncio.create_subprocess_exec("bash", "-euo", "pipefail", "-c", script)
    assert await done.wait() == 0
