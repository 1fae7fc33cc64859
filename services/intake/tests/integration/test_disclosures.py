"""Who may be told what: purpose, scope, live reason, audit."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))  # intake_story.py is shared by all tests
sys.path.insert(0, str(Path(__file__).parent))

import intake_story as s  # pyright: ignore[reportMissingImports] # found by the lines above
from test_following import handed_in

from bdcan_chassis.testing.harness import Harness
from bdcan_contracts import models as m
from bdcan_intake.domain.disclosure import OPENS, Purpose
from bdcan_intake.domain.referral import Referral

PERSON = {
    "name": "Amina Example",
    "phone": "07700 900417",
    "email": "amina@example.org",
    "birth_date": "1948-05-17",
    "nhs_number": "999 000 0018",
    "address": "12 Example Close",
    "postcode": "RM10 8XX",
}


async def resident(given: Harness, *needs: str) -> Referral:
    return await handed_in(
        given,
        *needs,
        person=PERSON,
        notes="Rings twice.",
        consent=True,
        flags=["lives-alone"],
        household={"adults": 2},
    )


def asked(r: Referral, purpose: str) -> dict[str, Any]:
    return {"referral_id": str(r.referral_id), "purpose": purpose, "reason": "to help"}


@pytest.mark.parametrize(
    "purpose", [p for p in Purpose if p not in {Purpose.VOLUNTEER_INDUCTION, Purpose.TASK}]
)
async def test_live_reason_discloses_and_audits_the_fields_of_its_purpose(given: Harness, purpose: Purpose):
    r = await resident(given, "food-parcel")
    caller = given.client([f"disclosures:{purpose}", "referrals:read", "hubs:all"])
    if purpose is not Purpose.TRIAGE:
        await given.deliver(s.assigned(r))
        await given.deliver(s.confirmed(r))
    answer = await caller.post("/v1/disclosures", json=asked(r, purpose))
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    told = set(answer.json()) - {"disclosure_id", "referral_id", "purpose", "disclosed_at"}
    assert told == set(OPENS[purpose].fields)
    assert answer.json()["name"] == "Amina Example"
    audit = (await caller.get(f"/v1/referrals/{r.referral_id}/disclosures")).json()["items"]
    assert [(a["purpose"], a["fields"], a["reason"]) for a in audit] == [
        (purpose, list(OPENS[purpose].fields), "to help")
    ]
    assert audit[0]["caller"].startswith("key:test-")


async def test_another_scope_discloses_nothing(given: Harness):
    r = await resident(given, "food-parcel")
    caller = given.client(["disclosures:escalation"])
    answer = await caller.post("/v1/disclosures", json=asked(r, "welfare_call"))
    assert answer.status_code == 403
    assert "Amina" not in answer.text
    assert not await given.fetch("SELECT 1 FROM disclosure")


async def test_escalation_is_told_before_a_hub_is_known(
    given: Harness,
):
    r = await resident(given, "housing")
    caller = given.client(["disclosures:escalation"])
    assert (await caller.post("/v1/disclosures", json=asked(r, "escalation"))).status_code == 200


async def test_another_hub_does_not_learn_that_the_person_exists(given: Harness):
    r = await resident(given, "food-parcel")
    await given.deliver(s.assigned(r))
    own = given.client(["disclosures:welfare_call"], hubs=[s.HUB])
    other = given.client(["disclosures:welfare_call"], hubs=["heath"])
    assert (await own.post("/v1/disclosures", json=asked(r, "welfare_call"))).status_code == 200
    assert (await other.post("/v1/disclosures", json=asked(r, "welfare_call"))).status_code == 404


@pytest.mark.parametrize("purpose", ["welfare_call", "delivery_label", "delivery"])
async def test_disclosure_without_a_live_reason_is_a_conflict(given: Harness, purpose: str):
    r = await resident(given, "food-parcel")
    answer = await given.client([f"disclosures:{purpose}", "hubs:all"]).post(
        "/v1/disclosures", json=asked(r, purpose)
    )
    assert answer.status_code == 409
    assert not await given.fetch("SELECT 1 FROM disclosure")


@pytest.mark.parametrize(
    ("purpose", "status"), [("welfare_call", 409), ("delivery", 409), ("escalation", 200)]
)
async def test_closed_referral_is_disclosed_to_escalation_only(given: Harness, purpose: str, status: int):
    r = await resident(given, "housing")
    for event in (s.assigned(r), s.confirmed(r), s.escalation(m.EscalationAccepted, r, r.needs[0].need_id)):
        await given.deliver(event)
    assert (await given.http.get(f"/v1/referrals/{r.referral_id}")).json()["state"] == "closed"
    assert (await given.http.post("/v1/disclosures", json=asked(r, purpose))).status_code == status


@pytest.mark.parametrize(
    "body",
    [
        {"purpose": "curiosity", "reason": "ab"},
        {"purpose": "escalation", "reason": "to help"},
        {
            "purpose": "volunteer_induction",
            "reason": "to help",
            "referral_id": "018e0000-0000-7000-8000-000000000000",
        },
    ],
)
async def test_wrong_question_is_a_422(given: Harness, body: dict[str, str]):
    assert (await given.http.post("/v1/disclosures", json=body)).status_code == 422


async def test_disclosure_about_an_unknown_referral_is_a_404(given: Harness):
    stranger = s.referral()
    answer = await given.client(["disclosures:escalation"]).post(
        "/v1/disclosures", json=asked(stranger, "escalation")
    )
    assert answer.status_code == 404
