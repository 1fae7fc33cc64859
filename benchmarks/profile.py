"""*profile*: where the processor time of the loop, of each process of the pipeline and of the API goes.

Prints for each process the functions that cost most, alone and with all that they call, as a share of the process's
processor time and in microseconds for one event or referral. The stacks stay in `.local/bench/profile/*.txt`.
"""

from __future__ import annotations

import os
import signal
import sys
from collections import Counter
from pathlib import Path

from benchmarks import api, events, loop, pipeline, systems
from benchmarks.figures import Figure
from benchmarks.platform import ROOT, Burnt, Platform

_SHOWN = 16
_EVERYWHERE = 0.97
_IMPORTING = "<frozen importlib"


async def measure(platform: Platform, repetitions: int, *, quick: bool) -> list[Figure]:
    """Profile the chassis's loop, then each process of the pipeline, then the API. Gives no figures: it prints."""
    del repetitions
    await _loop(platform, 20_000 if quick else 50_000)
    await _pipeline(platform, 6_000 if quick else 30_000)
    await _api(platform, 4.0 if quick else 15.0)
    return []


async def _loop(platform: Platform, count: int) -> None:
    topic = "bench.profile.in"
    await platform.create_topics({topic: 3, events.OUT: 3})
    await events.feed(platform.kafka, topic, count, 3)
    dsn = await platform.database("profile")
    await events.prepare(dsn)
    for name in ("project", "bare"):
        module, file = loop.CONTENDERS[name], _file(f"loop-{name}")
        await events.empty(dsn)
        found = await loop.once(
            platform, "benchmarks.sampled", dsn, topic, count, arguments=(str(file), module)
        )
        show(file, found["cpu_us"], "event")


async def _pipeline(platform: Platform, size: int) -> None:
    async with systems.product(platform, sampled=_file) as product:
        await pipeline.once(platform, product, 2_000, "warm")
        for pid in product.pids.values():
            os.kill(pid, signal.SIGURG)
        seconds, burnt = await pipeline.once(platform, product, size, "profiled")
    print(f"\npipeline: {size:,} referrals in {seconds:.1f} s")
    for name in ("postgres", "kafka"):
        print(f"  {name}: {burnt[name] * 1e6 / size:.0f} µs a referral")
    for name in product.pids:
        show(_file(name), burnt[name] * 1e6 / size, "referral")


async def _api(platform: Platform, seconds: float) -> None:
    only, file = ("intake-api",), _file("api")
    async with systems.product(platform, sampled=lambda _: file, only=only) as product:
        await api.load(product, 16, 1.0)
        os.kill(product.pids["intake-api"], signal.SIGURG)
        burnt = Burnt(product.pids)
        answered = len(await api.load(product, 16, seconds))
        cpu_us = burnt.since()["intake-api"] * 1e6 / answered
    show(file, cpu_us, "request")


def _file(name: str) -> Path:
    file = ROOT / "profile" / f"{name}.txt"
    file.parent.mkdir(parents=True, exist_ok=True)
    return file.resolve()


def show(path: Path, cpu_us: float, piece: str) -> None:
    """Print the functions that cost most. `cpu_us`: what the process used for one piece of work."""
    alone: Counter[str] = Counter()
    with_callees: Counter[str] = Counter()
    for line in path.read_text(encoding="utf-8").splitlines():
        stack, _, count = line.rpartition(" ")
        if _IMPORTING in stack:
            continue
        frames = [_short(frame) for frame in stack.split(";")]
        alone[frames[-1]] += int(count)
        for frame in set(frames):
            with_callees[frame] += int(count)
    total = max(alone.total(), 1)
    print(f"\n{path.stem}: {cpu_us:.1f} µs a {piece}, {total} samples")
    for title, found, shown in (
        ("alone", alone, _SHOWN),
        ("with what they call", with_callees, 3 * _SHOWN),
    ):
        print(f"  {title}")
        for frame, count in found.most_common(shown):
            share = count / total
            if share > _EVERYWHERE:
                continue
            print(f"    {100 * share:5.1f} %  {share * cpu_us:6.1f} µs  {frame}")


def _short(frame: str) -> str:
    """`Tx.emit (…/bdcan_chassis/transaction.py)` → `Tx.emit bdcan_chassis/transaction.py`."""
    name, _, place = frame.rpartition(" (")
    return f"{name} {'/'.join(Path(place.rstrip(')')).parts[-2:])}"


if __name__ == "__main__":
    show(Path(sys.argv[1]), float(sys.argv[2]), "piece")
