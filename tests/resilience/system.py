"""The system that is injured: all processes as `bdcan demo` runs them, behind proxies where there are any.

Every process can be found, stopped and started by its name; the supervisor brings back what dies.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil

from bdcan_local.errors import NotReadyError
from bdcan_local.kafka import Door
from bdcan_local.ports import LOOPBACK, choose_ports, free_ports
from bdcan_local.processes import SERVICES, USUAL_PORTS, System, Table, http_status, service_units
from bdcan_local.root import Root
from bdcan_local.runner import Plan, Running, running
from bdcan_local.settings import Settings
from bdcan_local.supervisor import State, Supervisor, Unit

from .network import Network, network
from .schedule import SESSION_SECONDS

ORIGIN = datetime(2020, 3, 23, 8, tzinfo=UTC)
SPEED = 120.0
"""Simulated seconds in a real one, as in the demo."""

PLATFORM = ("postgres", "kafka")
_START_SECONDS = 200.0


def proxy(service: str, server: str) -> str:
    """The name of the proxy between a service and `postgres` or `kafka`."""
    return f"{service}-{server}"


@dataclass
class Injured:
    """The running system, and a hand on each of its processes."""

    running: Running
    network: Network | None
    units: dict[str, Unit]
    locks: dict[str, asyncio.Lock] = field(default_factory=dict)

    @property
    def system(self) -> System:
        """Where everything is."""
        return self.running.system

    @property
    def supervisor(self) -> Supervisor:
        """Who brings processes back."""
        return self.running.supervisor

    def lock(self, name: str) -> asyncio.Lock:
        """Held by the fault that has a process, or a connection, in hand."""
        return self.locks.setdefault(name, asyncio.Lock())

    def pid(self, name: str) -> int | None:
        """The process id, None while it is down."""
        return self.supervisor.statuses[name].pid

    async def stop(self, name: str) -> None:
        """Stop a process, and do not bring it back."""
        await self.supervisor.stop([name])

    async def start(self, unit: Unit) -> None:
        """Start a process that was stopped. What it needs may be away just now, so this is tried for a while."""
        end = time.monotonic() + _START_SECONDS
        while True:
            try:
                await self.supervisor.start(unit)
            except NotReadyError:
                if time.monotonic() > end:
                    raise
            else:
                return

    def unit(self, name: str) -> Unit:
        """How a process is started."""
        return self.units.get(name) or self.supervisor.statuses[name].unit

    def send(self, name: str, number: signal.Signals) -> int | None:
        """Send a signal to a process; returns its id, None while it is down."""
        pid = self.pid(name)
        _tell(pid, number)
        return pid

    @asynccontextmanager
    async def away(self, name: str) -> AsyncIterator[None]:
        """A process is stopped inside the block. Whoever breaks off stops the whole system: nothing is undone then."""
        unit = self.unit(name)
        await self.stop(name)
        yield
        await self.start(unit)

    @asynccontextmanager
    async def frozen(self, name: str) -> AsyncIterator[None]:
        """A process and its children stand still inside the block: they accept connections and answer nobody."""
        pid = self.pid(name)
        pids = [] if pid is None else [pid, *(child.pid for child in _children(pid))]
        for one in pids:
            _tell(one, signal.SIGSTOP)
        yield
        for one in pids:
            _tell(one, signal.SIGCONT)

    @asynccontextmanager
    async def with_clock(self, name: str, minutes: float) -> AsyncIterator[None]:
        """A process has a clock that is so many (domain) minutes ahead, or behind if negative, inside the block."""
        async with self.replaced(name, lambda unit: with_wrong_clock(unit, minutes)):
            yield

    @asynccontextmanager
    async def replaced(self, name: str, other: Callable[[Unit], Unit]) -> AsyncIterator[None]:
        """Another process of the same name runs inside the block."""
        right = self.unit(name)
        await self.stop(name)
        await self.start(other(right))
        yield
        await self.stop(name)
        await self.start(right)

    async def ready(self, name: str) -> bool:
        """Whether a process says that it can do its work now."""
        unit = self.supervisor.statuses[name].unit
        assert unit.is_ready is not None, name
        return self.supervisor.statuses[name].pid is not None and await unit.is_ready()

    async def ready_ones(self, names: Collection[str]) -> set[str]:
        """Those of them that do."""
        answers = await asyncio.gather(*(self.ready(name) for name in names))
        return {name for name, ready in zip(names, answers, strict=True) if ready}

    @property
    def names(self) -> list[str]:
        """Every process that is to run when nothing is wrong."""
        return [*PLATFORM, *self.units]

    def stopped(self) -> list[str]:
        """Processes that nobody brings back."""
        return [name for name in self.names if self.supervisor.statuses[name].state is State.STOPPED]

    def memory(self) -> dict[str, float]:
        """Resident memory of each process with its children, in megabytes; what children share with it counts once."""
        return {name: _megabytes(self.pid(name)) for name in self.names}


def second_worker(unit: Unit, port: int) -> Unit:
    """Another worker of the same service, on a port of its own."""
    environment = {**unit.command.environment, "BDCAN_OPS_PORT": str(port)}
    url = f"http://{LOOPBACK}:{port}"
    is_ready = _ready_check(port)
    return replace(
        unit,
        name=f"{unit.name}-2",
        command=replace(unit.command, environment=environment),
        is_ready=is_ready,
        port=port,
        url=url,
    )


def with_wrong_clock(unit: Unit, minutes: float) -> Unit:
    """The same process with a clock that is so many (domain) minutes ahead, or behind if negative."""
    kind, _, rest = unit.command.environment["BDCAN_CLOCK"].partition(":")
    origin, started, speed = rest.rsplit(":", 2)
    wrong = datetime.fromisoformat(origin) + timedelta(minutes=minutes)
    environment = {
        **unit.command.environment,
        "BDCAN_CLOCK": f"{kind}:{wrong.isoformat()}:{started}:{speed}",
    }
    return replace(unit, command=replace(unit.command, environment=environment))


@asynccontextmanager
async def injured(
    directory: Path,
    settings: Settings,
    program: Path | None,
    say: Callable[[str], None],
    speed: float = SPEED,
) -> AsyncIterator[Injured]:
    """The system, started afresh under a directory; `program` is toxiproxy, or None to do without."""
    root = Root(directory)
    ports = choose_ports(dict.fromkeys(USUAL_PORTS), {})
    root.remember_ports(ports)
    clock = f"scaled:{ORIGIN.isoformat()}:{time.time():.3f}:{speed:g}"
    plan = Plan(clock=clock, fresh=True, usual_ports=False)
    if program is None:
        async with _running(root, settings, plan, None, say) as system:
            yield system
        return
    proxies = [proxy(service, server) for service in SERVICES for server in PLATFORM]
    async with network(program, root.logs.with_name("toxiproxy.log"), proxies) as opened:
        behind = free_ports(len(SERVICES), {*ports.values(), *opened.ports.values()})
        doors = tuple(
            Door(service.replace("-", "").upper(), port, opened.ports[proxy(service, "kafka")])
            for service, port in zip(SERVICES, behind, strict=True)
        )
        await opened.add(
            {proxy(service, "kafka"): door.port for service, door in zip(SERVICES, doors, strict=True)}
            | {proxy(service, "postgres"): ports["postgres"] for service in SERVICES}
        )
        async with _running(root, settings, replace(plan, kafka_doors=doors), opened, say) as system:
            yield system


@asynccontextmanager
async def _running(
    root: Root, settings: Settings, plan: Plan, opened: Network | None, say: Callable[[str], None]
) -> AsyncIterator[Injured]:
    units: dict[str, Unit] = {}

    def services(system: System) -> list[Unit]:
        units.update({unit.name: _exposed(unit, system, opened) for unit in service_units(system)})
        return list(units.values())

    async with running(root, settings, replace(plan, table=Table(services=services)), say) as started:
        yield Injured(started, opened, units)


def _exposed(unit: Unit, system: System, opened: Network | None) -> Unit:
    """A process with a short session, that reaches its database and its broker by way of its service's proxies."""
    environment = dict(unit.command.environment)
    if "BDCAN_KAFKA_BOOTSTRAP" not in environment:
        return unit
    environment["BDCAN_KAFKA_SESSION"] = f"PT{SESSION_SECONDS}S"
    if opened is not None:
        service = next(s for s in SERVICES if unit.name.startswith(s))
        environment["BDCAN_KAFKA_BOOTSTRAP"] = f"{LOOPBACK}:{opened.ports[proxy(service, 'kafka')]}"
        environment["BDCAN_DATABASE_URL"] = environment["BDCAN_DATABASE_URL"].replace(
            f"@{LOOPBACK}:{system.postgres.port}/",
            f"@{LOOPBACK}:{opened.ports[proxy(service, 'postgres')]}/",
        )
    return replace(unit, command=replace(unit.command, environment=environment))


def _ready_check(port: int) -> Callable[[], Awaitable[bool]]:
    async def is_ready() -> bool:
        return await http_status(port, "/readyz") == 200

    return is_ready


def _tell(pid: int | None, number: signal.Signals) -> None:
    if pid is not None:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _children(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []  # it has ended


def _megabytes(pid: int | None) -> float:
    if pid is None:
        return 0.0
    try:
        process = psutil.Process(pid)
        own = [child.memory_info() for child in process.children(recursive=True)]
        # only Linux tells what is shared
        resident = process.memory_info().rss + sum(m.rss - getattr(m, "shared", 0) for m in own)
    except psutil.Error:
        return 0.0
    return resident / 2**20
