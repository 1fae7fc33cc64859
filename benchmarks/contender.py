"""A contender runs in a process of its own: it reads its task as JSON from standard input and prints what it measured."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any

from bdcan_local.child import Command
from bdcan_local.guardian import Guardian

_LIMIT_SECONDS = 300


class Span:
    """From the first piece of work in hand to the last one committed."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.count = 0
        self.finished = asyncio.Event()
        self._started: tuple[float, float] | None = None
        self._ended = (0.0, 0.0)

    def begin(self) -> None:
        """Work is in hand. Counts the first time only."""
        if self._started is None:
            self._started = (time.perf_counter(), _cpu())

    def done(self, count: int) -> None:
        """So much has been committed."""
        self.count += count
        self._ended = (time.perf_counter(), _cpu())
        if self.count >= self.total:
            self.finished.set()

    def figures(self) -> dict[str, float]:
        """Pieces per second, and microseconds of processor time for one."""
        if self._started is None:
            raise RuntimeError("nothing was measured")
        seconds, cpu = (end - start for start, end in zip(self._started, self._ended, strict=True))
        return {"per_second": self.count / seconds, "cpu_us": cpu * 1e6 / self.count, "count": self.count}


def main(work: Callable[[dict[str, Any]], Coroutine[Any, Any, dict[str, Any]]]) -> None:
    """A contender's whole program."""
    import uvloop

    task = json.loads(sys.stdin.read())

    async def run() -> None:
        async with asyncio.timeout(_LIMIT_SECONDS):
            print(json.dumps(await work(task)), flush=True)
        os._exit(0)  # a framework's farewell is not measured, and may take its time

    uvloop.run(run())


async def run(
    guardian: Guardian, module: str, task: dict[str, Any], arguments: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Run a contender to its end; returns what it measured."""
    process = await start(guardian, module, task, arguments)
    printed, _ = await process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"{module} ended with {process.returncode}")
    return json.loads(next(line for line in printed.splitlines() if line.startswith(b"{")))


async def start(
    guardian: Guardian, module: str, task: dict[str, Any], arguments: tuple[str, ...] = ()
) -> asyncio.subprocess.Process:
    """Start a contender."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=guardian.mark(dict(os.environ)),
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(task).encode())
    process.stdin.close()
    return process


def command(module: str, environment: dict[str, str]) -> Command:
    """How the supervisor starts a contender that stays: its task comes by the environment."""
    return Command((sys.executable, "-m", module), environment)


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
