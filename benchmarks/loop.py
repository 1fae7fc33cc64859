"""*loop*: consume from Kafka → inbox, one upsert, one outgoing event → commit → commit offsets."""

from __future__ import annotations

import secrets
from collections import defaultdict

from benchmarks import contender, events
from benchmarks.figures import Figure
from benchmarks.platform import Platform

TOPIC = "bench.loop.in"
CONTENDERS = {
    "project": "benchmarks.loops.chassis_loop",
    "bare": "benchmarks.loops.bare_loop",
    "naive": "benchmarks.loops.faust_agent",
    "faststream": "benchmarks.loops.faststream_subscriber",
}
_SLOW = 10  # the frameworks' contenders take a tenth of the events
_PARTITIONS = 3
_BATCH = 500


async def measure(platform: Platform, repetitions: int, *, quick: bool) -> list[Figure]:
    """Each contender in turn, over and over; the first round warms up."""
    count = 10_000 if quick else 50_000
    await platform.create_topics({TOPIC: _PARTITIONS, events.OUT: _PARTITIONS})
    await events.feed(platform.kafka, TOPIC, count, _PARTITIONS)
    dsn = await platform.database("loop")
    await events.prepare(dsn)
    speed: dict[str, list[float]] = defaultdict(list)
    cpu: dict[str, list[float]] = defaultdict(list)
    for round_number in range(repetitions + 1):
        for name, module in CONTENDERS.items():
            share = count if name in {"project", "bare"} else count // _SLOW
            found = await once(platform, module, dsn, TOPIC, share, _BATCH)
            if round_number:
                speed[name].append(found["per_second"])
                cpu[name].append(found["cpu_us"])
    note = (
        f"{count:,} events of about 400 bytes on {_PARTITIONS} partitions, batches of {_BATCH}"
        " (Faust, FastStream: one transaction for each event)"
    )
    return [Figure("loop", "events/s", speed, note, cpu)]


async def once(
    platform: Platform,
    module: str,
    dsn: str,
    topic: str,
    count: int,
    batch: int,
    arguments: tuple[str, ...] = (),
) -> dict[str, float]:
    """One contender over a topic that is full, with tables that are empty."""
    await events.empty(dsn)
    await platform.settle()
    task = {
        "dsn": dsn,
        "topic": topic,
        "group": f"bench-{secrets.token_hex(4)}",
        "count": count,
        "batch": batch,
        "kafka": platform.kafka,
    }
    found = await contender.run(platform.guardian, module, task, arguments)
    inbox, _things, outbox = await events.counts(dsn)
    if not inbox == outbox >= count:
        raise RuntimeError(f"{module}: {count} events, but {inbox} in the inbox and {outbox} in the outbox")
    return found
