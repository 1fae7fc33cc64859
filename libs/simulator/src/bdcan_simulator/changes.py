"""Residents whose circumstances change after they asked: an allergy, more people at home, another address, a need less.

They ring the desk, which amends the referral. It does so at any stage, so what was made from the old facts must change too.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from bdcan_contracts.models import Lane
from bdcan_contracts.vocabulary import NEEDS
from bdcan_simulator.borough import Door, Resident
from bdcan_simulator.client import BrokenError, Client
from bdcan_simulator.front_door import OPERATOR
from bdcan_simulator.ledger import Ledger, Submission
from bdcan_simulator.volunteers import chance

_RING_AGAIN = 0.15
"""The share of residents whose circumstances change."""

_LEARN_OF_AN_ALLERGY = 0.4
"""Of those who ask for food, the share who learn of an allergy: so many that a small run has some, too."""

_PARCEL_UNDER_WAY = 0.6
"""Of these, the share who ring when the stock for their parcel has been set aside."""

_ALLERGY = "a changed allergy"
_LATEST_SECONDS = 8.0
_LOOK_EVERY_SECONDS = 0.5
_LOOKS_FOR_A_PARCEL = 30


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
                    if _learns_of_an_allergy(submission.resident):
                        calls.create_task(self._ring_about_an_allergy(submission, referral_id))
                    elif chance(self.ledger.run, submission.reference, "changes") < _RING_AGAIN:
                        calls.create_task(self._ring(submission, referral_id))
                await asyncio.sleep(_LOOK_EVERY_SECONDS)

    async def _ring_about_an_allergy(self, submission: Submission, referral_id: str) -> None:
        try:
            if chance(referral_id, "late") < _PARCEL_UNDER_WAY:
                await self._until_a_parcel_is_made(referral_id)
        except BrokenError as error:
            self.client.broken[str(error)] += 1
            return
        await self._amend(referral_id, _ALLERGY, _allergies(submission.resident))

    async def _ring(self, submission: Submission, referral_id: str) -> None:
        await asyncio.sleep(chance(referral_id, "when") * _LATEST_SECONDS)
        try:
            what, body = await self._change(submission, referral_id)
        except BrokenError as error:
            self.client.broken[str(error)] += 1
            return
        await self._amend(referral_id, what, body)

    async def _amend(self, referral_id: str, what: str, body: dict[str, Any]) -> None:
        try:
            path = f"/v1/referrals/{referral_id}/amendments"
            answer = await self.client.post(OPERATOR, "intake", path, body, key=f"{referral_id}/{what}")
        except BrokenError as error:
            self.client.broken[str(error)] += 1
            return
        if answer.ok and what == _ALLERGY:
            self.ledger.allergies.add(referral_id)
        self.ledger.done[f"amendments: {what}" if answer.ok else "amendments too late"] += 1

    async def _until_a_parcel_is_made(self, referral_id: str) -> None:
        """Wait until the stock for the parcel is set aside, or for so long at most: then the resident rings anyway."""
        for _ in range(_LOOKS_FOR_A_PARCEL):
            answer = await self.client.get(OPERATOR, "intake", f"/v1/referrals/{referral_id}")
            told = answer.json() if answer.ok else {}
            kinds = {line["kind"] for line in told.get("timeline", ())}
            if "parcel.reserved" in kinds or told.get("state") == "closed":
                return
            await asyncio.sleep(_LOOK_EVERY_SECONDS)

    async def _change(self, submission: Submission, referral_id: str) -> tuple[str, dict[str, Any]]:
        resident = submission.resident
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
            # nobody moves to the address of somebody who asks to be erased: it would stay
            residents = [
                s.resident
                for s in self.ledger.through(Door.HTTP)
                if (s.source, s.reference) not in self.ledger.erasures
            ]
            others = [r for r in residents if r.postcode and r.lives_here]
            moved = others[int(kind * 1000) % len(others)] if others else resident
            return "moved house", {"person": {"address": moved.address, "postcode": moved.postcode}}
        return _ALLERGY, _allergies(resident)


def _learns_of_an_allergy(resident: Resident) -> bool:
    asks_for_food = any(NEEDS[code].lane == Lane.FOOD for code in resident.needs)
    return asks_for_food and chance(resident.number, resident.name, "allergy") < _LEARN_OF_AN_ALLERGY


def _allergies(resident: Resident) -> dict[str, Any]:
    return {"diets": sorted({*resident.diets, "seafood-allergy", "gluten-free"})}
