"""Those who make the welfare calls: volunteers at each hub, ringing the residents of their own hub."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from bdcan_chassis.clock import Clock
from bdcan_contracts.models import Lane
from bdcan_contracts.vocabulary import NeedCode
from bdcan_simulator.borough import Reach, Resident
from bdcan_simulator.client import Client
from bdcan_simulator.directory import Directory
from bdcan_simulator.identity import Person, person
from bdcan_simulator.ledger import Ledger, Submission
from bdcan_simulator.paging import first_page, keep_at
from bdcan_simulator.volunteers import chance

_RING_BACK_AFTER = timedelta(minutes=20)
_SLIPS = 0.08
"""Share of residents who answer, of whose first call the caller reports by a slip that nobody did, and undoes it."""

_SHOWS_DETAILS = 0.05
"""Share of calls for which the simulator really asks for name and number; it knows both already."""

_WORDS = {
    NeedCode.SHOPPING.value: {"what": "Milk, bread, eggs, tea", "say": "I come from the network."},
    NeedCode.PRESCRIPTION.value: {
        "what": "Two bags, under the resident's name",
        "access": "Ring the lower bell.",
    },
}
"""What residents of the demo tell whoever shops or fetches for them."""


@dataclass
class Callers:
    """The callers of all hubs."""

    client: Client
    ledger: Ledger
    directory: Directory
    clock: Clock
    _tries: Counter[str] = field(default_factory=Counter)
    _asked_to_ring_back: set[str] = field(default_factory=set)
    _slipped: set[str] = field(default_factory=set)

    async def work(self, hub_ids: tuple[str, ...], over: asyncio.Event) -> None:
        """Ring whoever is due, at every hub, until it is over."""
        async with asyncio.TaskGroup() as group:
            for hub_id in hub_ids:
                group.create_task(self._work_at(hub_id, over))

    async def _work_at(self, hub_id: str, over: asyncio.Event) -> None:
        caller = person(
            f"caller-{hub_id}", "calls:read calls:write disclosures:welfare_call referrals:amend", hub_id
        )
        await keep_at(lambda: self._round(caller, hub_id), over)

    async def _round(self, caller: Person, hub_id: str) -> int:
        rung = 0

        async def ring(call: dict[str, Any]) -> None:
            nonlocal rung
            rung += await self._ring(caller, call)

        calls = await first_page(
            self.client, caller, "volunteer-match", "/v1/welfare-calls", hub=hub_id, state="due"
        )
        await self.client.for_each(calls, ring, at_once=2)  # nine hubs work at once
        return rung

    async def _ring(self, caller: Person, call: dict[str, Any]) -> bool:
        call_id, referral_id = call["call_id"], call["referral_id"]
        submission = await self.directory.submission_of(referral_id)
        if submission is None:
            return False
        # a claim that ran out is claimed anew: that is another request, not the same one again
        self._tries[call_id] += 1
        key = f"{call_id}/{self._tries[call_id]}"
        path = f"/v1/welfare-calls/{call_id}"
        claim = await self.client.post(caller, "volunteer-match", f"{path}/claim", {}, key=f"{key}/claim")
        if not claim.ok:
            return False
        if chance(call_id, "details") < _SHOWS_DETAILS:
            await self._ask_for_details(caller, referral_id, claim.json()["grant"], key)
        call |= claim.json()
        if self._is_slip(submission.resident, call):
            await self._slip(caller, call, key)
            return True
        report = self._talk(submission, call)
        answer = await self.client.post(
            caller, "volunteer-match", f"{path}/outcome", report, key=f"{key}/outcome"
        )
        if answer.ok:
            self._note(submission, referral_id, report, answer.json())
            await self._instruct(caller, referral_id, report, key)
        return answer.ok

    async def _instruct(self, caller: Person, referral_id: str, report: dict[str, Any], key: str) -> None:
        """Write down what the doer must know. A need that was found has no id yet."""
        for need in report.get("needs", ()):
            words = _WORDS.get(need["code"]) if need["result"] == "confirmed" else None
            if words is not None:
                path, body = (
                    f"/v1/referrals/{referral_id}/instructions",
                    {"need_id": need["need_id"], **words},
                )
                answer = await self.client.post(caller, "intake", path, body, key=f"{key}/{need['need_id']}")
                self.ledger.done["instructions written" if answer.ok else "instructions refused"] += 1

    def _is_slip(self, resident: Resident, call: dict[str, Any]) -> bool:
        first = call["attempts"] == 0 and call["referral_id"] not in self.ledger.reached | self._slipped
        alone = not any(other["shares_call"] for other in call["linked"])
        answers = resident.answers.reach is Reach.ANSWERS
        return first and alone and answers and chance(resident.number, resident.name, "slip") < _SLIPS

    async def _slip(self, caller: Person, call: dict[str, Any], key: str) -> None:
        """Report the wrong outcome, and undo it: the call is on the list again. Too late, it stays a missed call."""
        referral_id, path = call["referral_id"], f"/v1/welfare-calls/{call['call_id']}"
        self._slipped.add(referral_id)
        report = {"outcome": "no-answer"}
        told = await self.client.post(
            caller, "volunteer-match", f"{path}/outcome", report, key=f"{key}/outcome"
        )
        if not told.ok:
            return
        self.ledger.done["calls no-answer"] += 1
        undone = await self.client.post(caller, "volunteer-match", f"{path}/undo", {}, key=f"{key}/undo")
        self.ledger.done["slips undone" if undone.ok else "slips undone too late"] += 1
        if not undone.ok:
            self._wait(referral_id, told.json().get("next_attempt_at"))

    async def _ask_for_details(self, caller: Person, referral_id: str, grant: str, key: str) -> None:
        body = {
            "referral_id": referral_id,
            "purpose": "welfare_call",
            "reason": "The welfare call is due.",
            "grant": grant,
        }
        answer = await self.client.post(caller, "intake", "/v1/disclosures", body, key=f"{key}/details")
        self.ledger.done["disclosures" if answer.ok else "disclosures refused"] += 1

    def _talk(self, submission: Submission, call: dict[str, Any]) -> dict[str, Any]:
        resident, referral_id = submission.resident, call["referral_id"]
        match resident.answers.reach:
            case Reach.WRONG_NUMBER:
                return {"outcome": "wrong-number"}
            case Reach.NEVER:
                voicemail = chance(referral_id, call["attempts"], "voicemail") < 0.4
                return {"outcome": "voicemail" if voicemail else "no-answer"}
            case Reach.RING_BACK if referral_id not in self._asked_to_ring_back:
                later = self.clock.now() + _RING_BACK_AFTER
                return {"outcome": "rescheduled", "next_attempt_at": later.isoformat()}
            case _:
                pass
        if referral_id in self.ledger.reached:
            return {"outcome": "answered", "needs": _given_back(referral_id, call["needs"])}
        if resident.answers.wants_no_help:
            return {"outcome": "refused"}
        report = _told(resident, call)
        if referral_id in self.ledger.allergies:
            report.pop("diets", None)  # they told the desk more than they knew when they asked
        return report

    def _note(
        self, submission: Submission, referral_id: str, report: dict[str, Any], answer: dict[str, Any]
    ) -> None:
        outcome = report["outcome"]
        submission.found += sum(need["result"] == "found" for need in report.get("needs", ()))
        self._note_one(referral_id, outcome, answer.get("next_attempt_at"))
        for other in answer["shared_with"]:
            is_hers_alone = outcome == "wrong-number" or (outcome == "refused" and not other["counted"])
            if not is_hers_alone:
                self._note_one(other["referral_id"], outcome, other.get("next_attempt_at"))

    def _note_one(self, referral_id: str, outcome: str, again_at: str | None) -> None:
        self.ledger.done[f"calls {outcome}"] += 1
        if outcome in {"answered", "refused"}:
            self.ledger.reached.add(referral_id)
            self.ledger.waiting.pop(referral_id, None)
            return
        if outcome == "rescheduled":
            self._asked_to_ring_back.add(referral_id)
        self._wait(referral_id, again_at)

    def _wait(self, referral_id: str, again_at: str | None) -> None:
        if not again_at:
            self.ledger.exhausted.add(referral_id)
            self.ledger.waiting.pop(referral_id, None)
        else:
            self.ledger.waiting[referral_id] = datetime.fromisoformat(again_at)


def _told(resident: Resident, call: dict[str, Any]) -> dict[str, Any]:
    answers, changed = resident.answers, dict(resident.answers.changed)
    needs: list[dict[str, Any]] = []
    for need in call["needs"]:
        code = NeedCode(need["code"])
        if code in answers.declined:
            needs.append({"need_id": need["need_id"], "code": code.value, "result": "declined"})
        elif code in changed:
            needs.append({"need_id": need["need_id"], "code": changed[code].value, "result": "changed"})
        else:
            needs.append({"need_id": need["need_id"], "code": code.value, "result": "confirmed"})
    # what another referral that shares the call asks for already is nothing new
    asked = {need["code"] for other in call["linked"] if other["shares_call"] for need in other["needs"]}
    needs.extend({"code": code.value, "result": "found"} for code in answers.found if code not in asked)
    report: dict[str, Any] = {"outcome": "answered", "needs": needs}
    if resident.household:
        report["household"] = resident.household.model_dump()
    if resident.diets:
        report["diets"] = [diet.value for diet in resident.diets]
    return report


def _given_back(referral_id: str, asked: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the hub makes of needs that Community Solutions gave back.

    Somebody's safety is handed over again, for that is nobody else's business. Of the others, half of the residents see
    to it themselves, and half take a neighbour's help.
    """
    alone = chance(referral_id, "given back") < 0.5
    needs: list[dict[str, Any]] = []
    for need in asked:
        code, result = need["code"], "declined"
        if need["lane"] == Lane.SAFEGUARDING:
            result = "confirmed"
        elif not alone:
            code, result = NeedCode.BEFRIENDING_CALL.value, "changed"
        needs.append({"need_id": need["need_id"], "code": code, "result": result})
    return needs
