"""What is done to the running system, what must fire, and what may fire beside it."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import asyncpg
from aiokafka import AIOKafkaProducer

from bdcan_chassis.clock import Clock
from bdcan_chassis.testing import full_disk
from bdcan_contracts.catalogue import INBOUND_REFERRALS
from bdcan_local import letters
from bdcan_local.kafka import client_options
from bdcan_local.places import of_system
from bdcan_local.root import Root
from bdcan_local.supervisor import Unit
from bdcan_simulator.client import Client, RefusedError
from bdcan_simulator.endpoints import read_endpoints
from bdcan_simulator.identity import Machine, Who, person
from bdcan_simulator.pantry import delivery
from bdcan_simulator.pickers import PICKER
from tests.resilience.system import Injured

from .watchers import WATCHDOG_SILENT, Watchers

DESK = person("rehearsal-desk", "referrals:read referrals:write hubs:all")
SITE = "central"
_PARCELS_IN_STOCK = 300
_BAD_RECORDS = 300
_FEED_SECONDS = 3.0


@dataclass
class Scene:
    """The running system, and people who work with it."""

    system: Injured
    root: Root
    client: Client
    clock: Clock
    watching: Watchers
    handed_in: int = 0
    last: str | None = None
    """The referral that was handed in last."""

    async def hand_in(self, *needs: str, postcode: str | None = "IG11 7LU") -> str | None:
        """Hand in one referral. Its id; None where the API does not take it."""
        self.handed_in += 1
        form = {
            "reference": f"rehearsal-{self.handed_in}",
            "channel": "phone",
            "person": {
                "name": f"Resident {self.handed_in}",
                "phone": f"020 7946 {self.handed_in:04}",
                **({"postcode": postcode} if postcode else {}),
            },
            "needs": list(needs),
        }
        answer = await self.client.post(
            Machine(), "intake", "/v1/referrals", form, key=f"rehearsal-{self.handed_in}"
        )
        if answer.ok:
            self.last = answer.json()["referral_id"]
            return self.last
        return None

    async def stock(self) -> None:
        """Each item is there, so that nobody is told of empty shelves."""
        delivered = {"site_id": SITE, "lines": delivery(_PARCELS_IN_STOCK)}
        await self.act(PICKER, "foodhub", "/v1/stock-receipts", delivered)

    async def withdraw(self, referral_id: str) -> None:
        """Nobody needs it any more."""
        await self.act(
            DESK, "intake", f"/v1/referrals/{referral_id}/withdrawal", {"reason": "no-longer-needed"}
        )

    async def act(self, who: Who, service: str, path: str, body: Any) -> None:
        """Do something over the API. Raises RefusedError where the service does not do it."""
        answer = await self.client.post(who, service, path, body, key=str(uuid4()))
        if not answer.ok:
            raise RefusedError(f"{path}: {answer.problem}")

    async def feed(self, *needs: str) -> None:
        """Hand in a referral every few seconds, until cancelled."""
        while True:
            await self.hand_in(*needs)
            await asyncio.sleep(_FEED_SECONDS)


Injury = Callable[[Scene], AbstractAsyncContextManager[None]]


@dataclass(frozen=True)
class Fault:
    """`fires`: alerts of which one must fire; none: nothing may. `beside`: what may fire, too, after inhibition.

    `cause`: what a label of the alert must say.
    """

    name: str
    injury: Injury
    fires: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    needs: tuple[str, ...] = ("shopping",)
    """What is handed in meanwhile, again and again; nothing where it is empty."""
    cause: str = ""
    calm_seconds: float = 60.0
    """For how long nothing may fire, if nothing must."""
    goes_on_seconds: float = 360.0
    """How long it may take until all is silent after the repair: an alert may look back."""


@asynccontextmanager
async def _nothing(_: Scene) -> AsyncIterator[None]:
    yield


def _killed(name: str) -> Injury:
    @asynccontextmanager
    async def injury(scene: Scene) -> AsyncIterator[None]:
        scene.system.send(name, signal.SIGKILL)
        yield

    return injury


def _stopped(name: str) -> Injury:
    return lambda scene: scene.system.away(name)


def _frozen(name: str) -> Injury:
    return lambda scene: scene.system.frozen(name)


def _wrong_clock(name: str, minutes: float) -> Injury:
    return lambda scene: scene.system.with_clock(name, minutes)


def _impostor(name: str, *words: str) -> Injury:
    """Something else runs in place of a process: `impostors.py`."""

    def other(unit: Unit) -> Unit:
        argv = (sys.executable, "-m", "tests.rehearsal.impostors", *words)
        return replace(unit, command=replace(unit.command, argv=argv))

    return lambda scene: scene.system.replaced(name, other)


@asynccontextmanager
async def _bad_release(scene: Scene) -> AsyncIterator[None]:
    """In the end the release before runs again, and what was parked is replayed."""
    async with _impostor("routing-worker", "bad-release", "worker")(scene):
        yield
    places = of_system(scene.system.system)
    for parked in await letters.read(places):
        await asyncio.to_thread(letters.settle, places, parked, "replay", "mended", 20.0, lambda _: None)


def _another_key(unit: Unit) -> Unit:
    environment = {**unit.command.environment, "BDCAN_COUNCIL_API_KEY": "another key"}
    return replace(unit, command=replace(unit.command, environment=environment))


_ON_A_FULL_DISK = """
mount -t tmpfs -o size=4m tmpfs "$1"
cd "$1"
head -c 3900k /dev/zero > filled
shift
exec "$@"
"""


def _disk_filled(scene: Scene) -> AbstractAsyncContextManager[None]:
    """A worker stands on a disk of its own, of which 95 % are in use. Linux alone can do this, without root."""
    place = scene.root.directory / "small-disk"
    place.mkdir(exist_ok=True)

    def other(unit: Unit) -> Unit:
        alone = ("unshare", "--user", "--map-current-user", "--keep-caps", "--mount")
        argv = (*alone, "bash", "-euc", _ON_A_FULL_DISK, "disk", str(place), *unit.command.argv)
        return replace(unit, command=replace(unit.command, argv=argv))

    return scene.system.replaced("foodhub-worker", other)


def _unwatched(name: str) -> Injury:
    return lambda scene: scene.watching.away(name)


def _full(database: str) -> Injury:
    @asynccontextmanager
    async def injury(scene: Scene) -> AsyncIterator[None]:
        connection = await asyncpg.connect(scene.system.system.postgres.dsn(database=database), timeout=10)
        try:
            await full_disk.fill(connection)
            try:
                yield
            finally:
                await full_disk.free(connection)
        finally:
            await connection.close()

    return injury


@asynccontextmanager
async def _flooded(scene: Scene) -> AsyncIterator[None]:
    ends = read_endpoints(scene.root.endpoints)
    options = client_options(ends.kafka.bootstrap, ends.kafka.username, ends.kafka_password)
    async with AIOKafkaProducer(**options) as producer:
        for number in range(_BAD_RECORDS):
            await producer.send(INBOUND_REFERRALS.name, value=b"food for number %d please" % number)
        await producer.flush()
        yield


_URGENT = ("debt", "safeguarding-adult")
"""A complex need of an urgent referral does not wait for the welfare call."""

FAULTS = (
    Fault("nothing at all", _nothing),
    Fault("kill -9 of a worker that comes back", _killed("foodhub-worker")),
    Fault("a service without a worker", _stopped("routing-worker"), ("ServiceWithoutWorker",)),
    Fault("a frozen worker", _frozen("volunteer-match-worker"), ("ServiceWithoutWorker",)),
    Fault("an API that is away", _stopped("foodhub-api"), ("ApiDown",)),
    Fault("Kafka stopped", _stopped("kafka"), ("KafkaAway",), ("EventsStuck", "UrgentEventsStuck")),
    Fault("Kafka frozen", _frozen("kafka"), ("KafkaAway",), ("EventsStuck", "UrgentEventsStuck")),
    Fault("PostgreSQL stopped", _stopped("postgres"), ("DatabaseAway",), ("PassFailing",)),
    Fault("PostgreSQL frozen", _frozen("postgres"), ("DatabaseAway",), ("PassFailing",)),
    Fault(
        "one service's database is full",
        _full("bdcan_routing"),
        ("ConsumerBlocked",),
        ("PassFailing", "ConsumerNotMoving", "DeadlinesFailing"),
    ),
    Fault(
        "the council is down",
        _stopped("council"),
        ("SafeguardingNotHandedOver",),
        ("CouncilTakesNoCases",),
        ("safeguarding-adult",),
    ),
    Fault(
        "the council is silent",
        _frozen("council"),
        ("SafeguardingNotHandedOver",),
        ("CouncilTakesNoCases",),
        ("safeguarding-adult",),
    ),
    Fault(
        "the council is slow",
        _impostor("council", "council", "slow"),
        ("SafeguardingNotHandedOver",),
        ("CouncilTakesNoCases",),
        ("safeguarding-adult",),
    ),
    Fault(
        "the council refuses each case",
        _impostor("council", "council", "refusing"),
        ("CouncilTakesNoCases",),
        ("SafeguardingNotHandedOver",),
        _URGENT,
        "council-422",
    ),
    Fault(
        "the council does not know our key",
        lambda scene: scene.system.replaced("council", _another_key),
        ("CouncilTakesNoCases",),
        ("SafeguardingNotHandedOver",),
        _URGENT,
        "council-401",
    ),
    Fault(
        "a bad release: a handler raises",
        _bad_release,
        ("DeadLetters", "ConsumerStopped"),
        ("DeadLetters", "ConsumerStopped"),
        cause="referrals",
    ),
    Fault("a sender floods bad records", _flooded, ("SenderFloods",), goes_on_seconds=720.0),
    Fault("a disk is 95 % full", _disk_filled, ("DiskFillsUp",)),
    Fault("Prometheus is away", _unwatched("prometheus"), (WATCHDOG_SILENT,)),
    Fault("Alertmanager is away", _unwatched("alertmanager"), (WATCHDOG_SILENT,)),
    # last: what follows from an event of the future has its time, until that has come
    Fault(
        "a clock ten minutes off",
        _wrong_clock("routing-worker", 10),
        ("ClockWrong",),
        goes_on_seconds=720.0,
    ),
)
"""The faults of processes and machines. Those of promises are in promises.py."""
