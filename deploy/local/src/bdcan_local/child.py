"""One operating-system process under the guardian's eye: started, logged to a file, stopped in time.

It leads a process group of its own, unless it was given the terminal.
"""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from bdcan_chassis.signals import held_back
from bdcan_local.errors import MachineError
from bdcan_local.guardian import Guardian

POLL_SECONDS = 0.05
PRIVATE = 0o077
"""The umask of all that runs here: what is written is about people, and nobody else on the machine reads it."""


@dataclass(frozen=True)
class Command:
    """What to run. `user` is a user id to switch to (only root may), None to stay who we are.

    `listens`: the program lets signals in when it can handle them (`bdcan_chassis.signals.listen`). Earlier ones wait.
    """

    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    directory: Path | None = None
    user: int | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    listens: bool = False


class Child:
    """A running process. Its output is appended to `log`; without one it has the runner's terminal, with its Ctrl-C."""

    def __init__(self, command: Command, log: Path | None, guardian: Guardian) -> None:
        self._command = command
        self._guardian = guardian
        self._leads_group = log is not None
        if log is None:
            self._process = self._spawn(None)
        else:
            log.parent.mkdir(parents=True, exist_ok=True)
            with log.open("ab") as output:
                self._process = self._spawn(output)
        guardian.watch(self._process.pid, command.stop_signal)

    def _spawn(self, output: BinaryIO | None) -> subprocess.Popen[Any]:
        command = self._command
        with held_back() if command.listens else nullcontext():
            return self._popen(command, output)

    def _popen(self, command: Command, output: BinaryIO | None) -> subprocess.Popen[Any]:
        try:
            return subprocess.Popen(  # noqa: S603 - the words are ours
                command.argv,
                stdin=subprocess.DEVNULL if output else None,
                stdout=output,
                stderr=subprocess.STDOUT if output else None,
                env=self._guardian.mark(command.environment),
                cwd=command.directory,
                # a Ctrl-C in the terminal goes to the runner alone, which stops children in its own order
                start_new_session=self._leads_group,
                umask=PRIVATE,
                **_identity(command.user),
            )
        except OSError as error:
            raise MachineError(
                f"{command.argv[0]} cannot be started: {error.strerror}",
                "Install again with `make clean` and `make demo`.",
            ) from error

    @property
    def pid(self) -> int:
        """Process id, also of its group."""
        return self._process.pid

    def exit_code(self) -> int | None:
        """None while it runs; negative for a signal."""
        code = self._process.poll()
        if code is not None:
            self._guardian.forget(self.pid)
        return code

    async def ended_within(self, seconds: float) -> bool:
        """Waits, at most so long, until it has ended."""
        end = time.monotonic() + seconds
        while True:
            if self.exit_code() is not None:
                return True
            if time.monotonic() > end:
                return False
            await asyncio.sleep(POLL_SECONDS)

    def ask_to_stop(self, stop_signal: signal.Signals | None = None) -> None:
        """Sends the stop signal and returns at once."""
        if self.exit_code() is None:
            with suppress(ProcessLookupError):
                self._process.send_signal(stop_signal or self._command.stop_signal)

    def kill(self) -> None:
        """SIGKILL, to the whole group if it has one of its own."""
        with suppress(ProcessLookupError, PermissionError):
            if self._leads_group:
                os.killpg(self.pid, signal.SIGKILL)
            else:
                self._process.kill()

    def stop(self, limit_seconds: float, stop_signal: signal.Signals | None = None) -> int:
        """Asks, waits for at most the limit, then kills. Returns the exit code."""
        self.ask_to_stop(stop_signal)
        end = time.monotonic() + limit_seconds
        while self.exit_code() is None and time.monotonic() < end:
            time.sleep(POLL_SECONDS)
        self.kill()
        self._process.wait()
        code = self.exit_code()
        return 0 if code is None else code


def _identity(user: int | None) -> dict[str, Any]:
    if user is None:
        return {}
    return {"user": user, "group": user, "extra_groups": []}
