"""Who may be told what: purpose, scope, live reason, audit."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))  # intake_story.py is shared by all tests
sys.path.insert(0, str(Path(__file__).parent))

import intake_story as s  # pyright: ignore[reportMissingImports] # found by the lines above
from test_following import handed_in

from bdcan_chassis.grants import GrantKeys
from bdcan_chassis.testing.harness import Harness
from bdcan_contracts import models as m
from bdcan_contracts import vocabulary
from bdcan_intake.domain.disclosure import OPENS, Purpose
from bdcan_intake.domain.referral import Referral
from bdcan_intake.settings import Settings

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
    if purpose is Purpose.TRIAGE:
        await given.deliver(s.triage(r))
    else:
        await given.deliver(s.assigned(r))
        await given.deliver(s.confirmed(r))
    body = asked(r, purpose)
    if purpose in {Purpose.WELFARE_CALL, Purpose.DELIVERY_LABEL}:
        body["grant"] = s.claim(given, r, "key:test-1", purpose)
    if purpose is Purpose.DELIVERY:
        need = r.needs[0].need_id
        await given.deliver(s.task(m.TaskAccepted, r, need, vocabulary.TaskKind.PARCEL_DELIVERY))
    answer = await caller.post("/v1/disclosures", json=body)
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


async def seen(given: Harness, r: Referral) -> list[tuple[str, str]]:
    """What was disclosed, and the open piece of work for which it was."""
    audit = await given.http.get(f"/v1/referrals/{r.referral_id}/disclosures")
    return [(row["purpose"], row["work"]) for row in audit.json()["items"]]


async def test_nobody_reads_a_referral_that_waits_for_no_decision(given: Harness):
    r = await resident(given, "food-parcel")
    ask = asked(r, "triage")
    assert (await given.http.post("/v1/disclosures", json=ask)).status_code == 409, (
        "routing decides by itself"
    )
    assert not await given.fetch("SELECT 1 FROM chassis.audit")
    await given.deliver(s.triage(r))
    assert (await given.http.post("/v1/disclosures", json=ask)).status_code == 200
    await given.deliver(s.assigned(r, version=2))
    assert (await given.http.post("/v1/disclosures", json=ask)).status_code == 409, "a hub has it"
    assert await seen(given, r) == [("triage", "triage")]


async def test_somebody_looks_where_routing_does_not_answer(given: Harness):
    r = await resident(given, "food-parcel")
    given.clock.advance(timedelta(hours=1))
    assert await given.fire()
    assert (await given.http.post("/v1/disclosures", json=asked(r, "triage"))).status_code == 200


async def test_officer_needs_an_open_case_of_the_referral(given: Harness):
    r = await resident(given, "housing")
    officer = given.person(["disclosures:escalation"])
    ask, need = asked(r, "escalation"), r.needs[0].need_id

    async def status() -> int:
        return (await officer.post("/v1/disclosures", json=ask)).status_code

    await given.deliver(s.assigned(r))
    assert await status() == 409, "nothing is with the council"
    opened = s.escalation(m.EscalationOpened, r, need)
    await given.deliver(opened)
    assert await status() == 200
    for end in (m.EscalationDeclined, m.EscalationClosed):
        given.clock.advance(timedelta(minutes=1))
        await given.deliver(s.escalation(end, r, need))
        assert await status() == 409, end
    assert await seen(given, r) == [("escalation", f"escalation:{opened.escalation_id}")]


async def test_officer_reads_whom_a_concern_is_about_before_the_case_is_open(given: Harness):
    r = await resident(given, "safeguarding-adult")
    officer = given.person(["disclosures:escalation"])
    assert (await officer.post("/v1/disclosures", json=asked(r, "escalation"))).status_code == 200
    assert await seen(given, r) == [("escalation", "safeguarding-concern")]


async def test_address_for_a_delivery_is_for_a_task_that_is_still_wanted(given: Harness):
    r = await resident(given, "food-parcel", "shopping")
    await given.deliver(s.assigned(r), s.confirmed(r))
    shopping = next(n.need_id for n in r.needs if n.code == "shopping")
    accepted = s.task(m.TaskAccepted, r, shopping, vocabulary.TaskKind.SHOPPING)
    await given.deliver(accepted)
    ask = asked(r, "delivery")
    assert (await given.http.post("/v1/disclosures", json=ask)).status_code == 200
    assert await seen(given, r) == [("delivery", f"task:{accepted.task_id}")]
    change = {"version": 1, "withdraw_needs": [str(shopping)]}
    answer = await given.http.post(f"/v1/referrals/{r.referral_id}/amendments", json=change)
    assert answer.status_code == 200, answer.text
    refused = await given.http.post("/v1/disclosures", json=ask)
    assert (refused.status_code, await seen(given, r)) == (409, [("delivery", f"task:{accepted.task_id}")])


async def test_another_scope_discloses_nothing(given: Harness):
    r = await resident(given, "food-parcel")
    caller = given.client(["disclosures:escalation"])
    answer = await caller.post("/v1/disclosures", json=asked(r, "welfare_call"))
    assert answer.status_code == 403
    assert "Amina" not in answer.text
    assert not await given.fetch("SELECT 1 FROM chassis.audit")


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
    for client, name, status in ((own, "key:test-1", 200), (other, "key:test-2", 404)):
        body = asked(r, "welfare_call") | {"grant": s.claim(given, r, name)}
        assert (await client.post("/v1/disclosures", json=body)).status_code == status
    assert (await other.post("/v1/disclosures", json=asked(r, "welfare_call"))).status_code == 404


async def test_a_number_needs_a_claim_of_the_asker_that_still_holds(given: Harness):
    r = await resident(given, "food-parcel")
    another = await resident(given, "food-parcel")
    await given.deliver(s.assigned(r), s.assigned(another))
    ask = asked(r, "welfare_call")

    async def status(grant: str | None) -> int:
        body = ask if grant is None else ask | {"grant": grant}
        return (await given.http.post("/v1/disclosures", json=body)).status_code

    settings = given.service.settings
    assert isinstance(settings, Settings)
    grant = settings.grant_keys.read(s.claim(given, r))
    assert grant is not None
    forged = GrantKeys([SecretStr("x" * 40)]).sign(grant)
    mine = s.claim(given, r)
    head, body, _ = mine.split(".")
    for wrong in (
        None,
        "",
        "a.b.c",
        forged,
        f"{head}.{body}.",
        s.claim(given, r, "person:test"),
        s.claim(given, r, "key:test-1"),
        s.claim(given, another),
    ):
        assert await status(wrong) == 403, wrong
    assert not await given.fetch("SELECT 1 FROM chassis.audit")
    assert await status(mine) == 200
    given.clock.advance(timedelta(minutes=30))
    assert await status(mine) == 403, "the claim has run out"
    again = s.claim(given, r)
    assert await status(again) == 200
    given.clock.advance(timedelta(minutes=1))
    await given.deliver(s.unanswered(r))
    assert await status(again) == 403, "the call was reported"


async def test_a_label_needs_a_parcel_that_the_asker_packs(given: Harness):
    r = await resident(given, "food-parcel")
    await given.deliver(s.assigned(r), s.confirmed(r))

    async def status(grant: str | None) -> int:
        body = asked(r, "delivery_label") | {"grant": grant}
        return (await given.http.post("/v1/disclosures", json=body)).status_code

    mine = s.claim(given, r, purpose="delivery_label")
    for wrong in (None, s.claim(given, r), s.claim(given, r, "person:test", "delivery_label")):
        assert await status(wrong) == 403, wrong
    assert not await given.fetch("SELECT 1 FROM chassis.audit")
    assert await status(mine) == 200
    for event in (m.ParcelDispatched, m.ParcelReturned):
        mine = s.claim(given, r, purpose="delivery_label")
        assert await status(mine) == 200, event
        given.clock.advance(timedelta(minutes=1))
        await given.deliver(s.parcel(event, r, r.needs[0].need_id))
        assert await status(mine) == 403, event


async def test_a_person_of_the_hub_reads_whom_nobody_may_ring(given: Harness):
    r = await handed_in(given, "food-parcel", person={"name": "Amina Example"}, consent=False)
    await given.deliver(s.assigned(r))
    assert (await given.http.post("/v1/disclosures", json=asked(r, "welfare_call"))).status_code == 200


async def test_an_address_for_a_delivery_needs_somebody_who_has_accepted(given: Harness):
    r = await resident(given, "food-parcel")
    await given.deliver(s.assigned(r), s.confirmed(r))
    need, kind = r.needs[0].need_id, vocabulary.TaskKind.PARCEL_DELIVERY
    for event, status in (
        (m.TaskOpened, 409),
        (m.TaskAccepted, 200),
        (m.TaskFailed, 409),
    ):
        given.clock.advance(timedelta(minutes=1))
        await given.deliver(s.task(event, r, need, kind))
        answer = await given.http.post("/v1/disclosures", json=asked(r, "delivery"))
        assert answer.status_code == status, event


@pytest.mark.parametrize("purpose", ["welfare_call", "delivery_label", "delivery"])
async def test_disclosure_without_a_live_reason_is_a_conflict(given: Harness, purpose: str):
    r = await resident(given, "food-parcel")
    answer = await given.client([f"disclosures:{purpose}", "hubs:all"]).post(
        "/v1/disclosures", json=asked(r, purpose)
    )
    assert answer.status_code == 409
    assert not await given.fetch("SELECT 1 FROM chassis.audit")


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
