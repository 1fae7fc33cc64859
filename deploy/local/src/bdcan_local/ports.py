"""Port numbers on the loopback interface: the usual ones when free, others when taken, remembered by the caller.

A port that nobody listens on yet may belong to another platform that starts just now. Each platform therefore holds its
ports by locks on files (`Held`), from the choice to its end.
"""

import fcntl
import os
import random
import socket
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from bdcan_local.errors import InUseError

LOOPBACK = "127.0.0.1"
# Below what Linux and macOS give to outgoing connections. From within that range a client that keeps trying while its
# server restarts may take the server's port, or even connect to itself.
_RANGE = range(20_000, 30_000)
_TRIES = 1000


def is_free(port: int) -> bool:
    """Whether nothing listens on the port of the loopback interface."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


class Held:
    """The ports that this process has chosen. No other platform of this user takes them while it lives."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or Path(tempfile.gettempdir(), f"bdcan-ports-{os.getuid()}")
        self._locks: dict[int, int] = {}

    def take(self, port: int) -> bool:
        """Hold a port; False if a program listens on it, or another platform holds it."""
        if not is_free(port):
            return False
        if port in self._locks:
            return True
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(self._folder / str(port), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            return False
        self._locks[port] = lock
        return True

    def let_go(self) -> None:
        """Hold none any more."""
        while self._locks:
            os.close(self._locks.popitem()[1])


def free_ports(count: int, taken: Iterable[int] = (), take: Callable[[int], bool] = is_free) -> list[int]:
    """As many different ports that nothing uses now, none of them in `taken`. Raises InUseError when none is left."""
    found: list[int] = []
    avoid = set(taken)
    for port in random.sample(_RANGE, _TRIES):
        if len(found) == count:
            return found
        if port not in avoid and take(port):
            found.append(port)
    raise InUseError("there are not enough free ports", "Stop programs that hold many ports.")


def choose_ports(
    usual: Mapping[str, int | None],
    remembered: Mapping[str, int],
    take: Callable[[int], bool] = is_free,
) -> dict[str, int]:
    """A port for each name: the remembered one, else the usual one, each only when free, else any free one.

    A usual port of None asks for a free one right away. `take` says whether a port may be had, and may hold it.
    """
    chosen: dict[str, int] = {}
    for name, port in usual.items():
        for candidate in (remembered.get(name), port):
            if candidate is not None and candidate not in chosen.values() and take(candidate):
                chosen[name] = candidate
                break
        else:
            avoid = {*chosen.values(), *(port for port in usual.values() if port), *remembered.values()}
            chosen[name] = free_ports(1, avoid, take)[0]
    return chosen
