"""The watchdog: lag without progress ends the process; a known state does not."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError
from waiting import until_true

from bdcan_chassis.consumer import Progress
from bdcan_chassis.worker import StuckError, consumer_check, watch

PLACE = TopicPartition("numbers", 0)


@dataclass
class Scripted:
    """A loop whose position and end are what the test says."""

    position: int = 0
    end: int = 10
    step: int = 0
    broken: bool = False
    name: str = "numbers"
    asked: int = 0
    progress: Progress = field(default_factory=lambda: Progress("running"))

    async def lag(self) -> dict[TopicPartition, tuple[int, int]]:
        self.asked += 1
        self.position += self.step
        if self.broken:
            raise KafkaConnectionError("the broker is away")
        return {PLACE: (self.position, self.end)}


async def watched(*loops: Scripted, rounds: int = 12) -> None:
    """Watch with a patience of three rounds, until all loops have had their rounds or one is found stuck."""
    stopping = asyncio.Event()
    task = asyncio.create_task(watch(list(loops), 0.06, stopping))  # type: ignore[arg-type] # a script stands for the consumer
    started = time.monotonic()

    def over() -> Any:
        return task.done() or all(x.asked >= rounds or time.monotonic() - started > 0.5 for x in loops)

    await until_true(over)
    stopping.set()
    await task


async def test_lag_without_progress_is_stuck_and_says_where() -> None:
    with pytest.raises(StuckError, match="consumer numbers is at 3 of 10 in partition 0"):
        await watched(Scripted(position=3))


async def test_progress_or_no_lag_is_healthy() -> None:
    await watched(Scripted(step=1, end=10_000), Scripted(position=10, end=10, name="idle"))


async def test_stuck_loop_beside_a_healthy_one_is_found() -> None:
    with pytest.raises(StuckError, match="consumer other"):
        await watched(Scripted(step=1, end=10_000), Scripted(name="other"))


@pytest.mark.parametrize("state", ["blocked", "stopped", "starting"])
async def test_loop_with_a_known_reason_for_lag_is_not_stuck(state: str) -> None:
    loop = Scripted(progress=Progress(state))
    await watched(loop)
    assert loop.asked > 3, "its lag is measured all the same"


async def test_unreachable_broker_is_no_evidence() -> None:
    await watched(Scripted(broken=True))


async def test_loop_that_resumes_starts_with_full_patience() -> None:
    loop = Scripted()
    stopping = asyncio.Event()
    task = asyncio.create_task(watch([loop], 0.15, stopping))  # type: ignore[list-item]
    await until_true(lambda: loop.asked >= 2)
    loop.progress.state = "blocked"
    blocked_at = time.monotonic()
    await until_true(lambda: time.monotonic() - blocked_at > 0.3)
    assert not task.done()
    asked, loop.progress.state, loop.step = loop.asked, "running", 1
    await until_true(lambda: loop.asked > asked + 1)
    assert not task.done()
    stopping.set()
    await task


async def test_loop_that_stops_polling_is_stuck_even_without_lag() -> None:
    loop = Scripted(position=10, end=10)
    loop.progress.polled_at -= 91
    with pytest.raises(StuckError, match="has not polled for 91 s"):
        await watched(loop)


async def test_only_a_running_loop_is_ready() -> None:
    loop = Scripted()
    assert await consumer_check(loop)() is None  # type: ignore[arg-type] # a script stands for the consumer
    loop.progress = Progress("blocked", detail="ConnectionRefusedError")
    assert await consumer_check(loop)() == "blocked: ConnectionRefusedError"  # type: ignore[arg-type] # a script stands for the consumer
