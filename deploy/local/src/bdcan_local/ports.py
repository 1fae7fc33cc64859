"""Port numbers on the loopback interface: the usual ones when free, others when taken, remembered by the caller."""

import socket
from collections.abc import Iterable

LOOPBACK = "127.0.0.1"


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
    """As many different ports that nothing uses now, none of them in `taken`."""
    found: list[int] = []
    avoid = set(taken)
    held: list[socket.socket] = []
    try:
        while len(found) < count:
            probe = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            held.append(probe)  # held until all are found, or the same one would come again
            probe.bind((LOOPBACK, 0))
            port = probe.getsockname()[1]
            if port not in avoid:
                found.append(port)
    finally:
        for probe in held:
            probe.close()
    return found
