"""How each kind of fault is done to the running system and undone."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import replace
from typing import Any

import asyncpg

from bdcan_chassis.errors import DATABASE_ERRORS, is_transient
from bdcan_chassis.testing import full_disk
from bdcan_local.ports import free_ports
from bdcan_local.processes import SERVICES, own_name
from bdcan_local.supervisor import Unit

from .schedule import APIS, PROCESSES, WORKERS, Fault, Kind
from .system import PLATFORM, Injured, proxy, second_worker

_TERM_SECONDS = 45.0


class Faults:
    """Does one fault at a time to each process; different ones may be hurt at once.

    `exits` collects the exit code of each process that was asked to stop by SIGTERM, ready or not.
    """

    def __init__(self, system: Injured) -> None:
        self._system = system
        self.exits: list[tuple[str, int | None]] = []

    def victims(self, fault: Fault) -> list[str]:
        """The processes that have to be ready again when it is over."""
        match fault.kind:
            case Kind.ROLL:
                return _rolled(fault.victim)
            case (
                Kind.POSTGRES_DOWN | Kind.BACKEND_KILL | Kind.KAFKA_STOP | Kind.KAFKA_KILL | Kind.KAFKA_PAUSE
            ):
                return [*PLATFORM, *PROCESSES]
            case Kind.CRASH_WITHOUT_POSTGRES | Kind.CRASH_WITHOUT_KAFKA:
                return [*PLATFORM, *PROCESSES]
            case Kind.DISK_FULL | Kind.NET_CUT | Kind.NET_HOLE | Kind.NET_SLOW:
                service = fault.victim.partition(":")[0]
                return [name for name in PROCESSES if name.startswith(service)]
            case _:
                return [fault.victim]

    async def strike(self, fault: Fault) -> None:
        """Do it, and undo it after its time."""
        async with self._system.lock(fault.victim):
            await self._how(fault.kind)(fault)

    def _how(self, kind: Kind) -> Callable[[Fault], Coroutine[Any, Any, None]]:
        return {
            Kind.KILL: self._kill,
            Kind.TERM: self._term,
            Kind.RESTART: self._restart,
            Kind.ROLL: self._roll,
            Kind.PAUSE: self._pause,
            Kind.ZOMBIE: self._pause,
            Kind.USURPED: self._usurp,
            Kind.SECOND: self._second,
            Kind.SKEW: self._skew,
            Kind.POSTGRES_DOWN: self._postgres_down,
            Kind.BACKEND_KILL: self._kill_backend,
            Kind.KAFKA_STOP: self._restart,
            Kind.KAFKA_KILL: self._kill,
            Kind.KAFKA_PAUSE: self._pause,
            Kind.CRASH_WITHOUT_POSTGRES: self._crash_without("postgres", self._postgres_down),
            Kind.CRASH_WITHOUT_KAFKA: self._crash_without("kafka", self._pause),
            Kind.DISK_FULL: self._fill_disk,
            Kind.NET_CUT: self._network,
            Kind.NET_HOLE: self._network,
            Kind.NET_SLOW: self._network,
        }[kind]

    async def _kill(self, fault: Fault) -> None:
        self._system.send(fault.victim, signal.SIGKILL)

    async def _term(self, fault: Fault) -> None:
        status = self._system.supervisor.statuses[fault.victim]
        pid = self._system.send(fault.victim, signal.SIGTERM)
        end = time.monotonic() + _TERM_SECONDS
        while pid is not None and status.pid == pid:
            if time.monotonic() > end:
                self.exits.append((fault.victim, None))
                self._system.send(fault.victim, signal.SIGKILL)
                return
            await asyncio.sleep(0.02)
        if pid is not None:
            self.exits.append((fault.victim, status.exit_code))

    async def _restart(self, fault: Fault) -> None:
        async with self._system.away(fault.victim):
            await asyncio.sleep(fault.seconds)

    async def _roll(self, fault: Fault) -> None:
        for name in _rolled(fault.victim):
            async with self._system.lock(name):
                await self._system.stop(name)
                await self._system.start(self._system.unit(name))

    async def _pause(self, fault: Fault) -> None:
        async with self._system.frozen(fault.victim):
            await asyncio.sleep(fault.seconds)

    async def _usurp(self, fault: Fault) -> None:
        second = self._second_of(fault.victim)
        await self._system.start(second)
        await self._pause(fault)
        await self._system.stop(second.name)

    async def _second(self, fault: Fault) -> None:
        second = self._second_of(fault.victim)
        await self._system.start(second)
        await asyncio.sleep(fault.seconds)
        await self._system.stop(second.name)

    async def _skew(self, fault: Fault) -> None:
        async with self._system.with_clock(fault.victim, fault.how):
            await asyncio.sleep(fault.seconds)

    async def _postgres_down(self, fault: Fault) -> None:
        self._system.send("postgres", signal.SIGQUIT)
        await self._restart(fault)

    def _crash_without(
        self, server: str, outage: Callable[[Fault], Coroutine[Any, Any, None]]
    ) -> Callable[[Fault], Coroutine[Any, Any, None]]:
        """What a worker has in hand stays in hand while the server is away; then the worker is gone."""

        async def crash(fault: Fault) -> None:
            async with self._system.lock(server), asyncio.TaskGroup() as group:
                group.create_task(outage(replace(fault, victim=server)))
                await asyncio.sleep(fault.seconds / 2)
                self._system.send(fault.victim, signal.SIGKILL)

        return crash

    async def _kill_backend(self, fault: Fault) -> None:
        """The server ends all its connections and recovers, as after a crash."""
        with suppress(OSError, asyncpg.PostgresError, TimeoutError):  # it may be down already
            connection = await asyncpg.connect(self._system.system.postgres.dsn(), timeout=5)
            backends = await connection.fetch(
                "SELECT pid FROM pg_stat_activity WHERE usename LIKE 'bdcan%' ORDER BY backend_start, pid"
            )
            await connection.close()
            if backends:
                os.kill(backends[int(fault.how * len(backends))]["pid"], signal.SIGKILL)

    async def _fill_disk(self, fault: Fault) -> None:
        schemas = ("public",) if fault.how < 0.5 else ("chassis", "public")
        await self._at_database(fault.victim, lambda connection: full_disk.fill(connection, schemas))
        await asyncio.sleep(fault.seconds)
        await self._at_database(fault.victim, full_disk.free)

    async def _at_database(self, victim: str, act: Callable[[asyncpg.Connection], Awaitable[None]]) -> None:
        """Tries until it is done: the server may be down, or a paused process may hold a lock."""
        name = own_name(victim.partition(":")[0])
        while True:
            try:
                connection = await asyncpg.connect(self._system.system.postgres.dsn(database=name), timeout=5)
                try:
                    await act(connection)
                finally:
                    connection.terminate()
            except DATABASE_ERRORS as error:
                if not is_transient(error):
                    raise
                await asyncio.sleep(0.2)
            else:
                return

    async def _network(self, fault: Fault) -> None:
        network = self._system.network
        assert network is not None
        name = proxy(*fault.victim.split(":"))
        match fault.kind:
            case Kind.NET_CUT:
                await network.cut(name)
            case Kind.NET_HOLE:
                await network.swallow(name)
            case _:
                await network.slow(name, fault.how)
        await asyncio.sleep(fault.seconds)
        await network.heal(name)

    def _second_of(self, name: str) -> Unit:
        return second_worker(self._system.unit(name), free_ports(1)[0])


def _rolled(victim: str) -> list[str]:
    """Workers first, then the doors, one after the other."""
    if victim == "everything":
        return [*WORKERS, *APIS]
    assert victim in SERVICES
    return [f"{victim}-worker", f"{victim}-api"]
