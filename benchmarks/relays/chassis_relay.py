"""The chassis's relay, as a worker runs it for one traffic class."""

from __future__ import annotations

import asyncio
from typing import Any

from prometheus_client import REGISTRY

from bdcan_chassis.heap import settle_heap
from bdcan_chassis.logs import configure_logging
from bdcan_chassis.relay import Relay
from bdcan_chassis.wake import Wakes
from benchmarks.contender import Span, main
from benchmarks.loops.chassis_loop import service_settings

_LOOK_SECONDS = 0.001


async def work(task: dict[str, Any]) -> dict[str, Any]:
    """Send what the outbox holds; measured from behind the first round, when all is connected."""
    configure_logging("bench", "relay", "ERROR", ())
    settle_heap()  # as every worker does when it starts
    stopping = asyncio.Event()
    relay = Relay("bulk", "bench", service_settings(task["dsn"], task["kafka"]), Wakes())
    running = asyncio.create_task(relay.run(stopping))
    while not (first := _sent()):  # noqa: ASYNC110 # the relay has no event for us
        await asyncio.sleep(_LOOK_SECONDS)
    span = Span(task["count"] - first)
    span.begin()
    while not span.finished.is_set():
        await asyncio.sleep(_LOOK_SECONDS)
        if new := _sent() - first - span.count:
            span.done(new)
    stopping.set()
    await running
    return span.figures()


def _sent() -> int:
    return int(REGISTRY.get_sample_value("bdcan_relay_events_total", {"traffic_class": "bulk"}) or 0)


if __name__ == "__main__":
    main(work)
