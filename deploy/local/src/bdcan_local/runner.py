"""Starts the whole system under one root directory, keeps it running, and stops it in order.

The order: PostgreSQL and Kafka, provisioning, migrations, services. The reverse on the way down, each with a time
limit. The runner holds the root's lock; should it be killed, its guardian stops everything and then lets go of it.
"""

import asyncio
import math
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bdcan_local import access, draining, jars, processes, restore, restore_finish
from bdcan_local.child import Child, Command
from bdcan_local.errors import InUseError, NotReadyError, PlatformError
from bdcan_local.guardian import Guardian
from bdcan_local.kafka import ADMIN, Door, Kafka, client_options
from bdcan_local.ports import LOOPBACK, Held, choose_ports, is_free
from bdcan_local.postgres import SUPERUSER, Postgres
from bdcan_local.processes import SERVICES, USUAL_PORTS, System, Table
from bdcan_local.provision import provision_kafka, provision_postgres
from bdcan_local.root import Root, read_json, write_json
from bdcan_local.secrets_store import SecretsStore
from bdcan_local.settings import Settings
from bdcan_local.supervisor import Supervisor, Unit

_TERMINAL_STOP_SECONDS = 10.0
_PORT_TRIES = 3
_SWEEP_SECONDS = 60.0
_LOOK_SECONDS = 2.0
_PLATFORM_PORTS = ("postgres", "kafka", "kafka-controller")

Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """How to start.

    Attributes:
        clock: BDCAN_CLOCK of all services.
        fresh: throw away what an earlier start left behind.
        usual_ports: try the usual ports first, otherwise take any free ones.
        table: the processes.
        kafka_doors: listeners of the broker for clients that come through a proxy.
    """

    clock: str = "system"
    fresh: bool = False
    usual_ports: bool = True
    table: Table = field(default_factory=Table)
    kafka_doors: tuple[Door, ...] = ()


@dataclass(frozen=True)
class Running:
    """A running system: what it is made of, who watches over its processes, and who ends them with the runner."""

    system: System
    supervisor: Supervisor
    guardian: Guardian


@asynccontextmanager
async def running(root: Root, settings: Settings, plan: Plan, say: Say) -> AsyncIterator[Running]:
    """The system, ready to use inside the block, stopped after it.

    Raises:
        PlatformError: it cannot be started; whatever had been started is stopped again.
    """
    lock, held = root.lock(), Held()
    try:
        if plan.fresh:
            root.wipe()
        root.check_space()
        draining.forget(root)
        build = await _prepare(root, settings, plan, held, say)
        with Guardian(keep_open=(lock,)) as guardian:
            supervisor = Supervisor(guardian, root.logs)
            phase = _Phase(root, supervisor)
            try:
                system = await _start(build, plan.table, root, supervisor, say)
                phase.set("ready")
                outside = [
                    asyncio.create_task(_sweep_now_and_then(system, say)),
                    asyncio.create_task(_play_sandboxes(system, root, supervisor, say)),
                    asyncio.create_task(draining.follow(root, supervisor, say)),
                ]
                try:
                    yield Running(system, supervisor, guardian)
                finally:
                    for task in outside:
                        task.cancel()
                    await asyncio.gather(*outside, return_exceptions=True)
            finally:
                phase.set("stopping")
                say("stopping ...")
                await _stop(supervisor)
                phase.set("stopped")
    finally:
        held.let_go()
        os.close(lock)


async def until_signalled(work: Coroutine[Any, Any, int]) -> int:
    """Runs the work, or cancels it at SIGINT, SIGTERM or SIGHUP and lets it clean up.

    Returns its result, or 130 after Ctrl-C, 0 after the other two: they are how `bdcan down` stops a runner.
    """
    loop = asyncio.get_running_loop()
    task = asyncio.create_task(work)
    received: list[int] = []

    def receive(number: int) -> None:
        if not received:  # a second one must not cancel the cleaning up
            received.append(number)
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # not the loop's own handlers: it takes them away when it closes, before the process has ended
        signal.signal(number, lambda number, _: loop.call_soon_threadsafe(receive, number))
    try:
        return await task
    except asyncio.CancelledError:
        if not received:
            raise
        return 130 if received[0] == signal.SIGINT else 0
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)


async def run_in_terminal(argv: tuple[str, ...], environment: Mapping[str, str], guardian: Guardian) -> int:
    """Runs a program in our terminal to its end; when cancelled, asks it to stop. Returns its exit code."""
    child = Child(Command(argv, environment), None, guardian)
    try:
        await child.ended_within(math.inf)
    finally:
        child.stop(_TERMINAL_STOP_SECONDS)
    return child.exit_code() or 0


class _Phase:
    """Keeps `run/state.json` true."""

    def __init__(self, root: Root, supervisor: Supervisor) -> None:
        self._root = root
        self._supervisor = supervisor
        self._phase = "starting"
        supervisor.on_change(self.write)

    def set(self, phase: str) -> None:
        self._phase = phase
        self.write()

    def write(self) -> None:
        found: list[dict[str, Any]] = [
            {
                "name": status.unit.name,
                "pid": status.pid,
                "state": status.state.value,
                "restarts": status.restarts,
                "port": status.unit.port,
                "url": status.unit.url,
                "exit_code": status.exit_code,
            }
            for status in self._supervisor.statuses.values()
        ]
        now = datetime.now(UTC).isoformat(timespec="seconds")
        write_json(
            self._root.state, {"phase": self._phase, "runner": os.getpid(), "at": now, "processes": found}
        )


Build = Callable[[Collection[str]], Coroutine[Any, Any, System]]
"""Makes the system on ports that are free now. The processes named run already, and keep theirs."""


async def _prepare(root: Root, settings: Settings, plan: Plan, held: Held, say: Say) -> Build:
    secrets = SecretsStore(root.secrets)
    restore.unfinished(secrets)
    secrets.prepare()
    paths = await asyncio.to_thread(jars.fetch, settings, say)

    async def build(running: Collection[str]) -> System:
        remembered = root.remembered_ports()
        kept = {name: remembered[name] for name in running}
        usual = {name: port if plan.usual_ports else None for name, port in USUAL_PORTS.items()}
        ports = choose_ports(usual, remembered, lambda port: port in kept.values() or held.take(port))
        for name, port in remembered.items():
            if name in ports and ports[name] != port:
                say(f"port {port} is in use by another program: {name} moves to {ports[name]}")
        root.remember_ports(ports)
        system = _system(root, settings, ports, plan.clock, tuple(paths), plan.kafka_doors)
        if not running:
            await asyncio.gather(
                asyncio.to_thread(system.postgres.prepare), asyncio.to_thread(system.kafka.prepare)
            )
        return system

    return build


def found(root: Root, settings: Settings) -> System:
    """The system that runs under a root, for a command that wants to talk to it.

    Raises:
        PlatformError: nothing runs there.
    """
    endpoints = read_json(root.endpoints)
    if endpoints is None or not root.is_locked():
        raise PlatformError(f"nothing runs in {root.directory}", "Start it with `make up`.")
    return _system(root, settings, root.remembered_ports(), endpoints["clock"])


def _system(
    root: Root,
    settings: Settings,
    ports: Mapping[str, int],
    clock: str,
    jar_paths: tuple[Path, ...] = (),
    doors: tuple[Door, ...] = (),
) -> System:
    secrets = SecretsStore(root.secrets)
    return System(
        data=root.data,
        ports=ports,
        secrets=secrets,
        postgres=Postgres(root.data / "postgres", ports["postgres"], secrets.get("postgres", SUPERUSER)),
        kafka=Kafka(
            root.data / "kafka",
            ports["kafka"],
            ports["kafka-controller"],
            secrets.get("kafka", ADMIN),
            jar_paths,
            doors,
        ),
        clock=clock,
        log_level=settings.log_level,
        environment=settings.environment,
        gazetteer=settings.gazetteer,
    )


async def _start(build: Build, table: Table, root: Root, supervisor: Supervisor, say: Say) -> System:
    from bdcan_contracts.catalogue import CATALOGUE

    names = {"postgres": "PostgreSQL 18", "kafka": f"Apache Kafka {jars.KAFKA_VERSION}"}

    def started(unit: Unit, seconds: float) -> None:
        place = unit.url or f"{LOOPBACK}:{unit.port}"
        say(f"{names.get(unit.name, unit.name)} ready on {place} ({seconds:.1f} s)")

    def services(system: System) -> list[Unit]:
        # written first: what a service is told at its start, a reader of the file may need at once
        write_json(root.endpoints, processes.endpoints(system))
        return table.services(system)

    system = await _on_free_ports(build, (), processes.platform_units, supervisor, started)
    begun = time.monotonic()
    upstreams, outsiders = system.secrets.upstreams(), system.secrets.outsiders(datetime.now(UTC))
    users = access.users(CATALOGUE.topics, outsiders)
    passwords = system.secrets.passwords("postgres", processes.database_roles())
    await provision_postgres(system.postgres.dsn(), passwords)
    client = client_options(system.kafka.bootstrap, ADMIN, system.kafka.password)
    await provision_kafka(
        client,
        CATALOGUE.topics,
        system.secrets.passwords("kafka", users),
        upstreams=upstreams,
        outsiders=outsiders,
    )
    await restore_finish.finish(system.secrets, client, system.postgres.dsn(), say)
    took = time.monotonic() - begun
    say(
        f"{len(SERVICES)} databases, {len(CATALOGUE.topics)} topics, {len(users)} users in place ({took:.1f} s)"
    )
    for stage in table.one_shot(system):
        await supervisor.run_all(stage, lambda unit, seconds: say(f"{unit.name} done ({seconds:.1f} s)"))
    await provision_postgres(system.postgres.dsn(), passwords)  # who reconciles may read what there is now
    return await _on_free_ports(build, _PLATFORM_PORTS, services, supervisor, started)


async def _sweep_now_and_then(system: System, say: Say) -> None:
    """Take away Kafka users of systems outside whose time is over: Kafka does not do it by itself."""
    from bdcan_local.onboarding import Onboarding

    onboarding = Onboarding(
        system.secrets, "runner", client_options(system.kafka.bootstrap, ADMIN, system.kafka.password)
    )
    while True:
        try:
            for user in await asyncio.to_thread(onboarding.sweep):
                say(f"the time of Kafka user {user} is over")
        except PlatformError as error:
            say(f"users whose time is over may still work: {error.what}")
        await asyncio.sleep(_SWEEP_SECONDS)


async def _play_sandboxes(system: System, root: Root, supervisor: Supervisor, say: Say) -> None:
    """Start who plays sandbox referrals to their end, as soon as there is a sandbox system."""
    while not _has_sandbox(system.secrets):  # noqa: ASYNC110 # another process writes the file
        await asyncio.sleep(_LOOK_SECONDS)
    await supervisor.start(processes.sandbox_unit(system, root.endpoints))
    say("sandbox ready: it plays the referrals of sandbox systems to their end")


def _has_sandbox(secrets: SecretsStore) -> bool:
    try:
        return any(one.sandbox for one in secrets.upstreams())
    except PlatformError:  # damaged: `bdcan upstream` and intake's metric say so
        return False


async def _on_free_ports(
    build: Build,
    running: Collection[str],
    units_of: Callable[[System], list[Unit]],
    supervisor: Supervisor,
    started: Callable[[Unit, float], None],
) -> System:
    """Start units. If another program takes one of their ports before they do, start them again on others."""
    for left in reversed(range(_PORT_TRIES)):
        system = await build(running)
        units = units_of(system)
        try:
            await supervisor.start_all(units, started)
        except NotReadyError:
            await supervisor.stop([unit.name for unit in units])
            taken = [port for name, port in system.ports.items() if name not in running and not is_free(port)]
            if not taken:
                raise
            if not left:
                raise InUseError(
                    f"other programs take our ports again and again, the last time {taken[0]}",
                    "See which program listens there (`lsof -i`), stop it, and start again.",
                ) from None
        else:
            return system
    raise AssertionError("the last try returns or raises")


async def _stop(supervisor: Supervisor) -> None:
    platform = ("kafka", "postgres")
    await supervisor.stop([name for name in supervisor.statuses if name not in platform])
    for name in platform:
        await supervisor.stop([name])
