"""The servers that everything here is measured on: one real PostgreSQL with fsync on and one real Kafka, started afresh.

The services' own processes are started and stopped around the benchmarks that need them, so that an idle worker takes
no time from a loop that is being measured.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import psutil
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from bdcan_chassis.privileges import OWNER_SUFFIX
from bdcan_local.guardian import Guardian
from bdcan_local.kafka import ADMIN, client_options
from bdcan_local.processes import System, Table, one_shot_units
from bdcan_local.provision import provision_postgres
from bdcan_local.root import Root
from bdcan_local.runner import Plan, Running, running
from bdcan_local.settings import read_settings
from bdcan_local.supervisor import Supervisor, Unit

ROOT = Path(".local/bench")
PIPELINE = ("intake", "routing", "volunteer-match")
"""The services whose databases are migrated: those between a request for help and its welfare call."""


@dataclass(frozen=True)
class Platform:
    """The servers, and how to get databases, topics and processes on them."""

    running: Running
    root: Root

    @property
    def system(self) -> System:
        """What the servers are made of."""
        return self.running.system

    @property
    def guardian(self) -> Guardian:
        """Who ends the processes of the benchmarks with us."""
        return self.running.guardian

    @property
    def kafka(self) -> dict[str, Any]:
        """What any aiokafka client needs to connect as the administrator."""
        return client_options(self.system.kafka.bootstrap, ADMIN, self.system.kafka.password)

    def admin_dsn(self, database: str = "postgres") -> str:
        """The superuser's address of a database."""
        return self.system.postgres.dsn(database=database)

    async def database(self, name: str) -> str:
        """A new, empty database with a role of its own; returns the DSN of its owner."""
        unique, password = f"{name}_{secrets.token_hex(4)}", secrets.token_urlsafe(16)
        await provision_postgres(self.admin_dsn(), {unique: password, unique + OWNER_SUFFIX: password})
        return self.system.postgres.dsn(f"bdcan_{unique}{OWNER_SUFFIX}", password, f"bdcan_{unique}")

    async def create_topics(self, partitions: Mapping[str, int]) -> None:
        """Make topics that do not exist yet."""
        admin = AIOKafkaAdminClient(**self.kafka)
        await admin.start()
        try:
            await admin.create_topics([NewTopic(name, count, 1) for name, count in partitions.items()])
        finally:
            await admin.close()

    async def settle(self) -> None:
        """Have PostgreSQL write what is dirty now, and not in the middle of the next measurement."""
        connection = await asyncpg.connect(self.admin_dsn())
        try:
            await connection.execute("CHECKPOINT")
        finally:
            await connection.close()

    def server_pids(self) -> dict[str, int]:
        """Process ids of PostgreSQL and Kafka."""
        return {name: status.pid for name, status in self.running.supervisor.statuses.items() if status.pid}

    @asynccontextmanager
    async def units(self, units: Sequence[Unit]) -> AsyncIterator[dict[str, int]]:
        """Run processes inside the block; gives their process ids."""
        supervisor = Supervisor(self.guardian, self.root.logs)
        try:
            await supervisor.start_all(units, lambda _unit, _seconds: None)
            yield {name: status.pid for name, status in supervisor.statuses.items() if status.pid}
        finally:
            await supervisor.stop([unit.name for unit in units])


@asynccontextmanager
async def platform(say: Callable[[str], None]) -> AsyncIterator[Platform]:
    """Both servers, empty, with the databases and topics of the product; stopped at the end of the block."""

    def migrations(system: System) -> list[list[Unit]]:
        wanted = {f"{service}-migrate" for service in PIPELINE}
        return [[unit for unit in stage if unit.name in wanted] for stage in one_shot_units(system)]

    root = Root(ROOT)
    plan = Plan(fresh=True, usual_ports=False, table=Table(one_shot=migrations, services=lambda _system: []))
    async with running(root, read_settings(), plan, say) as started:
        yield Platform(started, root)


class Burnt:
    """Processor time that processes use, children included, from one look to the next."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._pids = pids
        self._before = self._look()

    def since(self) -> dict[str, float]:
        """Seconds of processor time since this was made, by name."""
        return {name: used - self._before.get(name, 0.0) for name, used in self._look().items()}

    def _look(self) -> dict[str, float]:
        return {name: _used(pid) for name, pid in self._pids.items()}


def resident_megabytes(pid: int) -> float:
    """Memory that a process holds."""
    return psutil.Process(pid).memory_info().rss / 2**20


def _used(pid: int) -> float:
    process = psutil.Process(pid)
    return sum(_seconds(p) for p in [process, *process.children(recursive=True)])


def _seconds(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return times.user + times.system


def machine() -> dict[str, str]:
    """What the figures were measured on."""
    import platform as python

    memory = psutil.virtual_memory().total / 2**30
    return {
        "cores": str(os.cpu_count()),
        "memory_gb": f"{memory:.0f}",
        "processor": _processor(),
        "system": f"{python.system()} {python.release()}",
        "python": python.python_version(),
        "load_at_start": f"{os.getloadavg()[0]:.1f}",
        "at": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
    }


def versions(names: Iterable[str]) -> dict[str, str]:
    """Versions of installed packages."""
    from importlib.metadata import version

    from bdcan_local import jars

    return {"kafka": jars.KAFKA_VERSION, "postgres": "18", **{name: version(name) for name in names}}


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    found = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return found or "unknown"
