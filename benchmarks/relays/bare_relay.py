"""By hand: select what is unsent, send a batch a partition, delete."""

from __future__ import annotations

from typing import Any

import asyncpg
from aiokafka.partitioner import DefaultPartitioner

from benchmarks.bare.stage import make_producer, relay_round
from benchmarks.contender import Span, main


async def work(task: dict[str, Any]) -> dict[str, Any]:
    """Send what the outbox holds; measured from behind the first round, when all is connected."""
    connection = await asyncpg.connect(task["dsn"])
    producer = make_producer(task["kafka"])
    await producer.start()
    partitioner = DefaultPartitioner()
    span = Span(task["count"] - await relay_round(connection, producer, partitioner))
    span.begin()
    while not span.finished.is_set():
        span.done(await relay_round(connection, producer, partitioner))
    await producer.stop()
    return span.figures()


if __name__ == "__main__":
    main(work)
