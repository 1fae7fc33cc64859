"""*api*: requests for help over HTTP, each answered when it is on disk, with 1, 16 and 64 clients at a time."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import defaultdict
from collections.abc import Iterator

from benchmarks import systems
from benchmarks.client import Client
from benchmarks.figures import Figure, percentile
from benchmarks.people import form
from benchmarks.platform import Burnt, Platform
from benchmarks.systems import Running

CLIENTS = (1, 16, 64)


async def measure(platform: Platform, repetitions: int, *, quick: bool) -> list[Figure]:
    """Both APIs in turn, nothing else running but the servers."""
    seconds = 2.0 if quick else 6.0
    figures = []
    async with (
        systems.product(platform, only=("intake-api",)) as product,
        systems.bare(platform, only=("intake",)) as bare,
    ):
        contenders = {"project": product, "bare": bare}
        for system in contenders.values():
            await load(system, 16, 1.0)
        for clients in CLIENTS:
            found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
            for _ in range(repetitions):
                for name, system in contenders.items():
                    await system.empty()
                    await platform.settle()
                    burnt = Burnt(system.pids)
                    latencies = await load(system, clients, seconds)
                    found["speed"][name].append(len(latencies) / seconds)
                    found["p50"][name].append(percentile(latencies, 0.5) * 1000)
                    found["p99"][name].append(percentile(latencies, 0.99) * 1000)
                    found["cpu"][name].append(sum(burnt.since().values()) * 1e6 / len(latencies))
            label = f"api, {clients} client{'s' if clients > 1 else ''}"
            figures.append(Figure(label, "referrals/s", found["speed"], _NOTE, found["cpu"]))
            figures.append(Figure(f"{label}, p50", "ms", found["p50"], "the same runs"))
            figures.append(Figure(f"{label}, p99", "ms", found["p99"], "the same runs"))
    return figures


async def load(system: Running, clients: int, seconds: float) -> list[float]:
    """Latencies in seconds of all requests that were answered within the time."""
    connections = [await Client.connect(system.url, system.headers) for _ in range(clients)]
    numbers = itertools.count()
    label = f"api-{time.time_ns()}"
    latencies: list[float] = []
    end = time.perf_counter() + seconds
    await asyncio.gather(*(_ask(c, numbers, label, end, latencies) for c in connections))
    for connection in connections:
        connection.close()
    return latencies


async def _ask(
    connection: Client, numbers: Iterator[int], label: str, end: float, latencies: list[float]
) -> None:
    while time.perf_counter() < end:
        number = next(numbers)
        body = form(number, label)
        asked = time.perf_counter()
        await connection.post("/v1/referrals", body, f"{label}-{number}")
        answered = time.perf_counter()
        if answered < end:
            latencies.append(answered - asked)


_NOTE = (
    "`POST /v1/referrals`, new people each time, over connections that stay open; the bare route has neither"
    " authentication nor Idempotency-Key nor validation, and answers with the id alone"
)
