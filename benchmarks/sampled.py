"""Runs a module as `python -m` does, and samples where its processor time goes: `python -m benchmarks.sampled FILE MODULE ...`.

The clock is the process's own processor time, so that what else runs on the machine changes nothing; it works without
root, on Linux and macOS. SIGURG forgets what was sampled so far. The file has a line for each stack with how often it
was seen, as flame graph viewers read it.
"""

from __future__ import annotations

import atexit
import runpy
import signal
import sys
from collections import Counter
from pathlib import Path
from types import FrameType

_INTERVAL_SECONDS = 0.002
_WRITE_EVERY = 200
_IDLE = {"_worker", "wait", "select", "acquire"}


class Sampler:
    """Counts stacks of the main thread, or of another one that is at work while the main thread waits."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._stacks: Counter[str] = Counter()
        self._seen = 0

    def start(self) -> None:
        """Sample until the process ends."""
        signal.signal(signal.SIGPROF, self._sample)
        signal.signal(signal.SIGURG, lambda *_: self._stacks.clear())  # Faust takes SIGUSR1 and 2
        signal.setitimer(signal.ITIMER_PROF, _INTERVAL_SECONDS, _INTERVAL_SECONDS)
        atexit.register(self._write)

    def _sample(self, _number: int, frame: FrameType | None) -> None:
        if frame is None:
            return
        if frame.f_code.co_name in {
            "run",
            "execute_from_commandline",
        }:  # in uvloop itself: who else is at work?
            busy = [f for f in sys._current_frames().values() if f.f_code.co_name not in _IDLE]  # noqa: SLF001
            frame = next((other for other in busy if other is not frame), frame)
        self._stacks[_stack(frame)] += 1
        self._seen += 1
        if self._seen % _WRITE_EVERY == 0:
            self._write()

    def _write(self) -> None:
        # a copy: the next sample may come in between
        text = "".join(f"{stack} {count}\n" for stack, count in self._stacks.copy().items())
        self._file.write_text(text, encoding="utf-8")


def _stack(frame: FrameType | None) -> str:
    names = []
    while frame is not None:
        code = frame.f_code
        names.append(f"{code.co_qualname} ({code.co_filename})")
        frame = frame.f_back
    return ";".join(reversed(names))


def main() -> None:
    """Sample, and run the module."""
    _, file, module, *arguments = sys.argv
    sampler = Sampler(Path(file).resolve())
    sys.argv = [module, *arguments]
    sampler.start()
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
