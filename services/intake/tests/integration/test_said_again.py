"""A repeated request: while the referral is open it is a duplicate, once it is closed the person needs help again."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))  # intake_story.py is shared by all tests

import intake_story as s  # pyright: ignore[reportMissingImports] # found by the line above

from bdcan_chassis.testing.harness import Harness
from bdcan_contracts import models as m
from bdcan_contracts import vocabulary

BODY = {
    "channel": "phone",
    "reference": "week-12",
    "person": {"name": "Amina Example", "phone": "07700 900417"},
    "needs": ["shopping"],
}


async def hand_in(given: Harness, **more: Any) -> Any:
    return await given.http.post("/v1/referrals", json=BODY | more)


async def close(given: Harness, referral_id: str) -> None:
    path = f"/v1/referrals/{referral_id}/withdrawal"
    answer = await given.http.post(path, json={"reason": "no-longer-needed"})
    assert answer.json()["state"] == "closed"


@pytest.mark.parametrize("notes", [None, "She has moved."])
async def test_closed_referral_is_followed_by_a_new_one(given: Harness, notes: str | None):
    first = (await hand_in(given)).json()["referral_id"]
    await close(given, first)
    given.clock.advance(timedelta(days=7))
    await given.emitted()
    again = await hand_in(given, **({"notes": notes} if notes else {}))
    assert again.status_code == 201
    assert (again.json()["previous_referral_id"], again.json()["reference"]) == (first, "week-12")
    [received] = await given.emitted()
    assert received.data.previous_referral_id == UUID(first)
    old = (await given.http.get(f"/v1/referrals/{first}")).json()
    assert (old["next_referral_id"], old["reference"]) == (again.json()["referral_id"], "week-12")
    listed = (await given.http.get("/v1/referrals?reference=week-12")).json()["items"]
    assert [one["referral_id"] for one in listed] == [first, again.json()["referral_id"]]


async def test_open_referral_answers_its_repetition(given: Harness):
    first = await hand_in(given)
    again = await hand_in(given)
    assert (again.status_code, again.json()["referral_id"]) == (200, first.json()["referral_id"])
    other = await hand_in(given, notes="She has moved.")
    assert other.status_code == 409
    assert first.json()["referral_id"] in other.json()["detail"]


async def test_third_request_follows_the_second(given: Harness):
    chain = []
    for _ in range(3):
        answer = await hand_in(given)
        assert answer.status_code == 201
        chain.append(answer.json())
        await close(given, answer.json()["referral_id"])
    assert [one.get("previous_referral_id") for one in chain] == [
        None,
        chain[0]["referral_id"],
        chain[1]["referral_id"],
    ]


async def test_followed_referral_can_be_reopened(given: Harness):
    first = (await hand_in(given)).json()["referral_id"]
    await close(given, first)
    second = (await hand_in(given)).json()["referral_id"]
    r = s.referral()
    concern = s.escalation(m.EscalationOpened, r, uuid4(), code=vocabulary.NeedCode.SAFEGUARDING_ADULT)
    await given.deliver(concern.model_copy(update={"referral_id": UUID(first)}))
    assert (await given.http.get(f"/v1/referrals/{first}")).json()["state"] == "being-helped"
    assert (await hand_in(given)).json()["referral_id"] == second


async def test_repeated_requests_at_once_open_one_new_referral(given: Harness):
    first = (await hand_in(given)).json()["referral_id"]
    await close(given, first)
    answers = await asyncio.gather(*(hand_in(given) for _ in range(8)))
    assert sorted(a.status_code for a in answers) == [200] * 7 + [201]
    assert len({a.json()["referral_id"] for a in answers}) == 1


async def test_receipt_names_the_referral_that_the_new_one_follows(given: Harness):
    submitted = m.InboundReferralSubmitted(
        source="riverside-surgery",
        reference="week-12",
        channel=vocabulary.Channel.GP,
        needs=(vocabulary.NeedCode.SHOPPING,),
    )
    await given.deliver(submitted)
    [first] = await given.emitted(m.InboundReferralAccepted)
    await close(given, str(first.data.referral_id))
    await given.emitted()
    await given.deliver(submitted, submitted)
    again, duplicate = await given.emitted(m.InboundReferralAccepted)
    assert (again.data.duplicate, again.data.previous_referral_id) == (False, first.data.referral_id)
    assert (duplicate.data.duplicate, duplicate.data.referral_id) == (True, again.data.referral_id)


URL = "/v1/referral-imports?source=shielding-list"


async def test_import_names_each_duplicate_row_and_its_referral(given: Harness):
    header = "reference,name,needs\n"
    first = header + "A-1,Amina Example,shopping\nA-2,Ben Example,shopping\n,Cal Example,shopping\n"
    assert (await given.http.post(URL, content=first)).json()["duplicate_rows"] == []
    ids = {
        row["name"]: str(row["referral_id"])
        for row in await given.fetch("SELECT name, referral_id FROM resident")
    }
    await close(given, ids["Amina Example"])
    second = header + ",Cal Example,shopping\n\nA-2,Ben Example,shopping\nA-1,Amina Example,shopping\n"
    done = (await given.http.post(URL, content=second + "A-2,Ben Example,shopping\n")).json()
    assert (done["accepted"], done["duplicates"]) == (1, 3)
    assert done["duplicate_rows"] == [
        {"line": 2, "referral_id": ids["Cal Example"], "state": "received", "open": True},
        {"line": 4, "reference": "A-2", "referral_id": ids["Ben Example"], "state": "received", "open": True},
        {"line": 6, "reference": "A-2", "referral_id": ids["Ben Example"], "state": "received", "open": True},
    ]
    assert (await given.http.get(f"/v1/referral-imports/{done['import_id']}")).json() == done
    listed = await given.http.get(done["duplicates_url"])
    assert listed.text.splitlines() == [
        "line,reference,referral_id,state,open",
        f"2,,{ids['Cal Example']},received,yes",
        f"4,A-2,{ids['Ben Example']},received,yes",
        f"6,A-2,{ids['Ben Example']},received,yes",
    ]


async def test_import_names_the_referral_that_a_reused_reference_belongs_to(given: Harness):
    await given.http.post(URL, content="reference,name\nA-1,Amina Example\n")
    done = (await given.http.post(URL, content="reference,name\nA-1,Ben Example\n")).json()
    [row] = await given.fetch("SELECT id FROM referral")
    errors = (await given.http.get(done["errors_url"])).text
    assert f"amend referral {row['id']}, which is received, instead" in errors


async def test_answer_to_a_duplicate_says_so_and_whether_it_is_open(given: Harness):
    first = (await hand_in(given)).json()
    again = (await hand_in(given)).json()
    assert (first["duplicate"], again["duplicate"]) == (False, True)
    assert (again["referral_id"], again["state"], again["open"]) == (first["referral_id"], "received", True)
    await close(given, first["referral_id"])
    assert (await given.http.get(f"/v1/referrals/{first['referral_id']}")).json()["open"] is False


async def test_receipt_of_a_duplicate_says_whether_the_referral_is_open(given: Harness):
    submitted = m.InboundReferralSubmitted(
        source="riverside-surgery", reference="r", channel=vocabulary.Channel.GP, notes="Rings twice."
    )
    await given.deliver(submitted, submitted)
    first, second = await given.emitted(m.InboundReferralAccepted)
    assert (first.data.duplicate, first.data.state, first.data.open) == (False, "received", True)
    assert (second.data.duplicate, second.data.state, second.data.open) == (True, "received", True)
