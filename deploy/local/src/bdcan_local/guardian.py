"""Leaves no process behind, even when its owner is killed with -9.

A guardian is a small process of its own that holds a pipe from its owner and a list of the owner's children. While
the owner lives it does nothing. When the pipe closes, for whatever reason, it stops every child that still runs:
first the child's own stop signal, then SIGKILL to the whole process group. This needs nothing but POSIX.

Children also carry a token in their environment: one that was started in the instant before the owner died, and
never made it into the list, is found by that.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from typing import Self
from uuid import uuid4

import psutil

from bdcan_chassis.signals import held_back

TOKEN_VARIABLE = "BDCAN_GUARDIAN_TOKEN"  # noqa: S105 - a name, not a secret
GRACE_SECONDS = 8.0


class Guardian:
    """The owner's end. Used as a context manager; leaving it stops whatever still runs."""

    def __init__(self, grace_seconds: float = GRACE_SECONDS, keep_open: tuple[int, ...] = ()) -> None:
        """Starts it. It inherits the files `keep_open`: a lock among them is held until the last child is gone."""
        self._token = uuid4().hex
        self._grace_seconds = grace_seconds
        self._keep_open = keep_open
        self._watched: dict[int, signal.Signals] = {}
        self._process = self._spawn()

    def _spawn(self) -> subprocess.Popen[str]:
        # its own session: a Ctrl-C in the owner's terminal must not end the guardian before its work
        with held_back():  # it never lets them in: nobody stops it but its owner's end
            return subprocess.Popen(  # noqa: S603 - the words are ours
                [sys.executable, "-m", __name__, self._token, str(self._grace_seconds)],
                stdin=subprocess.PIPE,
                pass_fds=self._keep_open,
                start_new_session=True,
                text=True,
            )

    @property
    def pid(self) -> int:
        """The guardian's own process id."""
        return self._process.pid

    def revive(self) -> None:
        """Starts it again if someone has killed it. Called now and then by an owner that lives long."""
        if self._process.poll() is not None:
            self._process = self._spawn()
            for pid, stop_signal in self._watched.items():
                self._tell(f"watch {pid} {int(stop_signal)}\n")

    def mark(self, environment: Mapping[str, str]) -> dict[str, str]:
        """The environment that a child has to be started with."""
        return {**environment, TOKEN_VARIABLE: self._token}

    def watch(self, pid: int, stop_signal: signal.Signals = signal.SIGTERM) -> None:
        """Takes a child, the leader of its own process group, onto the list."""
        self._watched[pid] = stop_signal
        self._tell(f"watch {pid} {int(stop_signal)}\n")

    def forget(self, pid: int) -> None:
        """Takes a child that has ended off the list."""
        if self._watched.pop(pid, None) is not None:
            self._tell(f"forget {pid} 0\n")

    def close(self) -> None:
        """Stops what still runs, and waits for it."""
        assert self._process.stdin is not None  # noqa: S101 - made with a pipe above
        with suppress(OSError):
            self._process.stdin.close()
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None  # noqa: S101 - made with a pipe above
        with suppress(OSError):  # a dead guardian is seen by `revive`
            self._process.stdin.write(line)
            self._process.stdin.flush()


def main(token: str, grace_seconds: float) -> None:
    """Watches until standard input ends, then stops what is left."""
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    watched: dict[int, tuple[psutil.Process, signal.Signals]] = {}
    for line in sys.stdin:
        verb, pid, number = line.split()
        if verb == "forget":
            watched.pop(int(pid), None)
            continue
        with suppress(psutil.NoSuchProcess):
            # psutil remembers the start time, so that a pid used again is never signalled
            watched[int(pid)] = (psutil.Process(int(pid)), signal.Signals(int(number)))
    _stop(token, watched, grace_seconds)


def _stop(
    token: str, watched: dict[int, tuple[psutil.Process, signal.Signals]], grace_seconds: float
) -> None:
    for process in _marked(token):
        watched.setdefault(process.pid, (process, signal.SIGTERM))
    for process, stop_signal in watched.values():
        with suppress(psutil.Error):
            process.send_signal(stop_signal)
    processes = [process for process, _ in watched.values()]
    _, alive = psutil.wait_procs(processes, timeout=grace_seconds)
    # what a child had started itself may outlive it in its group
    for process in processes:
        if process in alive or not psutil.pid_exists(process.pid):
            with suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)
    for process in alive:
        with suppress(psutil.Error):
            process.kill()
    for process in _marked(token):
        with suppress(psutil.Error):
            process.kill()


def _marked(token: str) -> list[psutil.Process]:
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and process.environ().get(TOKEN_VARIABLE) == token:
                found.append(process)
    return found


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
