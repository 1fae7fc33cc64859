"""The worker: one process that hosts a service's consumers, relays, deadlines, planners, gateways and ops port.

On SIGTERM every part finishes its batch, commits and ends. A part that dies ends the process with exit code 1, so that
the supervisor starts it again. The watchdog does the same to a process that has lag and makes no progress.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any

from aiokafka.errors import KafkaError
from fastapi import FastAPI

from bdcan_chassis import metrics
from bdcan_chassis.audit import Watch
from bdcan_chassis.consumer import ConsumerLoop
from bdcan_chassis.database import wait
from bdcan_chassis.deadlines import Deadlines
from bdcan_chassis.dispatch import Dispatcher, ParkLimit
from bdcan_chassis.errors import ChassisError
from bdcan_chassis.heap import settle_heap
from bdcan_chassis.heartbeat import Database, beat, feel_lag
from bdcan_chassis.housekeeping import check_inbox_retention, expect, keep_house
from bdcan_chassis.http.health import Check, database_check, health_router
from bdcan_chassis.http.server import serve
from bdcan_chassis.kafka_heartbeat import Kafka
from bdcan_chassis.logs import get_logger
from bdcan_chassis.passes import Gateway, run_pass
from bdcan_chassis.pauses import REPLAY, Pauses, loops_of
from bdcan_chassis.relay import Relay
from bdcan_chassis.replay import replay_requested
from bdcan_chassis.retention import periods
from bdcan_chassis.service import Service
from bdcan_chassis.signals import run
from bdcan_chassis.transaction import Transactions
from bdcan_chassis.wake import Wakes

log = get_logger(__name__)

Part = Callable[[asyncio.Event], Coroutine[Any, Any, None]]
"""Something that runs until the event is set."""

_CLOSE_SECONDS = 5.0


class StuckError(ChassisError):
    """Lag and no progress: only a restart helps."""


def parts_of(
    service: Service, transactions: Transactions, wakes: Wakes
) -> tuple[dict[str, Part], list[ConsumerLoop]]:
    """All parts that a worker runs, by name, and the consumers among them."""
    settings, pauses = service.settings, Pauses()
    dispatchers = {
        consumer.name: Dispatcher(
            consumer, transactions, ParkLimit(settings.park_in_a_row, settings.park_ratio)
        )
        for consumer in service.consumers
    }
    loops = [ConsumerLoop(dispatcher, settings, service.name, pauses) for dispatcher in dispatchers.values()]
    parts: dict[str, Part] = {f"consumer {loop.name}": loop.run for loop in loops}
    for traffic_class in service.traffic_classes:
        parts[f"relay {traffic_class}"] = Relay(
            traffic_class, service.name, settings, wakes, pauses, transactions.tracer
        ).run
    if service.deadlines:
        parts["deadlines"] = Deadlines(service.deadlines, transactions, settings, wakes, pauses).run
    replay = Gateway(REPLAY, lambda t: replay_requested(dispatchers, t), timedelta(seconds=10))
    for work in (*service.planners, *service.gateways, replay):
        parts[f"pass {work.name}"] = _pass(work, transactions, wakes, pauses)
    dsn = settings.database_url.get_secret_value()
    parts["wakes"] = lambda stopping: wakes.listen(dsn, f"bdcan.{service.name}.listen", stopping)
    parts["housekeeping"] = lambda stopping: keep_house(
        transactions,
        service.samples,
        settings.inbox_retention,
        service.all_kept,
        service.kept_for,
        Watch(settings.shown_per_hour),
        stopping,
        pauses,
    )
    parts["pauses"] = lambda stopping: pauses.follow(
        transactions.pool, wakes, loops_of(service), service.urgent_loops, stopping
    )
    heart = f"bdcan.{service.name}.heartbeat"
    parts["heartbeat"] = lambda stopping: beat(
        Database(settings, heart), Kafka(settings, heart), loops, stopping
    )
    parts["lag"] = feel_lag
    parts["watchdog"] = lambda stopping: watch(loops, settings.stuck_after.total_seconds(), stopping)
    return parts, loops


def _pass(work: Any, transactions: Transactions, wakes: Wakes, pauses: Pauses) -> Part:
    return lambda stopping: run_pass(work, transactions, wakes, stopping, pauses)


async def watch(loops: list[ConsumerLoop], stuck_after: float, stopping: asyncio.Event) -> None:
    """Raise StuckError when a running consumer has had lag and made no progress for `stuck_after` seconds.

    A blocked consumer (its database is away) and a stopped one (it needs an operator) are not stuck. The watchdog asks the
    broker for the end offsets, because a hung fetcher's own figures are no evidence.
    """
    seen: dict[Any, tuple[int, float]] = {}
    while not await wait(stopping, min(10.0, stuck_after / 3)):
        now = time.monotonic()
        for loop in loops:
            running = loop.progress.state == "running"
            if running and now - loop.progress.polled_at > max(stuck_after, 90.0):
                raise StuckError(
                    f"consumer {loop.name} has not polled for {now - loop.progress.polled_at:.0f} s"
                )
            try:
                async with asyncio.timeout(10):
                    lag = await loop.lag()
            except (KafkaError, OSError, TimeoutError):
                lag = {}  # the broker is away: the consumer handles that itself
            if not lag:
                forget_lag(loop)
            if not running:
                seen = {k: v for k, v in seen.items() if k[0] != loop.name}
                continue
            for partition, (position, end) in lag.items():
                last, since = seen.get((loop.name, partition), (-1, now))
                if position != last or position >= end:
                    seen[loop.name, partition] = (position, now)
                elif now - since > stuck_after:
                    raise StuckError(
                        f"consumer {loop.name} is at {position} of {end} in partition {partition.partition}"
                    )


def forget_lag(loop: ConsumerLoop) -> None:
    """Export no lag rather than the last one: nobody knows it now."""
    with suppress(KeyError):
        metrics.LAG.remove(loop.name)


def consumer_check(loop: ConsumerLoop) -> Check:
    """Ready while the consumer is running, or paused on purpose."""

    async def check() -> str | None:
        state = loop.progress.state
        return None if state in {"running", "paused"} else f"{state}: {loop.progress.detail}"

    return check


def run_worker(service: Service) -> int:
    """Run the service's worker until somebody stops it; returns the exit code. Raises ConfigurationError at once."""
    check_inbox_retention(service.consumers, service.settings.inbox_retention)
    periods(service.all_kept, service.settings.retention)
    return run(lambda stopping: _work(service, stopping))


async def _work(service: Service, stopping: asyncio.Event) -> int:
    transactions = await service.open("worker")
    parts, loops = parts_of(service, transactions, Wakes())
    checks = {
        "database": database_check(transactions.pool),
        **{f"consumer {loop.name}": consumer_check(loop) for loop in loops},
    }
    parts["ops"] = lambda stopping: serve_ops(service, checks, stopping)
    expect(service.traffic_classes, service.deadlines, (loop.name for loop in loops))
    settle_heap()
    code = await host(parts, stopping)
    try:
        async with asyncio.timeout(_CLOSE_SECONDS):
            await transactions.pool.close()
    except TimeoutError:
        transactions.pool.terminate()
    if transactions.tracer is not None:
        await transactions.tracer.close()
    log.info("worker.stopped")
    return code


async def host(parts: Mapping[str, Part], stopping: asyncio.Event, stop_seconds: float = 25.0) -> int:
    """Run the parts until `stopping` is set or one of them dies; returns the exit code, 1 if one died.

    Either way every part has `stop_seconds` to finish its batch. Then it is cancelled.
    """
    running = [asyncio.create_task(part(stopping), name=name) for name, part in parts.items()]
    told = asyncio.create_task(stopping.wait())
    log.info("worker.started", parts=sorted(parts))
    ended, _ = await asyncio.wait({told, *running}, return_when=asyncio.FIRST_COMPLETED)
    died = ended - {told} if not stopping.is_set() else set()
    for task in died:
        error = task.exception() or RuntimeError("ended by itself")
        why = str(error) if isinstance(error, ChassisError) else None
        log.critical("worker.part_died", part=task.get_name(), why=why, exc_info=error)
    stopping.set()
    _, late = await asyncio.wait(running, timeout=stop_seconds)
    for task in late:
        log.warning("worker.part_late", part=task.get_name())
        task.cancel()
    for task, result in zip(running, await asyncio.gather(*running, return_exceptions=True), strict=True):
        if isinstance(result, Exception) and task not in died:
            log.warning("worker.part_failed", part=task.get_name(), exc_info=result)
    return 1 if died else 0


async def serve_ops(service: Service, checks: dict[str, Check], stopping: asyncio.Event) -> None:
    """Serve health and metrics on the ops port until `stopping`."""
    app = FastAPI(openapi_url=None, redirect_slashes=False)
    app.include_router(health_router(checks))
    await serve(app, service.settings, service.settings.ops_port, stopping)
