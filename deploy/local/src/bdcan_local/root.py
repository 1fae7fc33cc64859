"""The directory that one running system owns: its lock, its remembered ports, its state for other commands.

run/lock            held while a runner (or the guardian that cleans up after it) lives; contains the runner's pid
run/ports.json      ports, kept over restarts
run/state.json      what runs; for `bdcan status`
run/drained/        a note for each process that was drained
run/endpoints.json  where everything is; for the simulator
logs/               a file for each process
secrets/, data/     passwords and keys; databases and logs of Kafka
"""

import fcntl
import json
import os
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from bdcan_local.child import PRIVATE
from bdcan_local.errors import InUseError, MachineError

OTHERS = 0o066
"""The rights of group and others to read and to write."""

NEEDED_BYTES = 500 * 1024 * 1024
_CLEANUP_SECONDS = 30.0


class Root:
    """The paths under one root directory, and its lock."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory.resolve()
        self.run = self.directory / "run"
        self.logs = self.directory / "logs"
        self.data = self.directory / "data"
        self.secrets = self.directory / "secrets"
        self.endpoints = self.run / "endpoints.json"
        self.state = self.run / "state.json"
        self._ports = self.run / "ports.json"
        self._lock: int | None = None

    def lock(self) -> int:
        """Takes the directory, and returns the descriptor of the lock. It is released when its last holder ends.

        Raises:
            InUseError: a runner uses the directory.
            MachineError: the directory cannot be made.
        """
        try:
            os.umask(PRIVATE)
            self.run.mkdir(parents=True, exist_ok=True)
            self._close_to_others()
            self._lock = os.open(self.run / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise MachineError(
                f"{self.directory} cannot be used: {error.strerror}", "Name another directory with --root."
            ) from error
        end = time.monotonic() + _CLEANUP_SECONDS
        while not self._try_lock(self._lock):
            owner = self.owner()
            if (owner is not None and _is_alive(owner)) or time.monotonic() > end:
                os.close(self._lock)
                raise InUseError(
                    f"{self.directory} is in use by another runner (process {owner})",
                    "Stop it with `.venv/bin/bdcan down --root ...`, or name another directory with --root.",
                )
            time.sleep(0.1)  # the guardian of a killed runner is still stopping its processes
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, str(os.getpid()).encode(), 0)
        return self._lock

    def owner(self) -> int | None:
        """Process id of the runner that holds the lock, or held it last."""
        with suppress(OSError, ValueError):
            return int((self.run / "lock").read_text(encoding="utf-8"))
        return None

    def is_locked(self) -> bool:
        """Whether a runner, or the guardian of a killed one, is at work here."""
        try:
            probe = os.open(self.run / "lock", os.O_RDWR)
        except OSError:
            return False
        try:
            return not self._try_lock(probe)
        finally:
            os.close(probe)

    def wipe(self) -> None:
        """Removes all data, secrets and logs, but not the lock, which must be held."""
        for folder in (self.data, self.logs, self.secrets):
            shutil.rmtree(folder, ignore_errors=True)
        for file in (self.state, self.endpoints):
            file.unlink(missing_ok=True)

    def check_space(self, needed_bytes: int = NEEDED_BYTES) -> None:
        """Raises MachineError when the disk has less room than the databases will want."""
        free = shutil.disk_usage(self.directory).free
        if free < needed_bytes:
            raise MachineError(
                f"only {free // 2**20} MB are free at {self.directory}, and {needed_bytes // 2**20} MB are needed",
                "Free some space, or name a directory on another disk with --root.",
            )

    def remembered_ports(self) -> dict[str, int]:
        """The ports of the last start."""
        return read_json(self._ports) or {}

    def remember_ports(self, ports: Mapping[str, int]) -> None:
        """Keeps them for the next start."""
        write_json(self._ports, ports)

    def _close_to_others(self) -> None:
        """Takes away what an earlier release, or a wider umask, let others read. Passing through a folder is no reading."""
        self.directory.chmod(self.directory.stat().st_mode & ~OTHERS)
        for folder in (self.run, self.logs, self.data, self.secrets):
            for path in (folder, *folder.rglob("*")):
                with suppress(FileNotFoundError):
                    if (mode := path.lstat().st_mode) & OTHERS and not path.is_symlink():
                        path.chmod(mode & ~OTHERS)

    @staticmethod
    def _try_lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True


def read_json(path: Path) -> Any:
    """The content of a JSON file, or None if there is none."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def write_json(path: Path, content: object) -> None:
    """Replaces a file in one step, so that no reader sees half of it. Readable by its owner alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".new")
    fresh.touch(mode=0o600)
    fresh.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    fresh.replace(path)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
