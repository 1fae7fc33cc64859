"""Small processes for a supervisor, and waiting for a condition."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from pathlib import Path

from bdcan_local.child import Command
from bdcan_local.supervisor import Unit


def python(code: str) -> Command:
    return Command((sys.executable, "-c", code))


def unit(name: str, code: str, directory: Path, stop_seconds: float = 5) -> Unit:
    """A process that counts as ready once it has written a file of its name."""
    mark = directory / f"{name}.ready"

    async def is_ready() -> bool:
        return mark.exists()

    return Unit(
        name, python(f"open({str(mark)!r}, 'w').close()\n{code}"), is_ready, stop_seconds=stop_seconds
    )


async def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "not within its time limit"
        await asyncio.sleep(0.02)
