"""Reconciles once, or on a schedule with metrics and a log line for each culprit."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Mapping
from typing import Any

from msgspec import Struct
from prometheus_client import start_http_server

from bdcan_chassis.clock import Clock
from bdcan_chassis.logs import get_logger
from bdcan_reconcile import metrics
from bdcan_reconcile.check import PATIENCE_SECONDS, CouncilReader, Verdict, reconcile
from bdcan_reconcile.culprits import KINDS
from bdcan_reconcile.positions import Positions
from bdcan_reconcile.reading import Databases, UnreadableError

log = get_logger(__name__)

_LOGGED = 100
"""Culprits that one round writes to the log at most; `bdcan reconcile` lists all."""


class Watched(Struct, frozen=True):
    """The system that is reconciled. `council`: reads its cases; None where it does not let us."""

    databases: Mapping[str, str]
    kafka: Mapping[str, Any]
    clock: Clock
    council: CouncilReader | None = None


async def look(watched: Watched, patience_seconds: float = PATIENCE_SECONDS) -> Verdict:
    """Reconcile now. Raises UnreadableError."""
    async with (
        Databases(watched.databases, watched.clock) as databases,
        Positions(watched.kafka) as positions,
    ):
        return await reconcile(databases, positions, watched.council, patience_seconds)


async def watch(watched: Watched, every_seconds: float, host: str, port: int) -> int:
    """Reconcile every so many seconds until SIGTERM or SIGINT, and serve /metrics; returns the exit code.

    A round that cannot read something leaves the figures as they were: their time says how old they are.
    """
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    server, thread = start_http_server(port, host)
    try:
        while not stopping.is_set():
            began = time.monotonic()
            try:
                report(await look(watched))
            except UnreadableError as error:
                metrics.FAILURES.inc()
                log.warning("reconcile.unreadable", why=str(error))
            left = max(1.0, every_seconds - (time.monotonic() - began))
            try:
                await asyncio.wait_for(stopping.wait(), left)
            except TimeoutError:
                continue
    finally:
        server.shutdown()
        thread.join()
    return 0


def report(verdict: Verdict) -> None:
    """Tell Prometheus and the log what a reconciliation found."""
    by_kind = verdict.by_kind
    for kind in KINDS:
        metrics.CULPRITS.labels(kind).set(by_kind[kind])
    metrics.OPEN_DOUBTS.set(len(verdict.open_doubts))
    metrics.REFERRALS.set(verdict.counts["referrals"])
    metrics.SECONDS.set(verdict.seconds)
    metrics.AT.set_to_current_time()
    for culprit in verdict.culprits[:_LOGGED]:
        log.error(
            "reconcile.culprit",
            kind=culprit.kind,
            referral_id=str(culprit.referral_id),
            about=culprit.about,
            says=culprit.says,
            repair=culprit.repair,
        )
    log.info(
        "reconcile.done",
        culprits=len(verdict.culprits),
        open_doubts=len(verdict.open_doubts),
        seconds=round(verdict.seconds, 2),
    )
