"""When every process that a fault hurt counts as ready again."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, cast

import pytest

from . import watch
from .system import Injured


class InTurn:
    """Of its processes one is ready at a time, each in its turn."""

    def __init__(self, *turns: str) -> None:
        self._turns: Iterator[str] = iter(turns)

    async def ready_ones(self, names: Collection[str]) -> set[str]:
        return {next(self._turns, "")} & set(names)


async def recovered(system: Any) -> float | None:
    return await watch.recovered(cast("Injured", system), ["kafka", "intake-api", "routing-worker"])


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "_LOOK_SECONDS", 0)
    monkeypatch.setattr(watch, "RECOVERY_SECONDS", 0.3)


async def test_processes_ready_one_after_the_other_are_all_back() -> None:
    assert await recovered(InTurn("kafka", "kafka", "intake-api", "routing-worker")) is not None


async def test_process_that_was_never_ready_is_not_back() -> None:
    assert await recovered(InTurn("kafka", "routing-worker", "kafka", "routing-worker")) is None
