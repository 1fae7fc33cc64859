"""*compression*: the same rows through one topic for each way to compress: what sending, keeping and reading cost."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from bdcan_chassis.migrate import migrate
from bdcan_local.access import TopicSpec
from bdcan_local.cluster import Cluster
from benchmarks import contender
from benchmarks.figures import Figure
from benchmarks.platform import Burnt, Platform
from benchmarks.relay import fill

_WAYS: Mapping[str, tuple[str | None, Mapping[str, str]]] = {
    "zstd": ("zstd", {}),
    "gzip by aiokafka": ("gzip", {}),
    "project": (
        "zstd",
        {"compression.type": "gzip", "compression.gzip.level": "1"},
    ),
    "zstd, then gzip 6 by the broker": (
        "zstd",
        {"compression.type": "gzip", "compression.gzip.level": "6"},
    ),
    "plain, then gzip 1 by the broker": (
        None,
        {"compression.type": "gzip", "compression.gzip.level": "1"},
    ),
}
"""What the producer does, and the settings of the topic. `project`: packed again by the broker, quickly (ADR 22)."""


async def measure(platform: Platform, repetitions: int, *, quick: bool) -> list[Figure]:
    """Each way in turn, on a topic of its own; the first round warms up."""
    count = 12_000 if quick else 60_000
    dsn = await platform.database("compression")
    await migrate(dsn, ["bdcan_chassis"])
    speed: dict[str, list[float]] = defaultdict(list)
    cpu: dict[str, list[float]] = defaultdict(list)
    for round_number in range(repetitions + 1):
        for number, (name, (codec, config)) in enumerate(_WAYS.items()):
            topic = f"bench.compression.{number}.{round_number}"
            await asyncio.to_thread(_make_topic, platform, TopicSpec(topic, 6, tuple(config.items())))
            await fill(dsn, count, topic)
            await platform.settle()
            task: dict[str, Any] = {"dsn": dsn, "count": count, "topic": topic, "kafka": platform.kafka}
            broker = Burnt({"kafka": platform.server_pids()["kafka"]})
            sending = {**task, "kafka": {**platform.kafka, "compression_type": codec}}
            sent = await contender.run(platform.guardian, "benchmarks.relays.bare_relay", sending)
            kept = broker.since()["kafka"] * 1e6 / count
            read = await contender.run(platform.guardian, "benchmarks.relays.bare_reader", task)
            if round_number:
                speed[name].append(sent["per_second"])
                cpu[f"{name}: sending"].append(sent["cpu_us"])
                cpu[f"{name}: the broker"].append(kept)
                cpu[f"{name}: reading"].append(read["cpu_us"])
    note = f"{count:,} rows of about 800 bytes for one topic of 6 partitions"
    return [Figure("compression", "rows/s sent", speed, note, cpu)]


def _make_topic(platform: Platform, spec: TopicSpec) -> None:
    with Cluster(platform.kafka) as cluster:
        cluster.make_topics([spec], replicas=1)
        cluster.wait_until_ready([spec])
