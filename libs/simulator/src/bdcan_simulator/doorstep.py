"""Those who do the tasks: volunteers who look at their offers, accept most of them, and report back."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from bdcan_chassis.clock import Clock
from bdcan_contracts.vocabulary import TaskKind
from bdcan_simulator.client import BrokenError, Client
from bdcan_simulator.identity import person, volunteer
from bdcan_simulator.ledger import Ledger
from bdcan_simulator.paging import first_page, keep_at
from bdcan_simulator.volunteers import ACCEPTS, FAILS, NOTICES_A_CONCERN, chance

DISPATCHERS = person("dispatchers", "tasks:read parcels:read hubs:all")
"""Those who tell volunteers of their offers, and at the site whether a parcel is ready. Volunteers answer by themselves."""

_SHORTEST, _LONGEST = timedelta(minutes=5), timedelta(minutes=20)
_LONGEST_REAL_SECONDS = 8.0
_READS_THE_ADDRESS = 0.1
"""Share of tasks for which the simulator really reads where to go and what to bring; it knows both already."""

_FETCH_TRIES = 30
_FETCH_EVERY_SECONDS = 1.0
"""A volunteer waits half a minute for a stopped parcel, then reports that it was not ready."""

_COMPLETED: dict[str, dict[str, object]] = {
    TaskKind.SHOPPING: {"spent_pence": 1240, "receipt": True, "change_pence": 0, "handed": "resident"},
    TaskKind.PRESCRIPTION: {"bags": 1, "handed": "resident"},
    TaskKind.PARCEL_DELIVERY: {"handed": "left-safe"},
    TaskKind.TRANSPORT: {"arrived": True},
    TaskKind.BEFRIENDING_CALL: {"seen": "well"},
}


def completed(kind: str) -> dict[str, object]:
    """The form that a volunteer of the demo fills in for a task of that kind."""
    return _COMPLETED.get(kind, {})


@dataclass
class Doorstep:
    """All volunteers, looking at their offers together."""

    client: Client
    ledger: Ledger
    clock: Clock
    _offers: Counter[str] = field(default_factory=Counter)
    _completed: set[str] = field(default_factory=set)

    async def work(self, over: asyncio.Event) -> None:
        """Answer offers and do what was accepted, until it is over."""
        async with asyncio.TaskGroup() as errands:

            async def round_of_offers() -> int:
                offers = await first_page(
                    self.client, DISPATCHERS, "volunteer-match", "/v1/tasks", state="offered"
                )
                await self.client.for_each(offers, lambda task: self._answer(task, errands), at_once=12)
                return len(offers)

            await keep_at(round_of_offers, over)

    async def _answer(self, task: dict[str, Any], errands: asyncio.TaskGroup) -> None:
        task_id, volunteer_id = task["task_id"], task["volunteer_id"]
        self._offers[task_id] += 1
        number = self._offers[task_id]
        accepts = chance(task_id, volunteer_id, number, "accepts") < ACCEPTS
        verb = "acceptance" if accepts else "refusal"
        if await self._report(task_id, volunteer_id, number, verb) and accepts:
            errands.create_task(self._do(task_id, volunteer_id, number, task))

    async def _fetched(self, parcel_id: str) -> bool:
        """Whether the site hands the parcel over. A stopped one stays there until a person has decided."""
        for _ in range(_FETCH_TRIES):
            answer = await self.client.get(DISPATCHERS, "foodhub", f"/v1/parcels/{parcel_id}")
            if answer.ok and answer.json()["state"] in {"dispatched", "delivered"}:
                return True
            await asyncio.sleep(_FETCH_EVERY_SECONDS)
        return False

    async def _do(self, task_id: str, volunteer_id: str, number: int, task: dict[str, Any]) -> None:
        parcel_id = task.get("parcel_id")
        share = chance(task_id, number, "takes")
        takes = self.clock.real_seconds(_SHORTEST + (_LONGEST - _SHORTEST) * share)
        await asyncio.sleep(min(takes, _LONGEST_REAL_SECONDS))
        try:
            if chance(task_id, "reads") < _READS_THE_ADDRESS:
                await self._read_address(task_id, volunteer_id, number)
            if chance(task_id, "concern") < NOTICES_A_CONCERN:
                await self._report(task_id, volunteer_id, number, "concerns", code="safeguarding-adult")
            if parcel_id is not None and not await self._fetched(parcel_id):
                await self._report(task_id, volunteer_id, number, "failure", reason="parcel-not-ready")
            elif number == 1 and chance(task_id, "fails") < FAILS:
                await self._report(task_id, volunteer_id, number, "failure", reason="nobody-at-home")
            else:
                await self._report(
                    task_id, volunteer_id, number, "completion", **completed(task.get("kind", ""))
                )
        except BrokenError as error:
            self.client.broken[str(error)] += 1

    async def _read_address(self, task_id: str, volunteer_id: str, number: int) -> None:
        """Open the task, and read at intake what its grant opens. A task that was taken back opens nothing."""
        doer = volunteer(volunteer_id)
        task = await self.client.get(doer, "volunteer-match", f"/v1/tasks/{task_id}")
        grant = task.json().get("grant") if task.ok else None
        if grant is None:
            return
        body = {
            "purpose": "task",
            "task_id": task_id,
            "volunteer_id": volunteer_id,
            "reason": "I do this task.",
            "grant": grant,
        }
        answer = await self.client.post(
            doer, "intake", "/v1/disclosures", body, key=f"{task_id}/{number}/reads"
        )
        self.ledger.done["addresses read" if answer.ok else "addresses refused"] += 1

    async def _report(self, task_id: str, volunteer_id: str, number: int, verb: str, **more: object) -> bool:
        answer = await self.client.post(
            volunteer(volunteer_id),
            "volunteer-match",
            f"/v1/tasks/{task_id}/{verb}",
            more,
            key=f"{task_id}/{number}/{verb}",
        )
        self.ledger.done[f"tasks {verb}{self._remark(task_id, verb, answer.ok)}"] += 1
        return answer.ok

    def _remark(self, task_id: str, verb: str, ok: bool) -> str:
        """Whoever lost a task and has it back may report it twice: that changes nothing, so it counts once."""
        if not ok:
            return " too late"
        if verb != "completion":
            return ""
        again = task_id in self._completed
        self._completed.add(task_id)
        return " again" if again else ""
