"""*relay*: rows of the outbox → Kafka, acknowledged by all replicas → deleted."""

from __future__ import annotations

from collections import defaultdict

import asyncpg
import orjson

from bdcan_chassis.migrate import migrate
from benchmarks import contender
from benchmarks.figures import Figure
from benchmarks.platform import Platform

TOPIC = "bench.relay.out"
CONTENDERS = {"project": "benchmarks.relays.chassis_relay", "bare": "benchmarks.relays.bare_relay"}
_PARTITIONS = 6


async def measure(platform: Platform, repetitions: int, *, quick: bool) -> list[Figure]:
    """Both in turn over an outbox that is full; the first round warms up."""
    count = 10_000 if quick else 50_000
    await platform.create_topics({TOPIC: _PARTITIONS})
    dsn = await platform.database("relay")
    await migrate(dsn, ["bdcan_chassis"])
    speed: dict[str, list[float]] = defaultdict(list)
    cpu: dict[str, list[float]] = defaultdict(list)
    for round_number in range(repetitions + 1):
        for name, module in CONTENDERS.items():
            await fill(dsn, count)
            await platform.settle()
            task = {"dsn": dsn, "count": count, "kafka": platform.kafka}
            found = await contender.run(platform.guardian, module, task)
            if round_number:
                speed[name].append(found["per_second"])
                cpu[name].append(found["cpu_us"])
    note = f"{count:,} rows of about 800 bytes for one topic of {_PARTITIONS} partitions"
    return [Figure("relay", "rows/s", speed, note, cpu)]


async def fill(dsn: str, count: int, topic: str = TOPIC) -> None:
    """Put `count` events into an empty outbox."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("TRUNCATE chassis.outbox")
        await connection.execute(_FILL, topic, orjson.dumps(_HEADERS), count, timeout=120)
        await connection.execute("ANALYZE chassis.outbox")
    finally:
        await connection.close()


_HEADERS = [
    ["content-type", "application/json"],
    ["ce_specversion", "1.0"],
    ["ce_id", "01975c3e-3f1a-7c1c-b3a4-2f9c6f1d8e55"],
    ["ce_type", "bdcan.bench.thing.went.v1"],
    ["ce_source", "bdcan.bench"],
    ["ce_subject", "01975c3e-3f1a-7c1c-b3a4-2f9c6f1d8e56"],
    ["ce_time", "2020-03-23T08:00:00+00:00"],
    ["ce_dataschema", "urn:bench:went"],
]

_FILL = """
INSERT INTO chassis.outbox (traffic_class, id, topic, record_key, headers, body)
SELECT 'bulk', id, $1, convert_to(id::text, 'UTF8'), $2,
    convert_to(json_build_object('thing_id', id, 'other_ids', array[gen_random_uuid(), gen_random_uuid()],
        'state', 'assigned', 'explanation', 'By the postcode sector: 12 of 20 postcodes like this one lie in ' || n,
        'due_at', now() + n * interval '1 second')::text, 'UTF8')
FROM (SELECT n, gen_random_uuid() AS id FROM generate_series(1, $3::int) AS n) AS rows
"""
