"""By hand: read a topic to its end, as any reader of it does."""

from __future__ import annotations

from typing import Any

from aiokafka import AIOKafkaConsumer

from benchmarks.contender import Span, main


async def work(task: dict[str, Any]) -> dict[str, Any]:
    """Read so many records; measured from behind the first fetch."""
    consumer = AIOKafkaConsumer(task["topic"], auto_offset_reset="earliest", **task["kafka"])
    await consumer.start()
    await consumer.getone()
    span = Span(task["count"] - 1)
    span.begin()
    while not span.finished.is_set():
        polled = await consumer.getmany(timeout_ms=500)
        span.done(sum(map(len, polled.values())))
    await consumer.stop()
    return span.figures()


if __name__ == "__main__":
    main(work)
