"""The simulated people against a system that loses answers: each act has one effect."""

from __future__ import annotations

import asyncio
import base64
import csv
import io
import json
import random
import re
from collections import Counter
from datetime import datetime
from typing import Any
from uuid import uuid4

import pytest
from aiohttp import web

from bdcan_chassis.clock import ScaledClock, SystemClock
from bdcan_contracts.vocabulary import NEEDS, TaskKind
from bdcan_simulator import bulk_lists, front_door
from bdcan_simulator.borough import PHONE_DESK, Borough, Door, Reach
from bdcan_simulator.callers import Callers
from bdcan_simulator.changes import Changes
from bdcan_simulator.checks import Checks
from bdcan_simulator.directory import Directory
from bdcan_simulator.doorstep import Doorstep
from bdcan_simulator.erasures import Erasures, who_asks
from bdcan_simulator.ledger import Ledger, Moment
from bdcan_simulator.pace import Pace
from bdcan_simulator.pickers import Pickers
from bdcan_simulator.postcodes import MadeUpPostcodes


def _claims(request: web.Request) -> dict[str, Any]:
    """What the caller's token says."""
    body = request.headers["Authorization"].split(".")[1]
    return json.loads(base64.urlsafe_b64decode(body + "=="))


FAST = ScaledClock(SystemClock().now(), 0.0, 100_000.0)


class Unreliable:
    """Answers each request once for good, by its key, and loses every third answer or so, before or after the work."""

    def __init__(self) -> None:
        self.effects: Counter[str] = Counter()
        self._replies: dict[str | None, tuple[int, Any]] = {}
        self._chance = random.Random(4)

    async def handler(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        lost = self._chance.random()
        if lost < 0.15:
            return web.json_response({}, status=503)
        key = request.headers.get("Idempotency-Key")
        if request.method == "POST" and key in self._replies:
            status, reply = self._replies[key]
        else:
            status, reply = self.work(request, body)
            if request.method == "POST" and key and status < 400:
                self.effects[f"{request.path} {key}"] += 1
                self._replies[key] = status, reply
        if lost > 0.85:
            assert request.transport is not None
            request.transport.abort()
        if isinstance(reply, str):
            return web.Response(status=status, text=reply)
        return web.json_response(reply, status=status)

    def work(self, request: web.Request, body: bytes) -> tuple[int, Any]:
        raise NotImplementedError


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr("bdcan_simulator.client._FIRST_PAUSE", 0.005)
    monkeypatch.setattr("bdcan_simulator.client._LONGEST_PAUSE", 0.02)
    monkeypatch.setattr("bdcan_simulator.paging._LEAST_PAUSE", 0.01)


@pytest.fixture
def ledger() -> Ledger:
    ledger = Ledger(run="r1")
    ledger.enter(Borough(11, MadeUpPostcodes()).residents(120))
    return ledger


class Intake(Unreliable):
    """Takes referrals and lists; knows them by source and reference."""

    def __init__(self) -> None:
        super().__init__()
        self.referrals: dict[str, str] = {}
        self.refused: set[str] = set()

    def work(self, request: web.Request, body: bytes) -> tuple[int, Any]:
        if request.path == "/v1/referral-imports":
            return 201, self._take_file(body.decode())
        if request.path.endswith("/errors.csv"):
            lines = [f"2,{reference},needs,enum,Input should be" for reference in self.refused]
            return 200, "\n".join(["line,reference,field,code,message", *lines])
        if request.method == "GET":
            items = [{"reference": r, "referral_id": i} for r, i in self.referrals.items()]
            return 200, {"items": items}
        told = json.loads(body)
        if "pony" in told["needs"] or "colour" in told or told.get("household", {}).get("adults") == -1:
            return 422, {
                "detail": "1 field(s) at fault.",
                "errors": [{"field": "needs.0", "code": "unknown-code"}],
            }
        new = told["reference"] not in self.referrals
        referral_id = self.referrals.setdefault(told["reference"], str(uuid4()))
        return 201 if new else 200, {"referral_id": referral_id}

    def _take_file(self, text: str) -> dict[str, Any]:
        counts = Counter[str]()
        for row in csv.DictReader(io.StringIO(text)):
            if "-bad-" in row["reference"]:
                counts["refused"] += 1
                self.refused.add(row["reference"])
            elif row["reference"] in self.referrals:
                counts["duplicates"] += 1
            else:
                counts["accepted"] += 1
                self.referrals[row["reference"]] = str(uuid4())
        return {"import_id": str(uuid4()), "accepted": 0, "duplicates": 0, "refused": 0} | counts


async def test_http_submission_with_lost_answers_is_one_referral(serving, client_of, ledger):
    intake = Intake()
    async with serving(intake.handler) as url, client_of(url) as client:
        await front_door.submit_all(client, ledger, Pace())
    sent = ledger.through(Door.HTTP)
    assert sent
    assert all(s.acknowledged and s.referral_id == intake.referrals[s.reference] for s in sent)
    assert len(intake.referrals) == len(sent)
    assert max(intake.effects.values()) == 1
    assert all(bad.answer and "needs.0" in bad.answer for bad in ledger.bad)
    assert ledger.recognised == ledger.sent_twice


async def test_uploaded_row_with_lost_answers_is_one_referral(serving, client_of, ledger, monkeypatch):
    monkeypatch.setattr("bdcan_simulator.bulk_lists.ROWS_PER_FILE", 7)
    intake = Intake()
    async with serving(intake.handler) as url, client_of(url) as client:
        await bulk_lists.upload_all(client, ledger, Pace())
    sent = ledger.through(Door.CSV)
    assert len(sent) > 14
    assert all(s.acknowledged and s.referral_id == intake.referrals[s.reference] for s in sent)
    assert len(intake.referrals) == len(sent)
    assert not ledger.done
    assert {bad.answer for bad in ledger.bad} == {"needs: enum"}
    assert len(ledger.bad) == len(intake.refused) == 6


class Calls(Unreliable):
    """One hub's welfare calls. Every fifth claim has run out when the outcome comes."""

    def __init__(self, ledger: Ledger, *, undoes: bool = True) -> None:
        super().__init__()
        self.undoes = undoes
        self.undone = Counter[str]()
        self.calls = {}
        self.outcomes: dict[str, list[dict[str, Any]]] = {}
        self._claims = Counter[str]()
        for submission in ledger.submissions.values():
            referral_id = str(uuid4())
            ledger.learn(submission.source, submission.reference, referral_id)
            needs = [
                {"need_id": str(uuid4()), "code": c.value, "lane": NEEDS[c].lane}
                for c in submission.resident.needs
            ]
            call = {"call_id": str(uuid4()), "referral_id": referral_id, "attempts": 0, "needs": needs}
            self.calls[call["call_id"]] = call | {"state": "due", "linked": []}

    def work(self, request: web.Request, body: bytes) -> tuple[int, Any]:
        if request.method == "GET":
            return 200, {"items": [c for c in self.calls.values() if c["state"] == "due"]}
        if request.path == "/v1/disclosures":
            return 200, {}
        if request.path.endswith("/instructions"):
            return 204, None
        found = re.fullmatch(r"/v1/welfare-calls/(.{36})/(claim|outcome|undo)", request.path)
        assert found
        call = self.calls[found[1]]
        if found[2] == "claim":
            if call["state"] != "due":
                return 409, {"detail": "claimed"}
            self._claims[call["call_id"]] += 1
            ran_out = hash(call["call_id"]) % 5 == 0 and self._claims[call["call_id"]] == 1
            call["state"] = "due" if ran_out else "claimed"
            call["grant"] = "a-grant"
            return 200, call
        if found[2] == "undo":
            if not self.undoes:
                return 409, {"detail": "too late"}
            self.undone[call["referral_id"]] += 1
            call["state"] = "due"
            return 200, call
        if call["state"] != "claimed":
            return 409, {"detail": "not claimed"}
        report = json.loads(body)
        self.outcomes.setdefault(call["referral_id"], []).append(report)
        call["attempts"] += 1
        again = report["outcome"] == "rescheduled"
        call["state"] = "due" if again else "answered"
        waits = report["outcome"] in {"no-answer", "voicemail", "rescheduled"}
        again_at = "2020-03-24T09:00:00Z" if waits else None
        return 200, {"state": call["state"], "next_attempt_at": again_at, "shared_with": []}


async def ring_everybody(calls: Calls, serving, client_of, ledger: Ledger, eventually) -> None:
    over = asyncio.Event()
    async with serving(calls.handler) as url, client_of(url) as client:
        callers = Callers(client, ledger, Directory(client, ledger), SystemClock())
        work = asyncio.create_task(callers.work(("heath",), over))
        await eventually(lambda: all(c["state"] == "answered" for c in calls.calls.values()))
        over.set()
        await work


async def test_each_resident_is_called_once_despite_lost_answers_and_expired_claims(
    serving, client_of, ledger, eventually
):
    calls = Calls(ledger)
    await ring_everybody(calls, serving, client_of, ledger, eventually)
    for referral_id, submission in ledger.by_referral.items():
        outcomes = [report["outcome"] for report in calls.outcomes[referral_id]]
        resident = submission.resident
        match resident.answers.reach:
            case Reach.NEVER:
                assert outcomes in (["no-answer"], ["voicemail"])
                assert referral_id in ledger.waiting
            case Reach.WRONG_NUMBER:
                assert outcomes == ["wrong-number"]
                assert referral_id in ledger.exhausted
            case Reach.RING_BACK:
                assert outcomes[0] == "rescheduled"
                assert len(outcomes) == 2
            case Reach.ANSWERS:
                assert outcomes[-1] in {"answered", "refused"}
                assert outcomes[:-1] == ["no-answer"] * calls.undone[referral_id]
                assert referral_id not in ledger.waiting
        if outcomes[-1] == "answered":
            told = calls.outcomes[referral_id][-1]["needs"]
            assert submission.found == sum(need["result"] == "found" for need in told)
            assert len(told) == len(resident.needs) + len(resident.answers.found)
            assert referral_id in ledger.reached


async def test_a_slip_is_undone_and_its_call_counts_as_often_as_it_was_reported(
    serving, client_of, ledger, eventually
):
    calls = Calls(ledger)
    await ring_everybody(calls, serving, client_of, ledger, eventually)
    assert ledger.done["slips undone"] == calls.undone.total() > 0
    assert set(calls.undone.values()) == {1}
    told = Counter(report["outcome"] for reports in calls.outcomes.values() for report in reports)
    assert told == {
        name.removeprefix("calls "): count for name, count in ledger.done.items() if name.startswith("calls ")
    }


async def test_a_slip_that_cannot_be_undone_stays_a_missed_call(serving, client_of, ledger, eventually):
    calls = Calls(ledger, undoes=False)
    await ring_everybody(calls, serving, client_of, ledger, eventually)
    missed = {
        referral_id
        for referral_id, reports in calls.outcomes.items()
        if [report["outcome"] for report in reports] == ["no-answer"]
        and ledger.by_referral[referral_id].resident.answers.reach is Reach.ANSWERS
    }
    assert len(missed) == ledger.done["slips undone too late"] > 0
    assert missed <= ledger.waiting.keys()


class Desk(Unreliable):
    """Takes amendments. A parcel is reserved once its referral has been looked at three times."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__()
        self.looks = Counter[str]()
        self.amended: dict[str, tuple[int, dict[str, Any]]] = {}
        for submission in ledger.through(Door.HTTP):
            ledger.learn(submission.source, submission.reference, str(uuid4()))

    def work(self, request: web.Request, body: bytes) -> tuple[int, Any]:
        referral_id = request.path.split("/")[3]
        if request.method == "GET":
            self.looks[referral_id] += 1
            reserved = [{"kind": "parcel.reserved"}] if self.looks[referral_id] >= 3 else []
            return 200, {"state": "assigned", "needs": [], "timeline": reserved}
        self.amended[referral_id] = self.looks[referral_id], json.loads(body)
        return 200, {}


async def test_residents_ring_about_an_allergy_also_while_their_parcel_is_made(
    serving, client_of, ledger, eventually, monkeypatch
):
    monkeypatch.setattr("bdcan_simulator.changes._LOOK_EVERY_SECONDS", 0.01)
    monkeypatch.setattr("bdcan_simulator.changes._LATEST_SECONDS", 0.05)
    desk, over = Desk(ledger), asyncio.Event()
    async with serving(desk.handler) as url, client_of(url) as client:
        work = asyncio.create_task(Changes(client, ledger).work(over))
        await eventually(lambda: ledger.allergies)
        over.set()
        await work
    allergies = {key: looks for key, (looks, body) in desk.amended.items() if "diets" in body}
    assert allergies.keys() == ledger.allergies
    assert {0, 3} <= set(allergies.values())


class Volunteers(Unreliable):
    """Volunteers who have accepted tasks: half of the tasks require a check."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.offerings: dict[str, list[dict[str, Any]]] = {}
        self.volunteers = [
            {
                "volunteer_id": str(uuid4()),
                "hub_ids": ["heath"],
                "task_kinds": ["prescription"],
                "has_car": False,
            }
            for _ in range(count)
        ]
        self.checked = {v["volunteer_id"] for v in self.volunteers[::2]}

    def work(self, request: web.Request, body: bytes) -> tuple[int, Any]:
        if request.path == "/v1/volunteers":
            return 200, {"items": self.volunteers}
        if request.path == "/v1/tasks":
            return 200, {
                "items": [
                    {"volunteer_id": v["volunteer_id"], "requires_dbs": v["volunteer_id"] in self.checked}
                    for v in self.volunteers
                ]
            }
        found = re.fullmatch(r"/v1/volunteers/(.{36})/checks", request.path)
        assert found
        self.offerings.setdefault(found[1], []).append(json.loads(body))
        return 200, {}


async def test_checks_run_out_once_for_some_whose_task_requires_one(
    serving, client_of, ledger, eventually, monkeypatch
):
    monkeypatch.setattr("bdcan_simulator.checks._LOOK_EVERY_SECONDS", 0.01)
    monkeypatch.setattr("bdcan_simulator.checks._RENEWED_AFTER_SECONDS", 0.05)
    system, over, clock = Volunteers(80), asyncio.Event(), SystemClock()
    async with serving(system.handler) as url, client_of(url) as client:
        work = asyncio.create_task(Checks(client, ledger, clock).work(over))
        await eventually(lambda: ledger.done["checks: is new"])
        await eventually(lambda: all(len(told) == 2 for told in system.offerings.values()))
        over.set()
        await work
    assert system.offerings.keys() < system.checked
    for ends, is_new in system.offerings.values():
        assert datetime.fromisoformat(ends.pop("valid_until")) > clock.now()
        assert ends == is_new
    assert ledger.done["checks: ends"] == ledger.done["checks: is new"] == len(system.offerings)


class Tasks(Unreliable):
    """Tasks that are offered, done or failed; a failed or refused one is offered to somebody else."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.done = Counter[str]()
        self.tasks = {
            (task_id := str(uuid4())): {
                "task_id": task_id,
                "volunteer_id": str(uuid4()),
                "kind": TaskKind.ERRAND.value,
                "state": "offered",
            }
            for _ in range(count)
        }

    def work(self, request: web.Request, body: bytes) -> tuple[int, Any]:
        if request.method == "GET":
            return 200, {"items": [t for t in self.tasks.values() if t["state"] == "offered"]}
        _, _, _, task_id, verb = request.path.split("/")
        task = self.tasks[task_id]
        if _claims(request)["volunteer"] != task["volunteer_id"]:
            return 409, {"detail": "somebody else's"}
        expected = {"acceptance": "offered", "refusal": "offered", "concerns": "accepted"}
        if task["state"] != expected.get(verb, "accepted"):
            return 409, {"detail": task["state"]}
        match verb:
            case "acceptance":
                task["state"] = "accepted"
            case "refusal" | "failure":
                task |= {"state": "offered", "volunteer_id": str(uuid4())}
            case "completion":
                task["state"] = "done"
                self.done[task_id] += 1
        return 200, task


async def test_each_task_is_done_once_despite_lost_answers(serving, client_of, ledger, eventually):
    tasks = Tasks(150)
    over = asyncio.Event()
    async with serving(tasks.handler) as url, client_of(url) as client:
        work = asyncio.create_task(Doorstep(client, ledger, FAST).work(over))
        await eventually(lambda: len(tasks.done) == 150)
        over.set()
        await work
    assert set(tasks.done.values()) == {1}
    assert ledger.done["tasks refusal"] > 5
    assert ledger.done["tasks completion"] == 150


class HadBack(Tasks):
    """Tasks that a volunteer loses and gets again before the first try ends: both tries report them done."""

    def __init__(self, count: int) -> None:
        super().__init__(count)
        self.accepted = Counter[str]()

    def work(self, request: web.Request, body: bytes) -> tuple[int, Any]:
        if request.method == "GET":
            return super().work(request, body)
        _, _, _, task_id, verb = request.path.split("/")
        task = self.tasks[task_id]
        if verb == "acceptance":
            self.accepted[task_id] += 1
            task["state"] = "accepted" if self.accepted[task_id] == 2 else "offered"
        if verb == "completion":
            if task["state"] == "offered":
                return 503, {}
            task["state"] = "done"
        return 200, task


async def test_a_task_that_is_reported_done_twice_counts_once(serving, client_of, ledger, eventually):
    tasks, over = HadBack(20), asyncio.Event()
    async with serving(tasks.handler) as url, client_of(url) as client:
        work = asyncio.create_task(Doorstep(client, ledger, FAST).work(over))
        await eventually(lambda: all(task["state"] == "done" for task in tasks.tasks.values()))
        over.set()
        await work
    assert ledger.done["tasks completion"] == 20
    assert ledger.done["tasks completion again"] > 10


class Food(Unreliable):
    """Parcels of which some are short until a second delivery comes, and some are stopped until somebody decides."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.deliveries = Counter[str]()
        self.parcels = {
            (parcel_id := str(uuid4())): {
                "parcel_id": parcel_id,
                "site_id": "central" if n % 2 else "becontree",
                "state": "picking" if n % 10 == 5 else "reserved" if n % 3 else "short",
                "stopped": n % 10 == 5,
                "changed_at": "09:00",
            }
            for n in range(count)
        }

    def work(self, request: web.Request, body: bytes) -> tuple[int, Any]:
        if request.path == "/v1/parcel-notices":
            return 200, {"items": [dict(p) for p in self.parcels.values() if p["stopped"]]}
        if request.method == "GET":
            state = request.query["state"]
            return 200, {"items": [dict(p) for p in self.parcels.values() if p["state"] == state]}
        if request.path == "/v1/stock-receipts":
            site = json.loads(body)["site_id"]
            self.deliveries[site] += 1
            if site != "central" or self.deliveries[site] > 1:
                for parcel in self.parcels.values():
                    if parcel["site_id"] == site and parcel["state"] == "short":
                        parcel["state"] = "reserved"
            return 201, {}
        _, _, _, parcel_id, verb = request.path.split("/")
        parcel = self.parcels[parcel_id]
        if verb == "decision":
            parcel |= {"stopped": False, "state": "reserved", "changed_at": "09:30"}
            return 200, parcel
        if parcel["stopped"] or parcel["state"] != {"picking": "reserved", "packing": "picking"}[verb]:
            return 409, {"detail": parcel["state"]}
        parcel["state"] = {"picking": "picking", "packing": "packed"}[verb]
        return 200, parcel


async def test_pickers_restock_short_parcels_and_pack_each_once(serving, client_of, ledger, eventually):
    food = Food(60)
    over = asyncio.Event()
    async with serving(food.handler) as url, client_of(url) as client:
        work = asyncio.create_task(Pickers(client, ledger, referrals=60).work(("central",), over))
        await eventually(lambda: all(p["state"] == "packed" for p in food.parcels.values()))
        over.set()
        await work
    assert ledger.done["parcels packed"] == 60
    assert food.deliveries["becontree"] >= 1
    assert ledger.done["parcels decision"] == 6
    assert max(food.effects.values()) == 1


STORY = (
    "referral.received",
    "referral.assigned",
    "welfare-call.completed",
    "task.accepted",
    "referral.closed",
)
"""Each look at a referral shows one line more."""


class Rights(Unreliable):
    """Knows every reference; tells what is held, and erases after a while."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: dict[str, str] = {}
        self.looks = Counter[str]()
        self.asked_after: dict[str, str] = {}
        self.notes: list[str] = []

    def work(self, request: web.Request, body: bytes) -> tuple[int, Any]:
        path = request.path.removeprefix("/v1/")
        if path == "referrals":
            referral_id = self.ids.setdefault(request.query["reference"], str(uuid4()))
            return 200, {"items": [{"referral_id": referral_id}]}
        if path == "rights/exports":
            return 200, {"holds": [{"records": {"residents": [{}], "notes": [{}, {}]}}]}
        if path == "rights/erasures":
            [erasure_id] = json.loads(body)["referral_ids"]
            self.asked_after[erasure_id] = STORY[min(self.looks[erasure_id], len(STORY)) - 1]
            return 201, {"erasure": {"erasure_id": erasure_id}}
        if path.endswith("/notes"):
            self.notes.append(json.loads(body)["text"])
            return 201, {}
        self.looks[path.partition("/")[2]] += 1
        if path.startswith("rights/erasures/"):
            done = self.looks[path.partition("/")[2]] > 2
            return 200, {
                "state": "done" if done else "waiting",
                "answers": [{"rows": {"notes": 2}, "keeps": []}],
            }
        seen = self.looks[path.partition("/")[2]]
        return 200, {"timeline": [{"kind": kind} for kind in STORY[:seen]]}


async def test_each_resident_asks_once_at_their_moment(
    serving, client_of, eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bdcan_simulator.erasures._LOOK_EVERY_SECONDS", 0.01)
    ledger = Ledger(run="r1")
    residents = list(Borough(11, MadeUpPostcodes()).residents(120))
    ledger.enter(residents, who_asks(residents, 10))
    for submission in ledger.submissions.values():
        submission.acknowledged = True
    rights, over = Rights(), asyncio.Event()
    async with serving(rights.handler) as url, client_of(url) as client:
        work = asyncio.create_task(Erasures(client, ledger, asyncio.Event()).work(over))
        await eventually(lambda: len(ledger.met) == 10)
        over.set()
        await work
    signs = {
        Moment.PLACED: "referral.assigned",
        Moment.RUNG: "welfare-call.completed",
        Moment.IN_HAND: "task.accepted",
        Moment.ENDED: "referral.closed",
    }
    for erasure in ledger.met:
        assert erasure.rows_shown == 15
        if erasure.moment in signs:
            at_least = STORY.index(signs[erasure.moment])
            assert STORY.index(rights.asked_after[erasure.referral_id or ""]) >= at_least
    asked = [count for what, count in rights.effects.items() if what.startswith("/v1/rights/erasures ")]
    assert asked == [1] * 10
    assert sum("asked to be erased" in text for text in rights.notes) == 10
    assert ledger.done["erasures done"] == 10


@pytest.mark.parametrize("why", ["it takes too long", "nothing more happens today"])
async def test_resident_whose_moment_does_not_come_asks_all_the_same(
    serving, client_of, eventually, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    monkeypatch.setattr("bdcan_simulator.erasures._LOOK_EVERY_SECONDS", 0.01)
    monkeypatch.setattr("bdcan_simulator.erasures._MOST_LOOKS", 3)
    settled = asyncio.Event()
    if why == "nothing more happens today":
        monkeypatch.setattr("bdcan_simulator.erasures._MOST_LOOKS", 10_000)
        settled.set()
    ledger = Ledger(run="r1")
    residents = list(Borough(11, MadeUpPostcodes()).residents(20))
    ledger.enter(residents, dict.fromkeys(who_asks(residents, 1), Moment.ENDED))
    for submission in ledger.submissions.values():
        submission.acknowledged = True
    over = asyncio.Event()
    async with serving(Rights().handler) as url, client_of(url) as client:
        work = asyncio.create_task(Erasures(client, ledger, settled).work(over))
        await eventually(lambda: ledger.met)
        over.set()
        await work
    assert [one.moment for one in ledger.met] == [Moment.IN_VAIN]


def test_phone_desk_token_names_the_source_of_its_referrals():
    assert front_door.OPERATOR.sources == (PHONE_DESK.name,)
