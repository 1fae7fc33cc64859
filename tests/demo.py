"""The demo as tests play it: its clock, its system, and its people at work."""

from __future__ import annotations

import asyncio
import sys
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bdcan_local import runner
from bdcan_local.root import Root
from bdcan_local.runner import Running
from bdcan_local.settings import read_settings


def clock(speed: float) -> str:
    """The demo's morning begins now, and time runs so many times as fast."""
    return f"scaled:2020-03-23T08:00:00+00:00:{time.time():.3f}:{speed:g}"


@asynccontextmanager
async def system(root: Root, clock: str, *, fresh: bool = True) -> AsyncIterator[Running]:
    """All services, on ports that are free."""
    plan = runner.Plan(clock=clock, fresh=fresh, usual_ports=False)
    async with runner.running(root, read_settings(), plan, print) as running:
        yield running


@asynccontextmanager
async def people(root: Root, referrals: int, *, spread_seconds: float = 0.0) -> AsyncIterator[Process]:
    """People work on the system that runs, until they have finished or the block ends."""
    play = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bdcan_simulator", "demo", "--against", str(root.endpoints)),
        *("--report", str(root.directory / "report.json")),
        *("--referrals", str(referrals), "--spread", str(spread_seconds)),
        env=dict(read_settings().environment),
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        yield play
    finally:
        if play.returncode is None:
            play.terminate()
        await play.wait()
