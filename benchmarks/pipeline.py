"""*pipeline*: a list of referrals → each has its due welfare call and the line in its story that says which hub has it."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict

import httpx

from benchmarks import systems
from benchmarks.figures import Figure
from benchmarks.people import csv_file
from benchmarks.platform import Burnt, Platform
from benchmarks.systems import Running
from benchmarks.watch import CALLS, ENTRIES, Watch

CSV = {"Content-Type": "text/csv"}
_LIMIT_SECONDS = 180


async def measure(platform: Platform, repetitions: int, *, quick: bool) -> list[Figure]:
    """Lists of 12,000 and 60,000 through both systems in turn. The first round of each is a small one, to warm up."""
    sizes = (3_000,) if quick else (12_000, 60_000)
    figures = []
    async with systems.product(platform) as product, systems.bare(platform) as bare:
        contenders = {"project": product, "bare": bare}
        for name, system in contenders.items():
            await once(platform, system, 2_000, f"warm-{name}")
        for size in sizes:
            speed: dict[str, list[float]] = defaultdict(list)
            seconds: dict[str, list[float]] = defaultdict(list)
            cpu: dict[str, list[float]] = defaultdict(list)
            for number in range(repetitions):
                for name, system in contenders.items():
                    took, burnt = await once(platform, system, size, f"{size}-{number}")
                    speed[name].append(size / took)
                    seconds[name].append(took)
                    for process, used in burnt.items():
                        cpu[f"{name}: {process}"].append(used * 1e6 / size)
            shown = f"{size:,} referrals"
            figures.append(Figure(f"pipeline, {shown}", "referrals/s", speed, _NOTE, cpu))
            figures.append(Figure(f"pipeline, {shown}, time", "s", seconds, "the same runs"))
    return figures


async def once(platform: Platform, system: Running, size: int, label: str) -> tuple[float, dict[str, float]]:
    """One list through one system: seconds from the first byte to the last row, and processor seconds by process."""
    content = csv_file(size, label)
    await system.empty()
    await platform.settle()
    calls = (system.databases["volunteer_match"], CALLS)
    entries = (system.databases["intake"], ENTRIES)
    async with (
        Watch({calls: size, entries: 2 * size}) as watch,
        httpx.AsyncClient(base_url=system.url, headers=system.headers, timeout=_LIMIT_SECONDS) as client,
    ):
        burnt = Burnt({**system.pids, **platform.server_pids()})
        started = time.perf_counter()
        sending = asyncio.create_task(client.post(system.import_path, content=content, headers=CSV))
        ended = await watch.grown(_LIMIT_SECONDS)
        answer = (await sending).raise_for_status().json()
        if answer["accepted"] != size:
            raise RuntimeError(f"{answer['accepted']} of {size} referrals were accepted")
        return ended - started, burnt.since()


_NOTE = (
    "a CSV file by HTTP, until the last welfare call is due and the last line of a story is written;"
    " the processes of intake, routing and volunteer-match run, no others"
)
