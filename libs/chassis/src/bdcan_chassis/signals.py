"""Signals, from the first line of a process to its exit code: SIGTERM and SIGINT ask it to stop, at any moment and more than once.

Until the event loop runs, a signal ends the process at once with exit code 0: it holds nothing yet. From then on a signal
sets an event, and every part finishes the batch in hand, commits and leaves. When all have left, signals are ignored.

Nobody can catch a signal while Python itself starts. A starter that must not hit that moment starts the process with both
signals blocked (`held_back`): they arrive as soon as somebody listens.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # a signal may come while asyncio is imported
    import asyncio

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def exit_when_told() -> None:
    """Let SIGTERM and SIGINT end the process at once, with exit code 0."""
    # not SystemExit: whatever runs just now could swallow it
    handle(lambda: os._exit(0))
    listen()


def handle(receive: Callable[[], object]) -> None:
    """Call `receive` for each SIGTERM and SIGINT from now on.

    An event loop's own handlers are not used: it takes them away when it closes, before the process has ended.
    """
    for number in _SIGNALS:
        signal.signal(number, lambda *_: receive())


def ignore() -> None:
    """Ignore SIGTERM and SIGINT: the process is ending."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def listen() -> None:
    """Let the signals in that the starter held back."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)


@contextmanager
def held_back() -> Iterator[None]:
    """What is started inside gets no SIGTERM and no SIGINT until it listens: for processes that call `listen` only."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def run(work: Callable[[asyncio.Event], Coroutine[Any, Any, int]]) -> int:
    """Run `work`, on uvloop where there is one. A signal sets the event that `work` gets. Returns its exit code."""
    import asyncio

    async def signalled() -> int:
        stopping, loop = asyncio.Event(), asyncio.get_running_loop()
        handle(lambda: loop.call_soon_threadsafe(stopping.set))
        try:
            return await work(stopping)
        finally:
            ignore()

    try:
        import uvloop
    except ImportError:  # not on every platform
        return asyncio.run(signalled())
    return uvloop.run(signalled())
