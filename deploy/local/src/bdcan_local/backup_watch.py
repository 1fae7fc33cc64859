"""`bdcan backup --every`: streams PostgreSQL's log, makes a backup when one is due, removes what is past its time, tells Prometheus."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from pathlib import Path

import asyncpg
from prometheus_client import disable_created_metrics, start_http_server

from bdcan_chassis.logs import get_logger
from bdcan_local import backup_log, metrics
from bdcan_local import backup_manifest as manifests
from bdcan_local.backup import Site, back_up
from bdcan_local.errors import PlatformError

log = get_logger(__name__)

_LOOK_SECONDS = 5.0
_AGAIN_SECONDS = 300.0
_CAUGHT_UP_BYTES = 1 << 20
"""So little is on its way when all is well."""


async def watch(site: Site, directory: Path, every_seconds: float, host: str, port: int) -> int:
    """Work until SIGTERM or SIGINT, and serve /metrics; returns the exit code. A fault is logged, and all is tried again."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    disable_created_metrics()
    server, thread = start_http_server(port, host)
    parts = [
        asyncio.create_task(part)
        for part in (_stream(site, directory), _make(site, directory, every_seconds))
    ]
    try:
        await stopping.wait()
    finally:
        for part in parts:
            part.cancel()
        await asyncio.gather(*parts, return_exceptions=True)
        server.shutdown()
        thread.join()
    return 0


async def _stream(site: Site, directory: Path) -> None:
    """Keep the stream running: it ends with the server."""
    while True:
        try:
            command = await backup_log.stream(site, directory)
        except (OSError, TimeoutError, asyncpg.PostgresError) as error:
            log.warning("backup.log_unreachable", why=type(error).__name__)
        else:
            child = await asyncio.create_subprocess_exec(*command.argv, env=dict(command.environment))
            try:
                log.warning("backup.log_ended", exit_code=await child.wait())
            finally:
                with suppress(ProcessLookupError):
                    child.terminate()
                await child.wait()
        await asyncio.sleep(_LOOK_SECONDS)


async def _make(site: Site, directory: Path, every_seconds: float) -> None:
    """Make a backup when one is due, and look how far the log is."""
    while True:
        pause = _LOOK_SECONDS
        try:
            if await asyncio.to_thread(_age, directory) >= every_seconds:
                await asyncio.to_thread(
                    back_up, site, directory, lambda said: log.info("backup.made", what=said)
                )
                await asyncio.to_thread(_age, directory)
            left = await backup_log.behind(site)
            metrics.LOG_BEHIND.set(left)
            if left < _CAUGHT_UP_BYTES:
                metrics.LOG_AT.set_to_current_time()
        except PlatformError as error:
            metrics.FAILURES.inc()
            log.error("backup.failed", why=error.what, todo=error.todo)
            pause = min(_AGAIN_SECONDS, every_seconds)
        except (OSError, TimeoutError, asyncpg.PostgresError) as error:
            log.warning("backup.log_unreachable", why=type(error).__name__)
        await asyncio.sleep(pause)


def _age(directory: Path) -> float:
    """How many seconds old the newest backup is; tells Prometheus, too."""
    found = manifests.backups(directory)
    newest = found[-1].manifest.ended_at.timestamp() if found else 0.0
    metrics.KEPT.set(len(found))
    metrics.AT.set(newest)
    return manifests.now().timestamp() - newest
