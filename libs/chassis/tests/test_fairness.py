"""Long work lets the other tasks of its process run, and loses nothing."""

from __future__ import annotations

import asyncio

from bdcan_chassis.fairness import in_turns


async def test_long_work_lets_other_tasks_run() -> None:
    urgent = asyncio.Event()
    asyncio.get_running_loop().call_soon(urgent.set)
    waited = [item async for item in in_turns(range(1_000_000)) if not urgent.is_set()]
    assert len(waited) < 1_000_000


async def test_items_keep_their_order() -> None:
    assert [item async for item in in_turns(range(10_000))] == list(range(10_000))
    assert [item async for item in in_turns([])] == []
