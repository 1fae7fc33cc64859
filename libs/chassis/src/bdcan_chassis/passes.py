"""Planners and gateways: work that looks at many rows at once, or calls the world outside.

A *planner* pass is one transaction under an advisory lock. It works on sets, and runs once at a time in its service. A
*gateway* pass opens its own transactions, because none may stay open while the world outside answers. A pass runs when
somebody wakes it (`tx.wake(name)`) and at least every `interval`. While passes make progress, the next one follows. After
a pass that moved few things the worker rests, so that the next pass finds more. Many wakes then cause one expensive pass,
not a hundred. The first pass of a burst never waits.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeAlias

from bdcan_chassis import metrics
from bdcan_chassis.database import backoff_seconds, rest, wait, wait_for_either
from bdcan_chassis.logs import get_logger
from bdcan_chassis.pauses import NOTHING_PAUSED, Pauses
from bdcan_chassis.tracing import working
from bdcan_chassis.transaction import Transactions, Tx
from bdcan_chassis.wake import Wakes

log = get_logger(__name__)

_FEW = 50  # a pass that moved fewer things is mostly overhead
_REST_SECONDS = 0.2

PlannerPass: TypeAlias = Callable[[Tx], Awaitable[int]]
"""Plans once and returns how many things it moved on."""

GatewayPass: TypeAlias = Callable[[Transactions], Awaitable[int]]
"""Talks to the outside once and returns how many things it moved on."""


@dataclass(frozen=True, slots=True)
class Planner:
    """A pass over many rows in one transaction. `interval` is real time."""

    name: str
    plan: PlannerPass
    interval: timedelta = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Gateway:
    """A pass that calls outside systems. `interval` is real time."""

    name: str
    call: GatewayPass
    interval: timedelta = timedelta(seconds=5)


async def run_pass(
    work: Planner | Gateway,
    transactions: Transactions,
    wakes: Wakes,
    stopping: asyncio.Event,
    pauses: Pauses = NOTHING_PAUSED,
) -> None:
    """Repeat a pass until `stopping`. A failed pass is logged, counted and retried: its work is still there."""
    wake, gate = wakes.of(f"pass:{work.name}"), pauses.of(f"pass:{work.name}")
    failures = 0
    metrics.PASS_INTERVAL.labels(work.name).set(work.interval.total_seconds())
    metrics.PASS_ENDED.labels(work.name).set_to_current_time()
    metrics.PASS_FAILURES.labels(work.name)
    while not stopping.is_set():
        if gate.closed:
            await gate.opened(stopping)
            continue
        wake.clear()
        started = time.perf_counter()
        try:
            changes, exemplar = await pass_once(work, transactions)
        except Exception as error:  # rolled back as a whole; the next pass finds the same work
            failures += 1
            metrics.PASS_FAILURES.labels(work.name).inc()
            log.warning("pass.failed", work=work.name, attempt=failures, exc_info=error)
            await wait(stopping, backoff_seconds(failures, most=30))
            continue
        failures = 0
        took = time.perf_counter() - started
        metrics.PASS_SECONDS.labels(work.name).observe(took, exemplar)
        metrics.PASS_CHANGES.labels(work.name).inc(changes)
        metrics.PASS_ENDED.labels(work.name).set_to_current_time()
        if changes:
            await wait(stopping, _REST_SECONDS if changes < _FEW else 0)
        else:
            await rest(stopping, took, most=1)
            await wait_for_either(wake, stopping, work.interval.total_seconds())


async def pass_once(work: Planner | Gateway, transactions: Transactions) -> tuple[int, dict[str, str] | None]:
    """One pass; returns how many things it moved on, and a trace of it for the histogram."""
    with working(transactions.tracer, f"pass {work.name}") as unit:
        changes = await (
            plan_once(work, transactions) if isinstance(work, Planner) else work.call(transactions)
        )
    return changes, unit and unit.exemplar


async def plan_once(planner: Planner, transactions: Transactions) -> int:
    """One planner pass under its lock. Also returns 0 when another process runs this planner."""
    async with transactions.begin() as tx:
        if not await tx.connection.fetchval(_LOCK, f"bdcan.{transactions.service}.planner.{planner.name}"):
            return 0
        return await planner.plan(tx)


_LOCK = "SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0))"
