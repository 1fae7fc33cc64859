"""Referrals that may be about the same person or household are both kept, and linked."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any
from uuid import UUID

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))  # intake_story.py is shared by all tests


from bdcan_chassis.testing.harness import Harness
from bdcan_contracts import models as m

AMINA = {"name": "Amina Example", "phone": "07700 900417", "address": "12 Heath Rd", "postcode": "RM10 8XX"}
OMAR = {"name": "Omar Example", "phone": "07700 900418", "address": "12 Heath Road", "postcode": "rm108xx"}


async def hand_in(given: Harness, person: dict[str, str], **more: Any) -> UUID:
    body = {"channel": "phone", "person": person, "needs": ["food-parcel"]}
    return UUID((await given.http.post("/v1/referrals", json=body | more)).json()["referral_id"])


async def links(given: Harness, referral_id: UUID) -> tuple[list[str], list[str]]:
    shown = (await given.http.get(f"/v1/referrals/{referral_id}")).json()
    return shown["same_person_ids"], shown["same_household_ids"]


async def compare(given: Harness) -> list[m.ReferralLinked]:
    await given.emitted()
    while await given.run("likeness"):
        pass
    return [event.data for event in await given.emitted(m.ReferralLinked)]


async def test_person_who_rang_and_is_on_a_list_is_linked_both_ways(given: Harness):
    rang = await hand_in(given, AMINA)
    assert not await compare(given)
    csv = "name,phone,postcode,needs\nMrs AMINA EXAMPLE,+44 7700 900417,RM10 8XX,food-parcel\n"
    answer = await given.http.post(
        "/v1/referral-imports?source=nhs-list", content=csv, headers={"Content-Type": "text/csv"}
    )
    assert answer.json()["accepted"] == 1
    listed = (await given.http.get("/v1/referrals?source=nhs-list")).json()["items"][0]["referral_id"]
    told = {one.referral_id: one.same_person_ids for one in await compare(given)}
    assert told == {rang: (UUID(listed),), UUID(listed): (rang,)}
    assert await links(given, rang) == ([listed], [])
    assert not await compare(given)


async def test_two_food_requests_of_one_household_are_linked(given: Harness):
    amina, omar = await hand_in(given, AMINA), await hand_in(given, OMAR)
    told = {one.referral_id: one.same_household_ids for one in await compare(given)}
    assert told == {amina: (omar,), omar: (amina,)}


async def test_corrected_details_take_a_wrong_link_away(given: Harness):
    amina, omar = await hand_in(given, AMINA), await hand_in(given, OMAR)
    await compare(given)
    body = {"person": {"name": "Omar Other", "address": "98 Heath Road"}}
    assert (await given.http.post(f"/v1/referrals/{omar}/amendments", json=body)).status_code == 200
    assert len(await compare(given)) == 2
    assert await links(given, amina) == ([], [])
    assert await links(given, omar) == ([], [])


async def test_closed_referral_is_not_linked(given: Harness):
    first = await hand_in(given, AMINA)
    await given.http.post(f"/v1/referrals/{first}/withdrawal", json={"reason": "no-longer-needed"})
    await compare(given)
    await hand_in(given, AMINA)
    assert not await compare(given)


async def test_sender_does_not_see_links(given: Harness):
    pharmacy = given.client(["referrals:read", "referrals:write"])
    body = {"channel": "pharmacy", "person": AMINA, "needs": ["prescription"]}
    sent = (await pharmacy.post("/v1/referrals", json=body)).json()["referral_id"]
    await hand_in(given, AMINA)
    assert len(await compare(given)) == 2
    shown = (await pharmacy.get(f"/v1/referrals/{sent}")).json()
    assert (shown["same_person_ids"], shown["same_household_ids"]) == ([], [])
    assert "referral.linked" not in [e["kind"] for e in shown["timeline"]]


async def test_links_leave_in_the_traffic_class_of_their_referral(given: Harness):
    await hand_in(given, AMINA, outreach=True)
    await hand_in(given, AMINA)
    await given.emitted()
    await given.run("likeness")
    rows = await given.fetch("SELECT topic FROM chassis.outbox ORDER BY topic")
    assert [row["topic"] for row in rows] == [
        "bdcan.intake.outreach-referrals.v1",
        "bdcan.intake.referrals.v1",
    ]


async def earlier(given: Harness, referral_id: UUID) -> list[str]:
    return (await given.http.get(f"/v1/referrals/{referral_id}")).json()["earlier_referral_ids"]


async def close(given: Harness, referral_id: UUID) -> None:
    path = f"/v1/referrals/{referral_id}/withdrawal"
    assert (await given.http.post(path, json={"reason": "no-longer-needed"})).status_code == 200


async def test_person_who_was_helped_before_is_linked_to_the_closed_referral(given: Harness):
    first = await hand_in(given, AMINA, reference="week-1")
    await compare(given)
    await close(given, first)
    second = await hand_in(given, AMINA, reference="week-2")
    assert not await compare(given)
    await close(given, second)
    csv = "name,phone,postcode,needs\nMrs AMINA EXAMPLE,+44 7700 900417,RM10 8XX,shopping\n"
    await given.http.post("/v1/referral-imports?source=nhs-list", content=csv)
    third = UUID((await given.http.get("/v1/referrals?source=nhs-list")).json()["items"][0]["referral_id"])
    other = await hand_in(given, OMAR)
    await compare(given)
    assert await earlier(given, first) == []
    assert await earlier(given, second) == [str(first)]
    assert await earlier(given, third) == [str(second), str(first)]
    assert await earlier(given, other) == []


async def test_sender_is_not_told_of_earlier_referrals(given: Harness):
    first = await hand_in(given, AMINA)
    await compare(given)
    await close(given, first)
    outsider = given.client(["referrals:write", "referrals:read"])
    body = {"channel": "pharmacy", "person": AMINA, "needs": ["prescription"]}
    made = (await outsider.post("/v1/referrals", json=body)).json()["referral_id"]
    await compare(given)
    assert (await outsider.get(f"/v1/referrals/{made}")).json()["earlier_referral_ids"] == []
    assert await earlier(given, UUID(made)) == [str(first)]
