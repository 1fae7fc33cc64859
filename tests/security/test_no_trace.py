"""Whoever is erased leaves no trace in the five databases, whatever door they came through, and late events bring nothing back.

The five services run with their real databases and handlers; this test carries the records from one to the other. A scan looks for the
planted values in every column of every table. It is shown to find a planted leak.
"""

from __future__ import annotations

import asyncio
import csv
import io
import json
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from prometheus_client import generate_latest

from bdcan_chassis.testing.harness import START, FakeRecord, Harness
from bdcan_contracts.models import (
    ErasureAnswered,
    Household,
    InboundReferralRefused,
    InboundReferralSubmitted,
    Person,
    Priority,
    ReferralAmended,
    ReferralErasureRequested,
)
from bdcan_contracts.vocabulary import Channel, NeedCode
from bdcan_intake.domain.enquiry import volunteer_id_of
from bdcan_local import rights
from bdcan_local.errors import PlatformError

SERVICES = ("intake", "routing", "volunteer_match", "foodhub", "escalation")
PLANTED = {
    "name": "Zebedee Quorlix",
    "phone": "07700 900773",
    "email": "zq-planted@example.org",
    "nhs_number": "943 476 5919",
    "address": "77 Xylophone Mews",
    "notes": "The parrot swears vividly.",
    "note": "Has a wooden leg of oak.",
    "reference": "ref of Zebedee, 4 Feb",
}
TRACES = (
    "Zebedee",
    "Quorlix",
    "900773",
    "zq-planted",
    "943 476",
    "9434765919",
    "Xylophone",
    "parrot",
    "wooden",
    "RM10",
)


@dataclass
class Five:
    """The five services. `travelled`: every record that went from one to another."""

    by_name: dict[str, Harness]
    travelled: list[tuple[str, FakeRecord]] = field(default_factory=list)

    def __getattr__(self, name: str) -> Harness:
        return self.by_name[name]

    async def settle(self) -> None:
        """Carry records until nobody has anything to say."""
        while True:
            moved = 0
            for given in self.by_name.values():
                for event in await given.emitted():
                    moved += 1
                    record = given.record(event.data)
                    self.travelled.append((event.type, record))
                    await self.carry(record, event.type)
            if not moved:
                return

    async def carry(self, record: FakeRecord, event_type: str) -> None:
        """Give a record to every service that reads it."""
        for given in self.by_name.values():
            reads = any(
                line.topic.name == record.topic and given.service.catalogue.of(line.model).type == event_type
                for consumer in given.service.consumers
                for line in consumer.table
            )
            if reads:
                outcome = await given.deliver(record)
                assert not outcome["parked"], (given.service.name, event_type)

    def advance(self, span: timedelta) -> None:
        """Move the clocks of all services."""
        for given in self.by_name.values():
            given.clock.advance(span)

    async def fire(self) -> None:
        """Let deadlines fire everywhere, and carry what they say."""
        for given in self.by_name.values():
            await given.fire()
        await self.settle()


@pytest.fixture
async def five(start: Callable[..., AbstractAsyncContextManager[Harness]]) -> AsyncIterator[Five]:
    async with AsyncExitStack() as stack:
        started = {}
        for name in SERVICES:
            started[name] = await stack.enter_async_context(start(name))
        await started["routing"].run("seed")
        yield Five(started)


async def _hand_in(five: Five, *needs: str, reference: str = PLANTED["reference"]) -> UUID:
    answer = await five.intake.http.post(
        "/v1/referrals",
        json={
            "channel": "phone",
            "reference": reference,
            "person": {
                **{k: PLANTED[k] for k in ("name", "phone", "email", "nhs_number", "address")},
                "birth_date": "1941-02-03",
                "postcode": "RM10 8XX",
            },
            "household": {"adults": 7, "children": 6},
            "diets": ["kosher"],
            "flags": ["interpreter-needed"],
            "needs": list(needs),
            "notes": PLANTED["notes"],
        },
    )
    assert answer.status_code == 201, answer.text
    referral_id = UUID(answer.json()["referral_id"])
    noted = await five.intake.http.post(f"/v1/referrals/{referral_id}/notes", json={"text": PLANTED["note"]})
    assert noted.status_code == 201, noted.text
    await five.settle()
    return referral_id


def _amended(referral_id: UUID) -> ReferralAmended:
    return ReferralAmended(
        referral_id=referral_id,
        version=9,
        priority=Priority.STANDARD,
        postcode="RM10 8XX",
        household=Household(adults=7, children=6),
        needs=(),
        diets=("kosher",),
        flags=("interpreter-needed",),
        changed=("diets", "household", "flags"),
        amended_at=START,
    )


async def _ask(five: Five, *referral_ids: UUID) -> UUID:
    answer = await five.intake.http.post(
        "/v1/rights/erasures",
        json={"referral_ids": [str(i) for i in referral_ids], "reason": "resident-asked"},
    )
    assert answer.status_code == 201, answer.text
    await five.settle()
    return UUID(answer.json()["erasure"]["erasure_id"])


async def _receipt(five: Five, erasure_id: UUID) -> dict[str, Any]:
    answer = await five.intake.http.get(f"/v1/rights/erasures/{erasure_id}")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def traces(five: Five, *wanted: str) -> list[str]:
    """Every place in the five databases where one of these texts stands, in any case and as bytes too."""
    found = []
    for name, given in five.by_name.items():
        for row in await given.fetch(
            "SELECT table_schema, table_name FROM information_schema.tables"
            " WHERE table_schema IN ('public', 'chassis') AND table_name NOT LIKE 'gazetteer%' AND table_name NOT LIKE 'hub%'"
        ):
            table = f"{row['table_schema']}.{row['table_name']}"
            columns = await given.fetch(
                "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = $1 AND table_name = $2",
                *row,
            )
            text = " || ' ' || ".join(
                f"coalesce(encode({c['column_name']}, 'escape'), '')"
                if c["data_type"] == "bytea"
                else f"coalesce({c['column_name']}::text, '')"
                for c in columns
            )
            for line in await given.fetch(f"SELECT {text} AS line FROM {table}"):
                found += [f"{name} {table}: {x}" for x in wanted if x.lower() in line["line"].lower()]
    return found


async def test_scan_finds_what_is_planted_and_a_leak_of_one_column(five: Five) -> None:
    referral_id = await _hand_in(five, "food-parcel", "shopping")
    for wanted in TRACES:
        if wanted != "9434765919":
            assert await traces(five, wanted), wanted
    assert {line.split()[0] for line in await traces(five, "kosher")} >= {"intake", "routing"}
    await _ask(five, referral_id)
    await five.volunteer_match.fetch(
        "UPDATE welfare_call SET warnings = ARRAY['Quorlix'] WHERE referral_id = $1", referral_id
    )
    assert await traces(five, *TRACES) == ["volunteer_match public.welfare_call: Quorlix"]


async def test_erased_person_leaves_no_trace_and_the_receipt_says_what_stays(
    five: Five, capfd: pytest.CaptureFixture[str]
) -> None:
    referral_id = await _hand_in(five, "food-parcel", "shopping", "prescription")
    erasure_id = await _ask(five, referral_id)
    receipt = await _receipt(five, erasure_id)
    assert (receipt["state"], receipt["missing"]) == ("done", [])
    assert {one["service"] for one in receipt["answers"] if one["erased"]} == {
        name.replace("_", "-") for name in SERVICES
    }
    by_service = {one["service"]: one for one in receipt["answers"]}
    assert by_service["intake"]["rows"]["residents"] == 1
    assert by_service["routing"]["rows"]["homes"] == 1
    assert "case-numbers" in by_service["escalation"]["keeps"]
    assert await traces(five, *TRACES, "kosher", "interpreter") == []
    said = capfd.readouterr()
    for wanted in TRACES:
        assert wanted not in said.out + said.err + generate_latest().decode()
    carried = b" ".join((record.key or b"") + (record.value or b"") for _, record in five.travelled)
    for wanted in TRACES:
        if wanted != "RM10":  # routing alone hears the postcode; Kafka deletes it after 14 days
            assert wanted.encode() not in carried, wanted


async def test_late_events_bring_nothing_back(five: Five) -> None:
    referral_id = await _hand_in(five, "food-parcel", "shopping")
    calls = await five.volunteer_match.fetch(
        "SELECT call_id, hub_id FROM welfare_call WHERE referral_id = $1", referral_id
    )
    client = five.volunteer_match.http
    call_id = calls[0]["call_id"]
    assert (await client.post(f"/v1/welfare-calls/{call_id}/claim", json={})).status_code < 300
    before = list(five.travelled)
    erasure_id = await _ask(five, referral_id)
    assert await traces(five, *TRACES, "kosher") == []
    # everything arrives once more, as new records: by a replay of a topic, or crossing the request
    for event_type, record in before:
        data = five.intake.service.catalogue.by_type[event_type].model.model_validate_json(
            record.value or b""
        )
        again = five.intake.record(data)
        await five.carry(again, event_type)
    # a crossing amendment that nobody has heard of tells all of it anew
    await five.carry(five.intake.record(_amended(referral_id)), "bdcan.intake.referral.amended.v1")
    await five.settle()
    assert await traces(five, *TRACES, "kosher") == []
    assert (await _receipt(five, erasure_id))["referral_ids"] == [str(referral_id)]


async def test_same_reference_is_refused_at_every_door_and_a_new_one_is_taken(five: Five) -> None:
    submitted = InboundReferralSubmitted(
        source="riverside-surgery",
        reference=PLANTED["reference"],
        channel=Channel.GP,
        person=Person(name=PLANTED["name"], phone=PLANTED["phone"], postcode="RM10 8XX"),
        needs=(NeedCode.SHOPPING,),
    )
    await five.intake.deliver(submitted)
    await five.settle()
    [row] = await five.intake.fetch("SELECT id FROM referral")
    await _ask(five, row["id"])
    before = len(five.travelled)
    await five.intake.deliver(submitted)
    await five.settle()
    refused = [t for t, _ in five.travelled[before:]]
    assert refused == [five.intake.service.catalogue.of(InboundReferralRefused).type]
    assert await traces(five, *TRACES) == []
    await five.intake.deliver(submitted.model_copy(update={"reference": "another"}))
    assert len(await five.intake.fetch("SELECT FROM referral")) == 2


@pytest.mark.parametrize("door", ["http", "csv"])
async def test_request_that_is_handed_in_again_after_the_erasure_leaves_no_trace(
    five: Five, capfd: pytest.CaptureFixture[str], door: str
) -> None:
    await _ask(five, await _hand_in(five, "shopping"))
    person = {k: PLANTED[k] for k in ("name", "phone", "email", "nhs_number", "address")}
    if door == "http":
        body = {
            "channel": "phone",
            "reference": PLANTED["reference"],
            "person": person,
            "needs": ["shopping"],
        }
        answer = await five.intake.http.post("/v1/referrals", json=body)
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "reference-erased")
    else:
        row = {
            "reference": PLANTED["reference"],
            "channel": "phone",
            **person,
            "needs": "shopping",
            "notes": PLANTED["notes"],
        }
        lines = io.StringIO()
        writer = csv.DictWriter(lines, row)
        writer.writeheader()
        writer.writerow(row)
        answer = await five.intake.http.post(
            "/v1/referral-imports", content=lines.getvalue(), headers={"Content-Type": "text/csv"}
        )
        assert (answer.status_code, answer.json()["refused"]) == (201, 1), answer.text
        problems = await five.intake.fetch("SELECT code, reference FROM referral_import_error")
        assert [row["code"] for row in problems] == ["reference-erased"], problems
    await five.settle()
    said = capfd.readouterr()
    assert await traces(five, *TRACES) == []
    assert [wanted for wanted in TRACES if wanted in said.out + said.err] == []


async def test_erasure_waits_for_a_parcel_on_its_way_until_its_time_is_up(five: Five) -> None:
    referral_id = await _hand_in(five, "food-parcel")
    await five.foodhub.fetch(
        "INSERT INTO parcel (parcel_id, referral_id, need_id, hub_id, site_id, code, priority, household, diets, lines, state,"
        " requested_at, due_at, changed_at, missing, missing_items, bags, weight_grams, overdue) VALUES ($1, $2, $3, 'thames',"
        " 'becontree', 'food-parcel', 'standard', '{\"adults\": 7, \"children\": 6, \"infants\": 0}', '{kosher}', '[]', 'dispatched',"
        " now(), now(), now(), '[]', '{}', 1, 1, false)",
        uuid4(),
        referral_id,
        uuid4(),
    )
    await five.foodhub.fetch(
        "UPDATE parcel SET decided = '{halal-or-so}', departure = jsonb_build_object("
        "'left_at', now(), 'household', NULL, 'diets', ARRAY['halal-or-so'], 'kept', false)"
    )
    erasure_id = await _ask(five, referral_id)
    receipt = await _receipt(five, erasure_id)
    assert receipt["state"] == "waiting"
    [waits] = [one for one in receipt["answers"] if not one["erased"]]
    assert (waits["service"], waits["waits_for"]) == ("foodhub", ["parcel-on-its-way"])
    assert await traces(five, "kosher") == ["foodhub public.parcel: kosher"]
    five.advance(timedelta(days=22))
    await five.fire()
    assert (await _receipt(five, erasure_id))["state"] == "done"
    assert await traces(five, *TRACES, "kosher", "halal-or-so") == []


async def test_service_that_does_not_answer_raises_an_alarm(five: Five) -> None:
    referral_id = await _hand_in(five, "shopping")
    answer = await five.intake.http.post(
        "/v1/rights/erasures", json={"referral_ids": [str(referral_id)], "reason": "resident-asked"}
    )
    erasure_id = answer.json()["erasure"]["erasure_id"]
    events = await five.intake.emitted()
    assert [e.data.service for e in events if isinstance(e.data, ErasureAnswered)] == ["intake"]
    assert [e.data.referral_id for e in events if isinstance(e.data, ReferralErasureRequested)] == [
        referral_id
    ]
    five.advance(timedelta(days=29))
    await five.intake.fire()
    listed = (await five.intake.http.get("/v1/rights/erasures?state=waiting")).json()["items"]
    assert [(one["erasure_id"], one["overdue"]) for one in listed] == [(erasure_id, True)]


async def test_export_shows_all_that_five_services_hold_and_who_saw_it(five: Five) -> None:
    referral_id = await _hand_in(five, "food-parcel", "safeguarding-adult")
    asked = {"referral_ids": [str(referral_id)], "reason": "the resident asked to see it"}
    shown = {}
    for name, given in five.by_name.items():
        answer = await given.http.post("/v1/rights/exports", json=asked)
        assert answer.status_code == 200, answer.text
        shown[name] = answer.json()
        refused = await given.client(["referrals:read"]).post("/v1/rights/exports", json=asked)
        assert refused.status_code == 403
    text = json.dumps(shown)
    for wanted in (
        "Zebedee Quorlix",
        "900773",
        "parrot",
        "wooden",
        "RM10 8XX",
        "kosher",
        "interpreter-needed",
    ):
        assert wanted in text, wanted
    for name, kind in (
        ("intake", "residents"),
        ("intake", "notes"),
        ("routing", "homes"),
        ("escalation", "case-numbers"),
    ):
        assert shown[name]["holds"][0]["records"][kind], (name, kind)
    again = (await five.intake.http.post("/v1/rights/exports", json=asked)).json()["holds"][0]
    assert [one["act"] for one in again["seen"]] == ["person-exported"]
    # a case at the council is waited for, and the person is erased when the time is up
    erasure_id = await _ask(five, referral_id)
    waits = {code for one in (await _receipt(five, erasure_id))["answers"] for code in one["waits_for"]}
    assert waits == {"referral-open", "case-open"}
    five.advance(timedelta(days=22))
    await five.fire()
    assert (await _receipt(five, erasure_id))["state"] == "done"
    after = [
        (await given.http.post("/v1/rights/exports", json=asked)).json() for given in five.by_name.values()
    ]
    assert not [wanted for wanted in (*TRACES, "kosher") if wanted in json.dumps(after)]


async def test_commands_export_and_erase_ask_the_services(five: Five) -> None:
    referral_id = await _hand_in(five, "shopping")
    urls = {name.replace("_", "-"): given.url for name, given in five.by_name.items()}
    headers = {"X-API-Key": five.intake.http.headers["X-API-Key"]}
    exported = await asyncio.to_thread(
        rights.export, urls, headers, rights.whom([str(referral_id)]), "resident-asked"
    )
    said: list[str] = []
    rights.as_text(exported, said.append)
    assert f"routing, referral {referral_id}" in said
    assert any("Zebedee Quorlix" in line for line in said)
    taken = await asyncio.to_thread(
        rights.erase, five.intake.url, headers, rights.whom([str(referral_id)]), "resident-asked"
    )
    await five.settle()
    assert (await _receipt(five, taken["erasure"]["erasure_id"]))["state"] == "done"
    with pytest.raises(PlatformError, match="404"):
        await asyncio.to_thread(
            rights.erase, five.intake.url, headers, rights.whom([str(uuid4())]), "resident-asked"
        )


async def test_volunteer_who_asks_leaves_and_is_erased(five: Five) -> None:
    answer = await five.intake.http.post(
        "/v1/volunteer-enquiries",
        json={**{k: PLANTED[k] for k in ("name", "phone", "email", "notes")}, "postcode": "RM10 8XX"},
    )
    enquiry_id = answer.json()["enquiry_id"]
    await five.settle()
    asked = await five.intake.http.post(
        "/v1/rights/erasures", json={"enquiry_ids": [enquiry_id], "reason": "volunteer-asked"}
    )
    assert asked.json()["erasure"]["waits_for_enquiries"] == [enquiry_id]
    await five.settle()
    assert (await _receipt(five, UUID(asked.json()["erasure"]["erasure_id"])))["state"] == "done"
    assert await traces(five, *TRACES) == []


async def _volunteer_of_a_hub(five: Five) -> str:
    """Somebody whom a hub took on by itself, with a task that they accepted and a check that was seen."""
    await five.settle()
    body = {
        "name": PLANTED["name"],
        "phone": PLANTED["phone"],
        "hub_ids": ["hub-1"],
        "task_kinds": ["shopping"],
    }
    answer = await five.volunteer_match.http.post("/v1/volunteers", json=body)
    assert answer.status_code == 201, answer.text
    volunteer_id = answer.json()["volunteer_id"]
    seen = {
        "kind": "enhanced-dbs",
        "reference": "DBS-943476591",
        "issued_on": "2020-01-02",
        "seen_on": "2020-03-20",
    }
    answer = await five.volunteer_match.http.post(f"/v1/volunteers/{volunteer_id}/checks", json=seen)
    assert answer.status_code < 300, answer.text
    look = {"reason": "Zebedee asked to be rung"}
    assert (
        await five.volunteer_match.http.post(f"/v1/volunteers/{volunteer_id}/contact-views", json=look)
    ).status_code == 200
    await five.settle()
    return volunteer_id


async def _exported(five: Five, **whom: list[str]) -> dict[str, dict[str, Any]]:
    """What each service shows of somebody, by service."""
    asked = {"reason": "they asked to see it"} | whom
    answers = {
        name: await given.http.post("/v1/rights/exports", json=asked) for name, given in five.by_name.items()
    }
    assert {answer.status_code for answer in answers.values()} == {200}
    return {name: answer.json()["holds"][0] for name, answer in answers.items()}


async def test_volunteer_of_a_hub_sees_what_is_held_and_is_erased_by_their_id(five: Five) -> None:
    volunteer_id = await _volunteer_of_a_hub(five)
    shown = await _exported(five, volunteer_ids=[volunteer_id])
    records = shown["volunteer_match"]["records"]
    assert set(records) >= {"persons", "checks", "enquiries"}
    assert "Zebedee Quorlix" in json.dumps(records)
    assert [one["act"] for one in shown["volunteer_match"]["seen"]] == ["contact-shown"]
    assert await traces(five, "DBS-9434")
    for _ in range(2):  # who asks again is answered again
        asked = {"volunteer_ids": [volunteer_id], "reason": "volunteer-asked"}
        answer = await five.intake.http.post("/v1/rights/erasures", json=asked)
        assert answer.json()["erasure"]["waits_for_volunteers"] == [volunteer_id]
        await five.settle()
        assert (await _receipt(five, UUID(answer.json()["erasure"]["erasure_id"])))["state"] == "done"
        assert await traces(five, *TRACES, "DBS-9434") == []
    after = await _exported(five, volunteer_ids=[volunteer_id])
    assert "Quorlix" not in json.dumps(after)
    assert after["volunteer_match"]["records"]["checks"][0]["reference"] is None


async def test_request_about_a_volunteer_whom_nobody_knows_ends_at_once(five: Five) -> None:
    stranger = str(uuid4())
    asked = {"volunteer_ids": [stranger], "reason": "volunteer-asked"}
    answer = await five.intake.http.post("/v1/rights/erasures", json=asked)
    assert answer.json()["erasure"]["state"] == "waiting"
    await five.settle()
    receipt = await _receipt(five, UUID(answer.json()["erasure"]["erasure_id"]))
    assert (receipt["state"], receipt["unknown_volunteers"]) == ("done", [stranger])
    assert receipt["waits_for_volunteers"] == []


async def test_who_enquired_sees_what_is_held_by_either_id_and_is_erased_by_either(five: Five) -> None:
    for key in ("enquiry_ids", "volunteer_ids"):
        answer = await five.intake.http.post(
            "/v1/volunteer-enquiries",
            json={**{k: PLANTED[k] for k in ("name", "phone", "email", "notes")}, "postcode": "RM10 8XX"},
        )
        enquiry_id = answer.json()["enquiry_id"]
        await five.settle()
        whom = {key: [enquiry_id if key == "enquiry_ids" else str(volunteer_id_of(UUID(enquiry_id)))]}
        shown = await _exported(five, **whom)
        assert "Zebedee Quorlix" in json.dumps(shown["intake"]["records"]["enquiries"])
        assert shown["volunteer_match"]["records"]["enquiries"][0]["state"] == "enquired"
        asked = {**whom, "reason": "volunteer-asked"}
        taken = (await five.intake.http.post("/v1/rights/erasures", json=asked)).json()
        assert taken["erasure"]["waits_for_enquiries"] == [enquiry_id]
        await five.settle()
        assert (await _receipt(five, UUID(taken["erasure"]["erasure_id"])))["state"] == "done"
        assert await traces(five, *TRACES) == []


async def test_erasure_at_any_moment_of_a_life_in_any_order_leaves_no_trace(five: Five) -> None:
    """Each service hears a life again, mixed up and twice, and in its midst that the person is erased."""
    for seed in range(4):
        before = len(five.travelled)
        referral_id = await _hand_in(
            five, "food-parcel", "shopping", "housing", reference=f"any order {seed}"
        )
        client = five.volunteer_match.http
        [call] = await five.volunteer_match.fetch(
            "SELECT call_id FROM welfare_call WHERE referral_id = $1", referral_id
        )
        path = f"/v1/welfare-calls/{call['call_id']}"
        assert (await client.post(f"{path}/claim")).status_code == 200
        said = {"outcome": "answered", "household": {"adults": 7}, "diets": ["kosher"]}
        assert (await client.post(f"{path}/outcome", json=said)).status_code == 200
        await five.settle()
        life = [record for _, record in five.travelled[before:]]
        assert await traces(five, "kosher")
        await _hear_again(five, referral_id, life, random.Random(seed))
        found = await traces(five, "RM10", "kosher", "interpreter")
        assert [line for line in found if not line.startswith("intake ")] == [], seed
        await _ask(five, referral_id)
        five.advance(timedelta(days=22))
        await five.fire()
        assert await traces(five, *TRACES, "kosher", "interpreter") == [], seed


async def _hear_again(five: Five, referral_id: UUID, life: list[FakeRecord], chance: random.Random) -> None:
    """Play a life once more to all but intake, twice and in another order, with the erasure somewhere in it."""
    now = five.intake.clock.now()
    asked = ReferralErasureRequested(
        referral_id=referral_id,
        erasure_id=uuid4(),
        requested_at=now,
        erase_by=now,  # open work is waited for no longer
    )
    for name in SERVICES[1:]:
        given = five.by_name[name]
        topics = {topic for consumer in given.service.consumers for topic in consumer.topics}
        heard = [record for record in life if record.topic in topics] * 2
        chance.shuffle(heard)
        heard.insert(chance.randrange(len(heard) + 1), given.record(asked))
        await given.fetch("TRUNCATE chassis.inbox")
        for record in heard:
            assert not (await given.deliver(record))["parked"], (name, record.topic)
        await given.emitted()
