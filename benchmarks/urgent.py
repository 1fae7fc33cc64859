"""*urgent*: `POST` of one referral that cannot wait → its welfare call is due, at rest and while a long list comes in."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict

import asyncpg
import httpx

from benchmarks import systems
from benchmarks.client import Client
from benchmarks.figures import Figure, percentile
from benchmarks.people import csv_file, form
from benchmarks.pipeline import CSV
from benchmarks.platform import Platform
from benchmarks.systems import Running
from benchmarks.watch import CALLS, REFERRALS, Watch

_LOOK_SECONDS = 0.005  # looking costs what is measured
_LIMIT_SECONDS = 60
_LIST = 12_000
_MARK = "the-list"


async def measure(platform: Platform, repetitions: int, *, quick: bool) -> list[Figure]:
    """Posts one after the other; lists of 12,000 one after the other beside them, in the second half."""
    posts = 50 if quick else 200
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    # made before the clock runs: it takes half a second, and the posts wait in this very loop
    people = csv_file(_LIST, _MARK)
    async with systems.product(platform) as product:
        await _beside_lists(product, 20, people, "warm")
        for number in range(repetitions):
            await product.empty()
            await platform.settle()
            for state, taken in (
                ("idle", await _posts(product, posts, f"idle-{number}")),
                ("under import", await _beside_lists(product, posts, people, f"busy-{number}")),
            ):
                found[state]["p50"].append(percentile(taken, 0.5) * 1000)
                found[state]["p99"].append(percentile(taken, 0.99) * 1000)
    note = f"{posts} posts a repetition, from the request to the row of the welfare call"
    return [
        Figure(f"urgent, {state}, {which}", "ms", {"project": samples}, note)
        for state, of in found.items()
        for which, samples in of.items()
    ]


async def _posts(system: Running, posts: int, label: str) -> list[float]:
    connection = await asyncpg.connect(system.databases["volunteer_match"])
    client = await Client.connect(system.url, system.headers)
    taken = []
    try:
        for number in range(posts):
            body = form(number, f"{label}-{time.time_ns()}", priority="urgent")
            asked = time.perf_counter()
            answer = await client.post("/v1/referrals", body, f"{label}-{number}-{time.time_ns()}")
            async with asyncio.timeout(_LIMIT_SECONDS):
                while not await connection.fetchval(_DUE, answer["referral_id"]):  # noqa: ASYNC110 # a row
                    await asyncio.sleep(_LOOK_SECONDS)
            taken.append(time.perf_counter() - asked)
    finally:
        client.close()
        await connection.close()
    return taken


async def _beside_lists(system: Running, posts: int, people: bytes, label: str) -> list[float]:
    first_in, enough = asyncio.Event(), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(_import_until(enough, system, people, label, first_in))
        await first_in.wait()  # from here on all stages are at work
        taken = await _posts(system, posts, label)
        enough.set()
    return taken


async def _import_until(
    enough: asyncio.Event, system: Running, people: bytes, label: str, first_in: asyncio.Event
) -> None:
    """The next list begins when the last one is nearly through: the pipeline never rests, and never falls behind."""
    referrals = (system.databases["intake"], REFERRALS)
    calls = (system.databases["volunteer_match"], CALLS)
    async with httpx.AsyncClient(
        base_url=system.url, headers=system.headers, timeout=_LIMIT_SECONDS
    ) as client:
        number = 0
        while not enough.is_set():
            content = people.replace(_MARK.encode(), f"{label}-{time.time_ns()}-{number}".encode())
            # the tail of the list before it grows as well
            wanted = _LIST if number else _LIST * 9 // 10
            async with (
                Watch({referrals: 1}) as coming,
                Watch({calls: wanted}) as going,
                asyncio.TaskGroup() as group,
            ):
                sending = group.create_task(client.post(system.import_path, content=content, headers=CSV))
                await coming.grown(_LIMIT_SECONDS)
                first_in.set()
                await going.grown(_LIMIT_SECONDS)
            sending.result().raise_for_status()
            number += 1


_DUE = "SELECT true FROM welfare_call WHERE referral_id = $1 AND state = 'due'"
