"""Those who run the hubs: they sign volunteers up, and decide where a referral goes that routing could not place."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from bdcan_chassis.clock import Clock
from bdcan_simulator.client import Client, RefusedError
from bdcan_simulator.directory import Directory
from bdcan_simulator.identity import person
from bdcan_simulator.ledger import Ledger
from bdcan_simulator.paging import first_page, keep_at
from bdcan_simulator.volunteers import Volunteer, chance, recruit

_A_QUEUE = 50
COORDINATOR = person(
    "borough-coordinator",
    "volunteers:read volunteers:write calls:read calls:write tasks:read routing:read routing:write referrals:write referrals:read hubs:all",
)


async def hub_ids(client: Client) -> tuple[str, ...]:
    """The borough's hubs. Raises RefusedError where routing has none."""
    answer = await client.get(COORDINATOR, "routing", "/v1/hubs")
    found = tuple(sorted(hub["hub_id"] for hub in answer.json().get("items", ())))
    if not found:
        raise RefusedError("routing knows no hub")
    return found


@dataclass
class Coordinators:
    """The coordinators of all hubs."""

    client: Client
    ledger: Ledger
    directory: Directory
    hubs: tuple[str, ...]
    seed: int
    clock: Clock
    _recruited: int = 0
    _hubs_known: asyncio.Event = field(default_factory=asyncio.Event)
    _enquired: list[Volunteer] = field(default_factory=list)
    _welcomed: dict[str, Volunteer] = field(default_factory=dict)

    async def sign_up(self, volunteers: Sequence[Volunteer], over: asyncio.Event) -> None:
        """Make everybody active: some come through the front door first, as an enquiry, others straight to their hub."""
        await keep_at(self._learn_hubs, self._hubs_known)
        await self.client.for_each(volunteers, self._enquire_or_sign_up)
        ended = asyncio.Event()

        async def round_of_activations() -> int:
            done = await self._activate_enquired()
            if over.is_set() or not self._enquired:
                ended.set()
            return done

        await keep_at(round_of_activations, ended)

    async def find_more_volunteers(self, over: asyncio.Event) -> None:
        """Ring round for each task that everybody suitable has let go by: somebody new signs up at its hub."""
        seen: dict[str, int] = {}

        async def look() -> int:
            nonlocal seen
            left_over = await first_page(
                self.client, COORDINATOR, "volunteer-match", "/v1/tasks", state="open"
            )
            asked = {task["task_id"]: task["offers_made"] for task in left_over}
            if len(left_over) < _A_QUEUE:  # in a queue, volunteers are busy, not unwilling
                stuck = [
                    t for t in left_over if t["offers_made"] and seen.get(t["task_id"]) == t["offers_made"]
                ]
                for hub_id in dict.fromkeys(task["hub_id"] for task in stuck):
                    await self._recruit(hub_id)
            seen = asked
            return 0

        await keep_at(look, over)

    async def _recruit(self, hub_id: str) -> None:
        self._recruited += 1
        volunteer = recruit(self.seed, self._recruited, hub_id)
        key = f"{self.ledger.run}/recruit/{self._recruited}"
        body = activation(volunteer)
        answer = await self.client.post(COORDINATOR, "volunteer-match", "/v1/volunteers", body, key=key)
        self.ledger.done["volunteers found for a task left over"] += answer.ok
        if answer.ok:
            await self._see_check(volunteer, answer.json()["volunteer_id"])

    async def _learn_hubs(self) -> int:
        """Volunteer-match takes on volunteers of the hubs that it has heard of: routing's news may be on its way."""
        answer = await self.client.get(COORDINATOR, "volunteer-match", "/v1/hubs")
        if {hub["hub_id"] for hub in answer.json().get("items", ())} >= set(self.hubs):
            self._hubs_known.set()
        return 0

    async def decide_triage(self, over: asyncio.Event) -> None:
        """Decide whatever routing holds for a person."""
        await keep_at(self._round_of_triage, over)

    async def decide_reviews(self, over: asyncio.Event) -> None:
        """Look at each referral that nobody may ring, or nobody has reached, and decide."""
        await keep_at(self._round_of_reviews, over)

    async def _round_of_reviews(self) -> int:
        held = await first_page(
            self.client, COORDINATOR, "volunteer-match", "/v1/welfare-calls", review="true"
        )
        await self.client.for_each(held, self._review, at_once=4)
        return len(held)

    async def _review(self, call: dict[str, Any]) -> None:
        unreached = call["review"] == "not-reached"
        body = {
            "decision": "with-council" if unreached else "ring",
            "reason": "The council knocks at the door."
            if unreached
            else "The sender asked the resident again.",
        }
        path = f"/v1/welfare-calls/{call['call_id']}/review"
        key = f"{call['call_id']}/{call['review']}/review"
        answer = await self.client.post(COORDINATOR, "volunteer-match", path, body, key=key)
        self.ledger.done["reviews decided"] += answer.ok

    async def _enquire_or_sign_up(self, volunteer: Volunteer) -> None:
        key = f"{self.ledger.run}/volunteer/{volunteer.number}"
        if volunteer.enquires:
            body = {
                "name": volunteer.name,
                "phone": volunteer.phone,
                "email": volunteer.email,
                "task_kinds": [kind.value for kind in volunteer.task_kinds],
                "has_car": volunteer.has_car,
            }
            answer = await self.client.post(COORDINATOR, "intake", "/v1/volunteer-enquiries", body, key=key)
            if answer.ok:
                self._enquired.append(volunteer)
        else:
            answer = await self.client.post(
                COORDINATOR, "volunteer-match", "/v1/volunteers", activation(volunteer), key=key
            )
            self.ledger.done["volunteers active"] += answer.ok
            if answer.ok:
                await self._see_check(volunteer, answer.json()["volunteer_id"])

    async def _see_check(self, volunteer: Volunteer, volunteer_id: str) -> None:
        """Record the check of whoever has one."""
        if volunteer.dbs_cleared:
            path, key = (
                f"/v1/volunteers/{volunteer_id}/checks",
                f"{self.ledger.run}/{volunteer_id}/check seen",
            )
            body = check_of(volunteer_id, self.clock.now())
            await self.client.post(COORDINATOR, "volunteer-match", path, body, key=key)

    async def _activate_enquired(self) -> int:
        """An enquiry has no name on a list: whoever is next on the phone is welcomed as whoever enquired next."""
        waiting = await first_page(
            self.client, COORDINATOR, "volunteer-match", "/v1/volunteers", state="enquired"
        )
        for item in waiting:
            if item["volunteer_id"] not in self._welcomed and self._enquired:
                self._welcomed[item["volunteer_id"]] = self._enquired.pop()
        ours = [v["volunteer_id"] for v in waiting if v["volunteer_id"] in self._welcomed]
        await self.client.for_each(ours, self._activate)
        return len(ours)

    async def _activate(self, volunteer_id: str) -> None:
        path = f"/v1/volunteers/{volunteer_id}/activation"
        body = activation(self._welcomed[volunteer_id])
        key = f"{self.ledger.run}/{volunteer_id}/activation"
        answer = await self.client.post(COORDINATOR, "volunteer-match", path, body, key=key)
        self.ledger.done["volunteers active"] += answer.ok
        if answer.ok:
            await self._see_check(self._welcomed[volunteer_id], volunteer_id)

    async def _round_of_triage(self) -> int:
        held = await first_page(self.client, COORDINATOR, "routing", "/v1/triage")
        decided = 0

        async def decide(item: dict[str, Any]) -> None:
            nonlocal decided
            decided += await self._decide(item)

        await self.client.for_each(held, decide, at_once=4)
        return decided

    async def _decide(self, item: dict[str, Any]) -> bool:
        referral_id = item["referral_id"]
        submission = await self.directory.submission_of(referral_id)
        if submission is None:
            return False
        if submission.resident.lives_here:
            likely = item["candidate_hubs"] or self.hubs
            hub = likely[int(chance(submission.reference, "hub") * len(likely))]
            decision = {"hub_id": hub, "reason": "resident-named-the-street"}
        else:
            decision = {"out_of_area": True, "reason": "lives-in-another-borough"}
        path = f"/v1/triage/{referral_id}/decision"
        answer = await self.client.post(COORDINATOR, "routing", path, decision, key=f"{referral_id}/triage")
        self.ledger.done["triage decisions"] += answer.ok
        return answer.ok


def check_of(volunteer_id: str, now: datetime) -> dict[str, Any]:
    """What the hub records of a check that somebody has seen the day before."""
    today = (now - timedelta(days=1)).date().isoformat()
    return {
        "kind": "enhanced-dbs-with-barred-lists",
        "reference": f"DBS-{int(volunteer_id[-8:], 16):012}",
        "issued_on": today,
        "seen_on": today,
    }


def activation(volunteer: Volunteer) -> dict[str, Any]:
    """What a hub agrees with a volunteer."""
    return {
        "name": volunteer.name,
        "phone": volunteer.phone,
        "hub_ids": list(volunteer.hub_ids),
        "task_kinds": [kind.value for kind in volunteer.task_kinds],
        "has_car": volunteer.has_car,
        "weekly_offers": 50,  # one day of the play has the tasks of a busy week
    }
