"""*growth*: how the loop's cost grows with partitions, workers, the size of a batch, and rows that are there already."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict

import asyncpg

from benchmarks import contender, events, loop
from benchmarks.figures import Figure
from benchmarks.platform import Burnt, Platform

PARTITIONS = (1, 3, 6, 12)
WORKERS = (1, 2)
BATCHES = (1, 10, 100, 500)
BACKLOGS = (1_000, 100_000, 1_000_000)
_MOST = 12
_LOOK_SECONDS = 0.02
_CHASSIS = loop.CONTENDERS["project"]
_BARE = loop.CONTENDERS["bare"]


async def measure(platform: Platform, repetitions: int, *, quick: bool) -> list[Figure]:
    """Each dimension by itself, the others as in *loop*."""
    count = 6_000 if quick else 30_000
    topics = {partitions: f"bench.growth.{partitions}" for partitions in PARTITIONS}
    await platform.create_topics({name: partitions for partitions, name in topics.items()})
    for partitions, topic in topics.items():
        await events.feed(platform.kafka, topic, count, partitions)
    dsn = await platform.database("growth")
    await events.prepare(dsn)
    await loop.once(platform, _CHASSIS, dsn, topics[3], count)  # warms up
    figures = []
    for partitions in PARTITIONS:
        label = f"growth, {partitions} partition{'s' if partitions > 1 else ''}"
        figures.append(await _loop(platform, label, dsn, topics[partitions], count, repetitions))
    for batch in BATCHES:
        share = max(500, count * batch // 500) if batch < 100 else count
        figures.append(
            await _loop(platform, f"growth, batches of {batch}", dsn, topics[3], share, repetitions, batch)
        )
    figures += [
        await _workers(platform, dsn, topics[_MOST], count, repetitions, workers) for workers in WORKERS
    ]
    for rows in BACKLOGS[: 2 if quick else None]:
        full = await platform.database(f"backlog_{rows}")
        await events.prepare(full, rows)
        label = f"growth, {rows:,} rows before"
        figures.append(await _loop(platform, label, full, topics[3], count, repetitions, keep=True))
    return figures


async def _loop(
    platform: Platform,
    label: str,
    dsn: str,
    topic: str,
    count: int,
    repetitions: int,
    batch: int = loop.BATCH,
    *,
    keep: bool = False,
) -> Figure:
    speed: dict[str, list[float]] = defaultdict(list)
    cpu: dict[str, list[float]] = defaultdict(list)
    for _ in range(repetitions):
        for name, module in (("project", _CHASSIS), ("bare", _BARE)):
            await (events.forget(dsn) if keep else events.empty(dsn))
            found = await loop.once(platform, module, dsn, topic, count, batch)
            speed[name].append(found["per_second"])
            cpu[name].append(found["cpu_us"])
    return Figure(label, "events/s", speed, f"{count:,} events, otherwise as in *loop*", cpu)


async def _workers(
    platform: Platform, dsn: str, topic: str, count: int, repetitions: int, workers: int
) -> Figure:
    """Several processes of one group, watched from outside: from the first row in the inbox to the last."""
    speed, cpu = [], []
    for _ in range(repetitions):
        await events.empty(dsn)
        await platform.settle()
        task = loop.task(platform, dsn, topic, 10 * count, loop.BATCH)  # none of them reaches that
        running = [await contender.start(platform.guardian, _CHASSIS, task) for _ in range(workers)]
        burnt = Burnt({str(process.pid): process.pid for process in running})
        connection = await asyncpg.connect(dsn)
        try:
            first = await _until(connection, 1)
            began, before = time.perf_counter(), sum(burnt.since().values())
            await _until(connection, count)
            seconds = time.perf_counter() - began
            used = sum(burnt.since().values()) - before
        finally:
            await connection.close()
            for process in running:
                process.kill()
                await process.wait()
        speed.append((count - first) / seconds)
        cpu.append(used * 1e6 / (count - first))
    label = f"growth, {workers} worker{'s' if workers > 1 else ''}"
    note = f"{count:,} events on {_MOST} partitions; includes the rebalance when the last worker joins"
    return Figure(label, "events/s", {"project": speed}, note, {"project": cpu})


async def _until(connection: asyncpg.Connection, rows: int) -> int:
    async with asyncio.timeout(60):
        while (found := await connection.fetchval(_INBOX)) < rows:  # noqa: ASYNC110 # rows have no event
            await asyncio.sleep(_LOOK_SECONDS)
    return found


_INBOX = "SELECT count(*) FROM chassis.inbox"
