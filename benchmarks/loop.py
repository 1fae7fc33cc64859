"""*loop*: consume from Kafka → inbox, one upsert, one outgoing event → commit → commit offsets."""

from __future__ import annotations

import secrets
from collections import defaultdict
from typing import Any

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
_SLOW = 20  # the frameworks take one event in twenty: they would take minutes for all
_PARTITIONS = 3
BATCH = 500


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
            await events.empty(dsn)
            found = await once(platform, module, dsn, TOPIC, share)
            if round_number:
                speed[name].append(found["per_second"])
                cpu[name].append(found["cpu_us"])
    note = (
        f"{count:,} events of about 400 bytes on {_PARTITIONS} partitions, batches of {BATCH}"
        " (Faust, FastStream: one transaction for each event)"
    )
    return [Figure("loop", "events/s", speed, note, cpu)]


async def once(
    platform: Platform,
    module: str,
    dsn: str,
    topic: str,
    count: int,
    batch: int = BATCH,
    arguments: tuple[str, ...] = (),
) -> dict[str, float]:
    """One contender over a topic that is full. What it leaves in the tables is counted, and has to be everything."""
    await platform.settle()
    inbox, _, outbox = await events.counts(dsn)
    found = await contender.run(
        platform.guardian, module, task(platform, dsn, topic, count, batch), arguments
    )
    inbox_now, _, outbox_now = await events.counts(dsn)
    if not inbox_now - inbox == outbox_now - outbox >= count:
        raise RuntimeError(f"{module}: {count} events, but {inbox_now - inbox} in the inbox")
    return found


def task(platform: Platform, dsn: str, topic: str, count: int, batch: int) -> dict[str, Any]:
    """What a contender has to know, with a consumer group that nobody has used."""
    return {
        "dsn": dsn,
        "topic": topic,
        "group": f"bench-{secrets.token_hex(4)}",
        "count": count,
        "batch": batch,
        "kafka": platform.kafka,
    }
