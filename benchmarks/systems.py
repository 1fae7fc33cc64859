"""The two systems that are compared from end to end: the product's own processes, and the bare pipeline."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import asyncpg

from bdcan_chassis.migrate import migrate
from bdcan_local.ports import free_ports
from bdcan_local.processes import http_status, service_units
from bdcan_local.supervisor import Unit
from benchmarks import contender
from benchmarks.platform import Platform

PROCESSES = ("intake-api", "intake-worker", "routing-worker", "volunteer-match-worker")
_TABLES = {
    "intake": ("referral", "need", "resident", "timeline"),
    "routing": ("assignment",),
    "volunteer_match": ("welfare_call",),
}
_COMMON = ("chassis.inbox", "chassis.outbox", "chassis.deadline", "chassis.idempotency_key")
_PARTITIONS = 6
_REST_SECONDS, _STILL_SECONDS = 120, 1.0


@dataclass(frozen=True)
class Running:
    """A running system: where it takes referrals, its databases, its processes."""

    url: str
    import_path: str
    headers: Mapping[str, str]
    databases: Mapping[str, str]
    pids: Mapping[str, int]

    async def empty(self) -> None:
        """Wait until the system is at rest, and take out what an earlier repetition has written."""
        async with AsyncExitStack() as stack:
            opened: dict[str, asyncpg.Connection[asyncpg.Record]] = {}
            for name, dsn in self.databases.items():
                opened[name] = await asyncpg.connect(dsn)
                stack.push_async_callback(opened[name].close)
            async with asyncio.timeout(_REST_SECONDS):
                before = None
                # unsent rows alone say nothing: where no worker runs, they stay
                while (found := [await one.fetchrow(_UNDER_WAY) for one in opened.values()]) != before:
                    before = found
                    await asyncio.sleep(_STILL_SECONDS)
            for name, connection in opened.items():
                await connection.execute(f"TRUNCATE {', '.join((*_TABLES[name], *_COMMON))} CASCADE")


@asynccontextmanager
async def product(
    platform: Platform,
    sampled: Callable[[str], Path] | None = None,
    only: Collection[str] = PROCESSES,
) -> AsyncIterator[Running]:
    """The product's processes from intake to volunteer-match. `sampled`: where each is to write its profile."""
    key = platform.system.secrets.get("api-keys", "simulator")
    units = [unit for unit in service_units(platform.system) if unit.name in only]
    if sampled:
        units = [_sampled(unit, sampled(unit.name)) for unit in units]
    async with platform.units(units) as pids:
        yield Running(
            platform.system.url("intake-api"),
            "/v1/referral-imports?source=bench-list",
            {"X-API-Key": key},
            {name: platform.admin_dsn(f"bdcan_{name}") for name in _TABLES},
            pids,
        )


@asynccontextmanager
async def bare(platform: Platform, only: Collection[str] = tuple(_TABLES)) -> AsyncIterator[Running]:
    """Three processes by hand, on topics and databases of their own with the same tables."""
    topics = {"referrals": "bench.bare.referrals", "assignments": "bench.bare.assignments"}
    await platform.create_topics(dict.fromkeys(topics.values(), _PARTITIONS))
    [port] = free_ports(1)
    databases, units = {}, []
    for name in only:
        dsn = databases[name] = await platform.database(f"bare_{name}")
        await migrate(dsn, ["bdcan_chassis", f"bdcan_{name}.store"])
        task = {"dsn": dsn, "kafka": platform.kafka, "port": port, "alone": len(only) == 1, **topics}
        environment = {**platform.system.environment, "BENCH_TASK": json.dumps(task)}

        async def ready(is_server: bool = name == "intake") -> bool:  # bound here
            return not is_server or await http_status(port, "/readyz") == 200

        units.append(Unit(f"bare-{name}", contender.command(f"benchmarks.bare.{name}", environment), ready))
    async with platform.units(units) as pids:
        yield Running(f"http://127.0.0.1:{port}", "/import", {}, databases, pids)


def _sampled(unit: Unit, file: Path) -> Unit:
    arguments = unit.command.argv[2:]  # behind `python -m`
    argv = (sys.executable, "-m", "benchmarks.sampled", str(file), *arguments)
    return replace(unit, command=replace(unit.command, argv=argv))


_UNDER_WAY = (
    "SELECT (SELECT count(*) FROM chassis.outbox) AS unsent, (SELECT count(*) FROM chassis.inbox) AS taken"
)
