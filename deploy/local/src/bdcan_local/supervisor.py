"""Keeps processes running: started in order, ready before the next, started again when they end, stopped in reverse.

A unit that ends after it was ready is started again for ever, each time after a longer pause, on the same ports and
data. A unit that never gets ready fails the start, with the last lines of its log.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from bdcan_local.child import POLL_SECONDS, Child, Command
from bdcan_local.errors import NotReadyError
from bdcan_local.guardian import Guardian

FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 10.0
_STEADY_SECONDS = 30.0
_READY_POLL_SECONDS = 0.1
_STARTS_BEFORE_READY = 3
_TAIL_LINES = 15
_DRAIN_SECONDS = 60.0
"""A drained process has longer to finish than one that is stopped."""


class State(StrEnum):
    """Where a unit is in its life."""

    STARTING = "starting"
    READY = "ready"
    PAUSING = "restarting"
    STOPPED = "stopped"
    DONE = "done"
    DRAINED = "drained"


@dataclass(frozen=True)
class Unit:
    """One process of the system.

    Attributes:
        name: unique; also the name of its log.
        command: what to run.
        is_ready: asks the process whether it can do its work; None for one that runs once and ends.
        ready_seconds: how long it may take to get ready, or to end if it runs once.
        stop_seconds: how long it may take to stop before it is killed.
        port, url: where it listens, for people.
    """

    name: str
    command: Command
    is_ready: Callable[[], Awaitable[bool]] | None = None
    ready_seconds: float = 60.0
    stop_seconds: float = 15.0
    port: int | None = None
    url: str | None = None


@dataclass
class Status:
    """What the supervisor knows of a unit now."""

    unit: Unit
    state: State = State.STARTING
    pid: int | None = None
    restarts: int = 0
    exit_code: int | None = None


class Supervisor:
    """Runs units under one guardian."""

    def __init__(self, guardian: Guardian, logs: Path) -> None:
        self._guardian = guardian
        self._logs = logs
        self._changed: Callable[[], None] = lambda: None
        self._watchers: dict[str, asyncio.Task[None]] = {}
        self._children: dict[str, Child] = {}
        self.statuses: dict[str, Status] = {}

    def on_change(self, changed: Callable[[], None]) -> None:
        """`changed` is called after every change of a unit's state."""
        self._changed = changed

    def log(self, name: str) -> Path:
        """The log of a unit."""
        return self._logs / f"{name}.log"

    async def start(self, unit: Unit) -> float:
        """Starts a unit and waits until it is ready; returns the seconds that took.

        Raises:
            NotReadyError: it is not ready in time, or ends again and again.
        """
        assert unit.is_ready is not None, unit.name  # noqa: S101 - a one-shot unit is given to run()
        status = self.statuses[unit.name] = Status(unit)
        begun = time.monotonic()
        for attempt in range(_STARTS_BEFORE_READY):
            child = self._spawn(status)
            if await self._wait_until_ready(unit, child, begun + unit.ready_seconds):
                self._set(status, State.READY)
                self._watchers[unit.name] = asyncio.create_task(self._watch(status, child))
                return time.monotonic() - begun
            status.exit_code = child.exit_code()
            await self._end(child, unit.stop_seconds)
            if time.monotonic() - begun > unit.ready_seconds:
                break
            await asyncio.sleep(FIRST_PAUSE_SECONDS * 2**attempt)
        self._set(status, State.STOPPED)
        raise self._failure(
            status, "was not ready in time" if status.exit_code is None else "ended at its start"
        )

    async def start_all(self, units: Iterable[Unit], started: Callable[[Unit, float], None]) -> None:
        """Starts units side by side, and tells of each as it gets ready. Raises the first NotReadyError."""
        await _side_by_side(self.start, units, started)

    async def run_all(self, units: Iterable[Unit], done: Callable[[Unit, float], None]) -> None:
        """Runs units that end by themselves side by side, and tells of each. Raises the first NotReadyError."""
        await _side_by_side(self.run, units, done)

    async def run(self, unit: Unit) -> float:
        """Runs a unit that ends by itself; returns the seconds it took. Raises NotReadyError when it fails."""
        status = self.statuses[unit.name] = Status(unit)
        begun = time.monotonic()
        child = self._spawn(status)
        await child.ended_within(unit.ready_seconds)
        status.exit_code = child.exit_code()
        await self._end(child, unit.stop_seconds)
        self._set(status, State.DONE if status.exit_code == 0 else State.STOPPED)
        if status.exit_code != 0:
            raise self._failure(status, "took too long" if status.exit_code is None else "failed")
        return time.monotonic() - begun

    async def stop(self, names: Iterable[str]) -> None:
        """Stops units side by side; those that run no more are passed over."""

        async def one(name: str) -> None:
            await self._unwatch(name)
            child = self._children.get(name)
            if child is not None:
                await self._end(child, self.statuses[name].unit.stop_seconds)
                if self.statuses[name].state is not State.DONE:
                    self._set(self.statuses[name], State.STOPPED)

        await asyncio.gather(*(one(name) for name in names))

    async def drain(self, name: str) -> None:
        """Ends a unit, which has time to finish what it has in hand, and does not start it again before `resume`."""
        await self._unwatch(name)
        status = self.statuses[name]
        await self._end(self._children[name], max(_DRAIN_SECONDS, status.unit.stop_seconds))
        self._set(status, State.DRAINED)

    async def resume(self, name: str) -> None:
        """Starts a drained unit, and keeps it running from now on."""
        status = self.statuses[name]
        self._watchers[name] = asyncio.create_task(self._watch(status, self._spawn(status)))

    def _spawn(self, status: Status) -> Child:
        child = Child(status.unit.command, self.log(status.unit.name), self._guardian)
        self._children[status.unit.name] = child
        status.pid = child.pid
        self._set(status, State.STARTING)
        return child

    async def _wait_until_ready(self, unit: Unit, child: Child, end: float) -> bool:
        assert unit.is_ready is not None  # noqa: S101 - seen to by start()
        while child.exit_code() is None and time.monotonic() < end:
            if await unit.is_ready():
                return True
            await asyncio.sleep(_READY_POLL_SECONDS)
        return False

    async def _watch(self, status: Status, child: Child) -> None:
        assert status.unit.is_ready is not None  # noqa: S101 - seen to by start()
        pause = FIRST_PAUSE_SECONDS
        born = time.monotonic()
        while True:
            self._guardian.revive()
            if (code := child.exit_code()) is not None:
                child.kill()  # what it may have left in its group
                if time.monotonic() - born > _STEADY_SECONDS:
                    pause = FIRST_PAUSE_SECONDS
                status.exit_code, status.pid = code, None
                self._set(status, State.PAUSING)
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
                status.restarts += 1
                child, born = self._spawn(status), time.monotonic()
            elif status.state is State.STARTING and await status.unit.is_ready():
                self._set(status, State.READY)
            await asyncio.sleep(POLL_SECONDS)

    async def _unwatch(self, name: str) -> None:
        watcher = self._watchers.pop(name, None)
        if watcher is not None:
            watcher.cancel()
            await asyncio.gather(watcher, return_exceptions=True)

    async def _end(self, child: Child, seconds: float) -> None:
        child.ask_to_stop()
        await child.ended_within(seconds)
        child.stop(0)

    def _set(self, status: Status, state: State) -> None:
        status.state = state
        if state in {State.STOPPED, State.DONE, State.DRAINED}:
            status.pid = None
        self._changed()

    def _failure(self, status: Status, what: str) -> NotReadyError:
        log = self.log(status.unit.name)
        tail = (
            log.read_text(encoding="utf-8", errors="replace").splitlines()[-_TAIL_LINES:]
            if log.exists()
            else []
        )
        code = "" if status.exit_code is None else f" (exit code {status.exit_code})"
        shown = os.path.relpath(log)
        return NotReadyError(
            f"{status.unit.name} {what}{code}. The end of its log:\n"
            + "\n".join(f"    {line}" for line in tail),
            f"Read {shown}, mend it, and start again.",
        )


async def _side_by_side(
    action: Callable[[Unit], Awaitable[float]], units: Iterable[Unit], tell: Callable[[Unit, float], None]
) -> None:
    async def one(unit: Unit) -> None:
        tell(unit, await action(unit))

    tasks = [asyncio.create_task(one(unit)) for unit in units]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
