"""Who helps in practice referrals: one volunteer for each hub, and a picker. They do what belongs to these referrals alone.

A practice volunteer refuses what is offered to them of others, and is paused while there is nothing to practise. The picker
books in what a practice parcel takes, so that the stock of a site is afterwards what it was.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from bdcan_chassis.clock import Clock
from bdcan_simulator.client import Client
from bdcan_simulator.coordinators import COORDINATOR, activation, check_of
from bdcan_simulator.doorstep import completed
from bdcan_simulator.identity import volunteer
from bdcan_simulator.paging import every
from bdcan_simulator.pickers import PICKER
from bdcan_simulator.volunteers import recruit

_SEED = 0
_GONE = frozenset({"dispatched", "delivered"})


@dataclass
class Practice:
    """The practice volunteers and their picker."""

    client: Client
    clock: Clock
    _volunteers: dict[str, str] = field(default_factory=dict)
    """Those who may be asked now, by their hubs."""

    async def help(self, ours: Collection[str]) -> None:
        """Do what there is to do for these referrals now."""
        await self._pack(ours)
        offered = [task async for task in self._tasks("offered")]
        waiting = [task async for task in self._tasks("open")]
        for hub_id in {task["hub_id"] for task in (*waiting, *offered) if task["referral_id"] in ours}:
            await self._have_volunteer(hub_id)
        for task in offered:
            if task["volunteer_id"] in self._volunteers.values():
                await self._report(task, "acceptance" if task["referral_id"] in ours else "refusal")
        async for task in self._tasks("accepted"):
            if task["volunteer_id"] in self._volunteers.values() and await self._may_go(task):
                await self._report(task, "completion", completed(task.get("kind", "")))

    async def rest(self) -> None:
        """Nobody is asked any more until there is something to practise."""
        while self._volunteers:
            _, volunteer_id = self._volunteers.popitem()
            path = f"/v1/volunteers/{volunteer_id}/pause"
            await self.client.post(COORDINATOR, "volunteer-match", path, {}, key=f"sandbox/{uuid4()}")

    def _tasks(self, state: str) -> AsyncIterator[dict[str, Any]]:
        return every(self.client, COORDINATOR, "volunteer-match", "/v1/tasks", state=state)

    async def _have_volunteer(self, hub_id: str) -> None:
        """Sign the practice volunteer of a hub up, or end their pause."""
        if hub_id in self._volunteers:
            return
        offering = activation(recruit(_SEED, 0, hub_id)) | {"name": "Practice Volunteer"}
        path = "/v1/volunteers"
        made = await self.client.post(
            COORDINATOR, "volunteer-match", path, offering, key=f"sandbox/volunteer/{hub_id}"
        )
        if not made.ok:
            return
        volunteer_id = made.json()["volunteer_id"]
        for act, body in (("activation", offering), ("checks", check_of(volunteer_id, self.clock.now()))):
            await self.client.post(
                COORDINATOR, "volunteer-match", f"{path}/{volunteer_id}/{act}", body, key=f"sandbox/{uuid4()}"
            )
        self._volunteers[hub_id] = volunteer_id

    async def _may_go(self, task: dict[str, Any]) -> bool:
        """Whether the task is no delivery, or its parcel has left the site."""
        if (parcel_id := task.get("parcel_id")) is None:
            return True
        answer = await self.client.get(PICKER, "foodhub", f"/v1/parcels/{parcel_id}")
        return answer.ok and answer.json()["state"] in _GONE

    async def _report(self, task: dict[str, Any], verb: str, form: dict[str, object] | None = None) -> None:
        task_id, key = task["task_id"], f"sandbox/{task['task_id']}/{task['offers_made']}/{verb}"
        path = f"/v1/tasks/{task_id}/{verb}"
        await self.client.post(volunteer(task["volunteer_id"]), "volunteer-match", path, form or {}, key=key)

    async def _pack(self, ours: Collection[str]) -> None:
        for state in ("short", "reserved", "picking"):
            async for parcel in every(self.client, PICKER, "foodhub", "/v1/parcels", state=state):
                if parcel["referral_id"] in ours:
                    await self._see_to(parcel)

    async def _see_to(self, parcel: dict[str, Any]) -> None:
        parcel_id, since = parcel["parcel_id"], parcel["changed_at"]
        match parcel["state"]:
            case "short":
                await self._take_in(parcel, parcel["missing"], f"missing/{since}")
            case "reserved":
                await self._take_in(parcel, parcel["lines"], "lines")
                await self._act(parcel_id, "picking", since)
            case _:
                await self._act(parcel_id, "packing", since)

    async def _take_in(self, parcel: dict[str, Any], lines: list[dict[str, Any]], what: str) -> None:
        body = {
            "site_id": parcel["site_id"],
            "lines": [{"item_id": line["item_id"], "quantity": line["quantity"]} for line in lines],
        }
        if lines:
            key = f"sandbox/{parcel['parcel_id']}/{what}"
            await self.client.post(PICKER, "foodhub", "/v1/stock-receipts", body, key=key)

    async def _act(self, parcel_id: str, verb: str, since: str) -> None:
        path, key = f"/v1/parcels/{parcel_id}/{verb}", f"sandbox/{parcel_id}/{verb}/{since}"
        await self.client.post(PICKER, "foodhub", path, {}, key=key)
