"""Residents whose circumstances change after they asked: an allergy, more people at home, another address, a need less.

They ring the desk, which amends the referral. It does so at any stage, so what was made from the old facts must change too.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from bdcan_simulator.borough import Door
from bdcan_simulator.client import BrokenError, Client
from bdcan_simulator.front_door import OPERATOR
from bdcan_simulator.ledger import Ledger, Submission
from bdcan_simulator.volunteers import chance

_RING_AGAIN = 0.15
"""The share of residents whose circumstances change."""

_ALLERGY = "a changed allergy"
_LATEST_SECONDS = 8.0
_LOOK_EVERY_SECONDS = 0.5


@dataclass
class Changes:
    """Everybody who rings the desk again."""

    client: Client
    ledger: Ledger
    _seen: set[str] = field(default_factory=set)

    async def work(self, over: asyncio.Event) -> None:
        """Amend referrals until it is over."""
        async with asyncio.TaskGroup() as calls:
            while not over.is_set():
                for submission in self.ledger.through(Door.HTTP):
                    referral_id = submission.referral_id
                    if referral_id is None or referral_id in self._seen:
                        continue
                    self._seen.add(referral_id)
                    if chance(self.ledger.run, submission.reference, "changes") < _RING_AGAIN:
                        calls.create_task(self._ring(submission, referral_id))
                await asyncio.sleep(_LOOK_EVERY_SECONDS)

    async def _ring(self, submission: Submission, referral_id: str) -> None:
        await asyncio.sleep(chance(referral_id, "when") * _LATEST_SECONDS)
        try:
            what, body = await self._change(submission, referral_id)
            path = f"/v1/referrals/{referral_id}/amendments"
            answer = await self.client.post(OPERATOR, "intake", path, body, key=f"{referral_id}/{what}")
        except BrokenError as error:
            self.client.broken[str(error)] += 1
            return
        if answer.ok and what == _ALLERGY:
            self.ledger.allergies.add(referral_id)
        self.ledger.done[f"amendments: {what}" if answer.ok else "amendments too late"] += 1

    async def _change(self, submission: Submission, referral_id: str) -> tuple[str, dict[str, Any]]:
        resident = submission.resident
        allergies = sorted({*resident.diets, "seafood-allergy", "gluten-free"})
        kind = chance(referral_id, "kind")
        if kind < 0.2:
            answer = await self.client.get(OPERATOR, "intake", f"/v1/referrals/{referral_id}")
            needs = (
                [n["need_id"] for n in answer.json()["needs"] if n["state"] == "open"] if answer.ok else []
            )
            if len(needs) > 1:
                return "a need withdrawn", {"withdraw_needs": needs[:1]}
        if kind < 0.4:
            return "a larger household", {"household": {"adults": 4, "children": 2}}
        if kind < 0.55:
            # within the borough only: foodhub does not yet learn that somebody moved away
            residents = [s.resident for s in self.ledger.through(Door.HTTP)]
            others = [r for r in residents if r.postcode and r.lives_here]
            moved = others[int(kind * 1000) % len(others)] if others else resident
            return "moved house", {"person": {"address": moved.address, "postcode": moved.postcode}}
        return _ALLERGY, {"diets": allergies}
