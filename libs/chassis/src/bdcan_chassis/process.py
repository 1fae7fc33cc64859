"""An API or a worker from its first line to its exit code: SIGTERM and SIGINT ask it to stop, at any moment.

Until the event loop runs, a signal ends the process at once with exit code 0: it holds nothing yet. From then on a signal
sets an event, and every part finishes the batch in hand, commits and leaves.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable, Coroutine
from importlib import import_module
from typing import Any

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_SERVERS = {"api", "worker"}
"""Verbs that run until somebody stops them. Any other verb that is interrupted has failed."""


def run_service(app: str, arguments: list[str] | None = None) -> int:
    """Run one command of the service that `build()` of this module makes; returns the exit code.

    The caller gives the module's name and does not import it: the imports take a second, and a signal may come in that second.
    """
    given = sys.argv[1:] if arguments is None else arguments
    if _SERVERS.intersection(given[:1]):
        exit_when_told()
    from bdcan_chassis.cli import main

    return main(import_module(app).build, given)


def exit_when_told() -> None:
    """Let SIGTERM and SIGINT end the process at once, with exit code 0."""
    for number in _SIGNALS:
        signal.signal(number, lambda *_: sys.exit(0))


def run(work: Callable[[asyncio.Event], Coroutine[Any, Any, int]]) -> int:
    """Run `work`, on uvloop where there is one. A signal sets the event that `work` gets. Returns its exit code."""

    async def signalled() -> int:
        stopping = asyncio.Event()
        for number in _SIGNALS:
            asyncio.get_running_loop().add_signal_handler(number, stopping.set)
        return await work(stopping)

    try:
        import uvloop
    except ImportError:  # not on every platform
        return asyncio.run(signalled())
    return uvloop.run(signalled())
