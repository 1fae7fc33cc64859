"""Residents who ask what is held about them, and then to be erased, at any moment of their referral."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from bdcan_simulator.borough import Resident, System
from bdcan_simulator.client import BrokenError, Client
from bdcan_simulator.directory import READER
from bdcan_simulator.front_door import OPERATOR
from bdcan_simulator.identity import person
from bdcan_simulator.ledger import Erasure, Ledger, Moment, Submission

OFFICER = person("rights-officer", "rights:read rights:write hubs:all")
"""Who answers for what is held about people."""

FIRST_ROWS = 3
"""So many of each upstream system's requests are sent a second time on purpose: they do not ask."""

_SIGNS = {
    Moment.PLACED: ("referral.assigned", "referral.held-for-triage", "referral.out-of-area"),
    Moment.RUNG: ("welfare-call.completed", "welfare-call.unanswered"),
    Moment.IN_HAND: ("task.accepted", "parcel.reserved", "escalation.forwarded"),
    Moment.ENDED: ("referral.closed",),
}
"""The lines of a timeline that show a moment."""

_LOOK_EVERY_SECONDS = 2.0
_MOST_LOOKS = 60
"""A moment that does not come in so many looks is not waited for any longer."""


def who_asks(residents: Iterable[Resident], count: int) -> dict[int, Moment]:
    """The numbers of `count` residents, or of fewer where there are not so many, evenly among all; and when each asks."""
    by_system: dict[System, list[Resident]] = defaultdict(list)
    for resident in residents:
        by_system[resident.system].append(resident)
    able = [resident for sent in by_system.values() for resident in sent[FIRST_ROWS:]]
    able.sort(key=lambda resident: resident.number)
    count = min(count, len(able))
    asking = [able[len(able) * place // count] for place in range(count)]
    return {resident.number: _moment(resident, place) for place, resident in enumerate(asking)}


def _moment(resident: Resident, place: int) -> Moment:
    """All moments in turn. Nobody is at work for whoever cannot be reached: they ask after a call."""
    moments = (Moment.AT_ONCE, *_SIGNS)
    moment = moments[place % len(moments)]
    return Moment.RUNG if moment in {Moment.IN_HAND, Moment.ENDED} and not resident.reachable else moment


@dataclass
class Erasures:
    """Everybody who asks, and the officer who answers. `settled`: nothing more happens today, and no moment comes any more."""

    client: Client
    ledger: Ledger
    settled: asyncio.Event

    async def work(self, over: asyncio.Event) -> None:
        """Ask for each of them at their moment, and read the receipts until it is over."""
        async with asyncio.TaskGroup() as residents:
            for key, erasure in self.ledger.erasures.items():
                residents.create_task(self._until_broken(self.ledger.submissions[key], erasure, over))

    async def _until_broken(self, submission: Submission, erasure: Erasure, over: asyncio.Event) -> None:
        try:
            await self._ask(submission, erasure, over)
        except BrokenError as error:
            self.client.broken[str(error)] += 1

    async def _ask(self, submission: Submission, erasure: Erasure, over: asyncio.Event) -> None:
        referral_id = await self._referral_of(submission, over)
        if referral_id is None:
            return
        if not await self._has_come(erasure.moment, referral_id, over):
            erasure.moment = Moment.IN_VAIN
        if over.is_set():
            return
        await self._note(submission, referral_id)
        erasure.rows_shown = await self._export(referral_id)
        body = {"referral_ids": [referral_id], "reason": "resident-asked"}
        answer = await self.client.post(
            OFFICER, "intake", "/v1/rights/erasures", body, key=f"{referral_id}/erasure"
        )
        if not answer.ok:
            self.ledger.done[f"erasures refused: {answer.problem}"] += 1
            return
        self.ledger.done["erasures asked"] += 1
        erasure.referral_id = referral_id
        path = f"/v1/rights/erasures/{answer.json()['erasure']['erasure_id']}"
        while not erasure.is_done:
            if await _is_over(over):
                return
            told = await self.client.get(OFFICER, "intake", path)
            erasure.receipt = told.json() if told.ok else erasure.receipt
        self.ledger.done["erasures done"] += 1

    async def _referral_of(self, submission: Submission, over: asyncio.Event) -> str | None:
        """The referral that answers a submission, once intake has it."""
        asked = {"source": submission.source, "reference": submission.reference}
        while submission.referral_id is None:
            if submission.acknowledged:
                answer = await self.client.get(READER, "intake", "/v1/referrals", **asked)
                for item in answer.json().get("items", ()) if answer.ok else ():
                    self.ledger.learn(submission.source, submission.reference, item["referral_id"])
            if submission.referral_id is None and await _is_over(over):
                return None
        return submission.referral_id

    async def _has_come(self, moment: Moment, referral_id: str, over: asyncio.Event) -> bool:
        """Wait for the moment, but not for ever."""
        signs = _SIGNS.get(moment)
        for _ in range(_MOST_LOOKS if signs else 0):
            answer = await self.client.get(READER, "intake", f"/v1/referrals/{referral_id}")
            told: list[dict[str, Any]] = answer.json()["timeline"] if answer.ok else []
            if signs and any(line["kind"] in signs for line in told):
                return True
            if self.settled.is_set() or await _is_over(over):
                return False
        return signs is None

    async def _note(self, submission: Submission, referral_id: str) -> None:
        """The desk writes down who rang, in their own words."""
        text = (
            f"{submission.resident.name or 'Somebody'} asked to be erased. {submission.resident.notes or ''}"
        )
        path = f"/v1/referrals/{referral_id}/notes"
        answer = await self.client.post(
            OPERATOR, "intake", path, {"text": text.strip()}, key=f"{referral_id}/erasure-note"
        )
        self.ledger.done["notes" if answer.ok else "notes refused"] += 1

    async def _export(self, referral_id: str) -> int:
        """Show the resident what each service holds; returns how many rows that is."""
        rows = 0
        for service in self.client.apis:
            body = {"referral_ids": [referral_id], "reason": "resident-asked"}
            path = "/v1/rights/exports"
            answer = await self.client.post(OFFICER, service, path, body, key=f"{referral_id}/export")
            holds = answer.json()["holds"] if answer.ok else []
            rows += sum(len(found) for held in holds for found in held["records"].values())
        return rows


async def _is_over(over: asyncio.Event) -> bool:
    """Whether it is over by the next look."""
    try:
        await asyncio.wait_for(over.wait(), _LOOK_EVERY_SECONDS)
    except TimeoutError:
        return False
    return True
