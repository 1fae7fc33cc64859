"""The host waits for all parts of a worker, and a part that dies ends the process."""

from __future__ import annotations

import asyncio

import pytest
from waiting import until_true

from bdcan_chassis.worker import StuckError, host


class Batches:
    """A part that takes one batch after the other; a batch goes on until `finish` is set."""

    def __init__(self) -> None:
        self.finish = asyncio.Event()
        self.begun = self.done = 0

    async def run(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            self.begun += 1
            await self.finish.wait()
            self.done += 1
            await asyncio.sleep(0)


async def die(_: asyncio.Event) -> None:
    raise StuckError("no progress")


async def leave(_: asyncio.Event) -> None:
    return


async def test_a_part_finishes_its_batch_when_the_worker_is_told_to_stop() -> None:
    part, stopping = Batches(), asyncio.Event()
    hosting = asyncio.create_task(host({"loop": part.run}, stopping))
    await until_true(lambda: part.begun)
    stopping.set()
    await asyncio.sleep(0)
    assert not hosting.done()
    part.finish.set()
    assert await hosting == 0
    assert (part.begun, part.done) == (1, 1)


@pytest.mark.parametrize("end", [die, leave])
async def test_a_part_that_ends_by_itself_ends_the_worker_with_code_1(end) -> None:
    part, stopping = Batches(), asyncio.Event()
    hosting = asyncio.create_task(host({"loop": part.run, "other": end}, stopping))
    await until_true(stopping.is_set)
    part.finish.set()
    assert await hosting == 1
    assert part.done == part.begun == 1, "the others finish their batch"


async def test_a_part_that_fails_while_stopping_leaves_the_code_at_0() -> None:
    async def fail_at_the_end(stopping: asyncio.Event) -> None:
        await stopping.wait()
        raise ConnectionError("the broker is away")

    stopping = asyncio.Event()
    stopping.set()
    assert await host({"loop": fail_at_the_end}, stopping) == 0


async def test_a_part_that_does_not_end_in_time_is_cancelled() -> None:
    stopping = asyncio.Event()
    stopping.set()
    part = Batches()
    stuck = asyncio.Event()

    async def hang(_: asyncio.Event) -> None:
        try:
            await part.finish.wait()
        finally:
            stuck.set()

    assert await host({"loop": hang}, stopping, stop_seconds=0.01) == 0
    assert stuck.is_set()
