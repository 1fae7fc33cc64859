"""Where homes lie, for whoever plans rounds: only a hub's own, and each look is on record."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from bdcan_contracts.models import ReferralAssigned

WHY = "round of one hub, planned by person:ada"


async def ask(routing, hub_id: str, *referral_ids, **more: Any):
    body = {"hub_id": hub_id, "referral_ids": list(map(str, referral_ids)), "reason": WHY} | more
    return await routing.http.post("/v1/positions", json=body)


async def test_home_of_a_hubs_referral_lies_in_its_sector_until_a_table_is_imported(routing, referral):
    given = referral("IG11 7NB")
    await routing.deliver(given)
    [event] = await routing.emitted(ReferralAssigned)

    answer = await ask(routing, event.data.hub_id, given.referral_id, places=["RM8 1AA", "nowhere"])

    assert answer.status_code == 200, answer.text
    [home] = answer.json()["homes"]
    assert (home["referral_id"], home["sure"]) == (str(given.referral_id), "sector")
    assert 542000 < home["easting"] < 547000
    assert 181000 < home["northing"] < 187000
    assert [place["place"] for place in answer.json()["places"]] == ["RM8 1AA"]


async def test_each_home_that_was_shown_is_in_the_audit(routing, referral):
    given, homeless = referral("IG11 7NB"), referral("IG11 7NB")
    await routing.deliver(given, homeless)
    [first, _] = await routing.emitted(ReferralAssigned)

    await ask(routing, first.data.hub_id, given.referral_id, uuid4())

    kept = await routing.fetch("SELECT act, subject_id, reason, actor FROM chassis.audit")
    assert [(row["act"], row["subject_id"], row["reason"]) for row in kept] == [
        ("position-shown", given.referral_id, WHY)
    ]


async def test_another_hubs_referral_and_one_in_triage_are_left_out(routing, referral):
    elsewhere, held = referral("IG11 7NB"), referral(None)
    await routing.deliver(elsewhere, held)
    [event] = await routing.emitted(ReferralAssigned)
    other = next(hub for hub in ("hub-1", "hub-2") if hub != event.data.hub_id)

    answer = await ask(routing, other, elsewhere.referral_id, held.referral_id)

    assert answer.json() == {"homes": [], "places": []}
    assert await routing.fetch("SELECT 1 FROM chassis.audit") == []


async def test_only_the_scope_for_positions_opens_them(routing):
    http = routing.client(["routing:read", "routing:write", "hubs:all"])
    answer = await http.post("/v1/positions", json={"hub_id": "hub-1", "reason": WHY})
    assert answer.status_code == 403
    planner = routing.client(["routing:positions"], hubs=["hub-1"])
    answer = await planner.post("/v1/positions", json={"hub_id": "hub-2", "reason": WHY})
    assert answer.status_code == 404


async def test_more_than_a_round_has_is_refused(routing):
    answer = await ask(routing, "hub-1", *(uuid4() for _ in range(201)))
    assert answer.status_code == 422
