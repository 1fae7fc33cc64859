"""Live progress: bars where somebody watches, a line every few seconds where nobody does (no terminal, or CI)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bdcan_simulator.play import Stages

STAGES = ("submitted", "received", "assigned", "called", "helped", "closed")

_LINE_EVERY_SECONDS = 5.0


@contextmanager
def shown(console: Console, *, live: bool, expected: int) -> Iterator[Callable[[Stages], None]]:
    """What to call with the stages whenever they were looked at."""
    with _bars(console, expected) if live else _lines(console) as watch:
        yield watch


@contextmanager
def _bars(console: Console, expected: int) -> Iterator[Callable[[Stages], None]]:
    columns = (
        TextColumn("{task.description:>10}"),
        BarColumn(bar_width=50),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        bars = {stage: progress.add_task(stage, total=expected) for stage in STAGES}

        def watch(stages: Stages) -> None:
            for stage, bar in bars.items():
                progress.update(bar, completed=getattr(stages, stage))

        yield watch


@contextmanager
def _lines(console: Console) -> Iterator[Callable[[Stages], None]]:
    began = time.monotonic()
    last_text, last_at = "", float("-inf")

    def text(stages: Stages) -> str:
        return " · ".join(f"{stage} {getattr(stages, stage)}" for stage in STAGES)

    def watch(stages: Stages) -> None:
        nonlocal last_text, last_at
        now, said = time.monotonic(), text(stages)
        if said != last_text and now - last_at >= _LINE_EVERY_SECONDS:
            console.print(f"{now - began:6.0f} s  {said}", highlight=False, soft_wrap=True)
            last_text, last_at = said, now

    yield watch
