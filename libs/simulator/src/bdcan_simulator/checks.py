"""Volunteers whose DBS check runs out while they have a task that requires one. Their hub records a new check later."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from bdcan_chassis.clock import Clock
from bdcan_simulator.client import BrokenError, Client
from bdcan_simulator.coordinators import COORDINATOR, check_of
from bdcan_simulator.ledger import Ledger
from bdcan_simulator.paging import every, first_page
from bdcan_simulator.volunteers import chance

_LAPSES = 0.3
"""The share of volunteers whose check ends, of those who do a task that requires one."""

_ENDS_IN = timedelta(minutes=1)
_LOOK_EVERY_SECONDS = 0.5
_RENEWED_AFTER_SECONDS = 15.0
"""Longer than anybody takes for a task: whoever gets it back has ended their first try."""


@dataclass
class Checks:
    """The coordinator who keeps the DBS checks of all hubs."""

    client: Client
    ledger: Ledger
    clock: Clock
    _seen: set[str] = field(default_factory=set)

    async def work(self, over: asyncio.Event) -> None:
        """Record when checks end, and later new ones, until it is over."""
        async with asyncio.TaskGroup() as renewals:
            while not over.is_set():
                try:
                    for volunteer in await self._ending():
                        renewals.create_task(self._let_lapse(volunteer, over))
                except BrokenError as error:
                    self.client.broken[str(error)] += 1
                with suppress(TimeoutError):
                    await asyncio.wait_for(over.wait(), _LOOK_EVERY_SECONDS)

    async def _ending(self) -> list[dict[str, Any]]:
        """Volunteers who are seen with such a task for the first time, and whose check ends."""
        tasks = await first_page(self.client, COORDINATOR, "volunteer-match", "/v1/tasks", state="accepted")
        new = {task["volunteer_id"] for task in tasks if task["requires_dbs"]} - self._seen
        self._seen |= new
        ending = {volunteer_id for volunteer_id in new if chance(volunteer_id, "check") < _LAPSES}
        if not ending:
            return []
        active = every(self.client, COORDINATOR, "volunteer-match", "/v1/volunteers", state="active")
        return [volunteer async for volunteer in active if volunteer["volunteer_id"] in ending]

    async def _let_lapse(self, volunteer: dict[str, Any], over: asyncio.Event) -> None:
        ends_at = (self.clock.now() + _ENDS_IN).isoformat()
        try:
            if not await self._record(volunteer, "ends", valid_until=ends_at):
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), _RENEWED_AFTER_SECONDS)
            await self._record(volunteer, "is new")
        except BrokenError as error:
            self.client.broken[str(error)] += 1

    async def _record(self, volunteer: dict[str, Any], what: str, **more: str) -> bool:
        volunteer_id = volunteer["volunteer_id"]
        path = f"/v1/volunteers/{volunteer_id}/checks"
        body = check_of(volunteer_id, self.clock.now()) | more
        key = f"{self.ledger.run}/{volunteer_id}/check {what}"
        answer = await self.client.post(COORDINATOR, "volunteer-match", path, body, key=key)
        self.ledger.done[f"checks: {what}" if answer.ok else f"checks: {what}, refused"] += 1
        return answer.ok
