"""Port numbers on the loopback interface: the usual ones when free, others when taken, remembered by the caller."""

import random
import socket
from collections.abc import Iterable, Mapping

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


def free_ports(count: int, taken: Iterable[int] = ()) -> list[int]:
    """As many different ports that nothing uses now, none of them in `taken`. Raises InUseError when none is left."""
    found: list[int] = []
    avoid = set(taken)
    for port in random.sample(_RANGE, _TRIES):
        if len(found) == count:
            return found
        if port not in avoid and is_free(port):
            found.append(port)
    raise InUseError("there are not enough free ports", "Stop programs that hold many ports.")


def choose_ports(usual: Mapping[str, int | None], remembered: Mapping[str, int]) -> dict[str, int]:
    """A port for each name: the remembered one, else the usual one, each only when free, else any free one.

    A usual port of None asks for a free one right away.
    """
    chosen: dict[str, int] = {}
    for name, port in usual.items():
        for candidate in (remembered.get(name), port):
            if candidate is not None and candidate not in chosen.values() and is_free(candidate):
                chosen[name] = candidate
                break
        else:
            avoid = {*chosen.values(), *(port for port in usual.values() if port), *remembered.values()}
            chosen[name] = free_ports(1, avoid)[0]
    return chosen
