"""Notes are added and never lost; what a call corrects reaches every service."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))  # intake_story.py is shared by all tests
sys.path.insert(0, str(Path(__file__).parent))

import intake_story as s  # pyright: ignore[reportMissingImports] # found by the lines above
from test_following import handed_in, shown

from bdcan_chassis.testing.harness import Harness
from bdcan_contracts import models as m
from bdcan_intake.domain.referral import Referral

INSULIN = "Insulin is in the fridge."


async def notes_of(given: Harness, r: Referral) -> str:
    asked = {"referral_id": str(r.referral_id), "purpose": "escalation", "reason": "to help"}
    return (await given.http.post("/v1/disclosures", json=asked)).json()["notes"]


async def change(given: Harness, r: Referral, **body: Any) -> Any:
    answer = await given.http.post(f"/v1/referrals/{r.referral_id}/amendments", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_amended_notes_are_added_with_author_and_time(given: Harness):
    r = await handed_in(given, "prescription", notes=INSULIN)
    given.clock.advance(timedelta(hours=1))
    await change(given, r, notes="Ring the side door.")
    await change(given, r, notes=None)
    await change(given, r, notes="  ")
    assert await notes_of(given, r) == f"{INSULIN}\n[23 Mar 2020 10:00, key:test] Ring the side door."


async def test_note_is_taken_at_any_time_and_once(given: Harness):
    r = await handed_in(given, "prescription", notes=INSULIN)
    path = f"/v1/referrals/{r.referral_id}"
    await given.http.post(f"{path}/withdrawal", json={"reason": "no-longer-needed"})
    call_id = str(uuid4())
    coordinator = given.client(["referrals:amend", "hubs:all"])
    for _ in range(2):
        body = {"text": "Her key is next door.", "call_id": call_id}
        assert (await coordinator.post(f"{path}/notes", json=body)).status_code == 201
    assert (await notes_of(given, r)).count("next door") == 1
    told = (await shown(given, r))["timeline"]
    assert [e["detail"] for e in told if e["kind"] == "note.added"] == [{"by": "key:test-1"}]
    assert "next door" not in str(told)


async def test_note_that_the_resident_died_stops_the_calls(given: Harness):
    r = await handed_in(given, "prescription", notes=INSULIN)
    await given.emitted()
    path = f"/v1/referrals/{r.referral_id}/notes"
    for text in ("Her key is next door.", "She passed away on Sunday.", "Her son says that she has died."):
        assert (await given.http.post(path, json={"text": text})).status_code == 201
    [told] = [e.data for e in await given.emitted(m.ReferralAmended)]
    assert "deceased" in told.flags
    assert "notes" in told.changed
    assert "deceased" in (await shown(given, r))["flags"]


async def test_note_needs_the_scope_and_the_hub(given: Harness):
    r = await handed_in(given, "prescription")
    path = f"/v1/referrals/{r.referral_id}/notes"
    reader, stranger = (
        given.client(["referrals:read", "hubs:all"]),
        given.client(["referrals:amend"], ["heath"]),
    )
    assert (await reader.post(path, json={"text": "x"})).status_code == 403
    assert (await stranger.post(path, json={"text": "x"})).status_code == 404


def corrected(r: Referral, **said: Any) -> m.WelfareCallCompleted:
    return s.confirmed(r).model_copy(update={"corrections": m.CallCorrections(**said)})


async def test_corrections_of_a_call_reach_every_service(given: Harness):
    r = await handed_in(given, "food-parcel", diets=["halal"])
    await given.deliver(s.assigned(r))
    household = m.Household(adults=2, children=4)
    record = given.record(
        corrected(r, diets=("halal", "nut-allergy"), household=household, priority=m.Priority.URGENT)
    )
    await given.deliver(record)
    [amended] = await given.emitted(m.ReferralAmended)
    assert (amended.data.version, amended.data.household) == (2, household)
    assert (amended.data.diets, amended.data.priority) == (("halal", "nut-allergy"), m.Priority.URGENT)
    assert set(amended.data.changed) == {"diets", "household", "priority"}
    await given.deliver(record)
    assert not await given.emitted()


async def test_allergy_that_crosses_a_call_stays(given: Harness):
    r = await handed_in(given, "food-parcel", diets=["halal"])
    await given.deliver(s.assigned(r))
    await change(given, r, diets=["halal", "seafood-allergy"])
    await given.emitted()
    await given.deliver(corrected(r, diets=("vegetarian",), amendment_version=0))
    [amended] = await given.emitted(m.ReferralAmended)
    assert set(amended.data.diets) == {"halal", "seafood-allergy", "vegetarian"}
    await given.deliver(corrected(r, diets=("vegetarian",), amendment_version=3))
    [amended] = await given.emitted(m.ReferralAmended)
    assert amended.data.diets == ("vegetarian",)


async def test_consent_that_a_call_takes_back_stops_every_call(given: Harness):
    r = await handed_in(given, "food-parcel", "shopping")
    await given.deliver(s.assigned(r))
    await given.deliver(corrected(r, consent=False))
    [amended] = await given.emitted(m.ReferralAmended)
    assert amended.data.flags[0] == "no-consent"


async def test_call_that_corrects_nothing_new_amends_nothing(given: Harness):
    r = await handed_in(given, "food-parcel", diets=["halal"])
    await given.deliver(s.assigned(r))
    await given.deliver(corrected(r, diets=("halal",), priority=r.priority, amendment_version=1))
    assert not await given.emitted(m.ReferralAmended)


async def correct(given: Harness, r: Referral, **person: Any) -> int:
    body = {"person": person, "reason": "the resident rang"}
    answer = await given.http.post(f"/v1/referrals/{r.referral_id}/corrections", json=body)
    assert "Ahmed" not in answer.text
    return answer.status_code


async def test_details_of_a_referral_that_has_ended_are_corrected_and_audited(given: Harness):
    r = await handed_in(given, "prescription", notes=INSULIN)
    assert await correct(given, r, name="Amina Ahmed") == 409, "it is open: amend it"
    await given.http.post(f"/v1/referrals/{r.referral_id}/withdrawal", json={"reason": "no-longer-needed"})
    await given.emitted()

    assert await correct(given, r, name="Amina Ahmed", phone="020 7946 0018") == 204

    [kept] = await given.fetch("SELECT name, phone_e164, notes FROM resident")
    assert tuple(kept) == ("Amina Ahmed", "+442079460018", INSULIN)
    [audited] = await given.fetch("SELECT reason, detail FROM chassis.audit WHERE act = 'person-corrected'")
    assert (audited["reason"], audited["detail"]) == ("the resident rang", '{"fields": ["name", "phone"]}')
    assert await given.emitted() == []


async def test_correction_brings_nobody_back_whose_details_are_gone(given: Harness):
    r = await handed_in(given, "prescription", notes=INSULIN)
    await given.http.post(f"/v1/referrals/{r.referral_id}/withdrawal", json={"reason": "no-longer-needed"})
    assert await correct(given, r) == 409, "it says nothing"
    await given.fetch("UPDATE resident SET name = NULL, content_hash = ''")

    assert await correct(given, r, name="Amina Ahmed") == 409

    assert [row["name"] for row in await given.fetch("SELECT name FROM resident")] == [None]
