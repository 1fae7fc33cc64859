"""Hubs at work: a full one, one that pauses with open work or closes, a household, wards that move, and who decides in triage."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from bdcan_contracts.models import (
    HubConfigured,
    Priority,
    ReferralAssigned,
    ReferralLinked,
    ReferralReassigned,
)

ABBEY = {"gss": "E05014053", "vintage": 2022}


async def hub(routing, hub_id="hub-1"):
    return {h["hub_id"]: h for h in (await routing.http.get("/v1/hubs")).json()["items"]}[hub_id]


async def change(routing, hub_id, **more):
    now = await hub(routing, hub_id)
    body = {"name": now["name"], "version": now["version"]}
    body["wards"] = [{k: w[k] for k in ("gss", "vintage")} for w in now["wards"]]
    answer = await routing.http.put(f"/v1/hubs/{hub_id}", json=body | more)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def assigned(routing, given):
    await routing.deliver(given)
    [event] = await routing.emitted(ReferralAssigned)
    return event.data


async def where(routing, referral_id):
    return (await routing.http.get(f"/v1/referrals/{referral_id}/assignment")).json()


async def test_neighbour_takes_what_is_too_much_for_a_full_hub_today(routing, referral):
    own = (await assigned(routing, referral())).hub_id
    first, second = (await hub(routing, own))["neighbours"][:2]
    for one in (own, first):
        await change(routing, one, capacity={"calls": 2})
    await routing.emitted()

    took = [await assigned(routing, referral()) for _ in range(4)]
    assert [one.hub_id for one in took] == [own, first, first, second]
    assert "is full today (calls); its neighbour" in took[1].explanation
    assert (await where(routing, took[1].referral_id))["because"] == "hub-full"

    routing.clock.advance(timedelta(days=1))
    assert (await assigned(routing, referral())).hub_id == own


async def test_batch_does_not_overfill_a_hub(routing, referral):
    own = (await assigned(routing, referral())).hub_id
    await change(routing, own, capacity={"shopping": 3})
    await routing.emitted()
    await routing.deliver(*(referral() for _ in range(5)))
    took = [event.data.hub_id for event in await routing.emitted(ReferralAssigned)]
    assert took.count(own) == 2


async def test_hub_keeps_a_referral_when_its_neighbours_are_full_too(routing, referral):
    own = (await assigned(routing, referral())).hub_id
    for one in range(1, 10):
        await change(routing, f"hub-{one}", capacity={"calls": 1})
        await assigned(routing, referral())
    took = await assigned(routing, referral())
    assert took.hub_id == own
    assert "so are its neighbours" in took.explanation


async def test_outreach_referrals_do_not_fill_a_hub(routing, referral):
    own = (await assigned(routing, referral())).hub_id
    await change(routing, own, capacity={"calls": 1})
    await routing.emitted()
    assert (await assigned(routing, referral(outreach=True))).hub_id == own


@pytest.mark.parametrize("link_first", [True, False])
async def test_household_stays_with_the_hub_of_its_first_open_referral(routing, referral, link_first):
    one, other = sorted([referral(), referral()], key=lambda given: given.referral_id)
    first = await assigned(routing, one)
    await routing.http.post(
        f"/v1/referrals/{one.referral_id}/reassignment", json={"hub_id": "hub-9", "reason": "family-nearby"}
    )
    await routing.emitted()
    link = ReferralLinked(
        referral_id=other.referral_id, same_household_ids=(one.referral_id,), linked_at=routing.clock.now()
    )
    for event in (link, other) if link_first else (other, link):
        await routing.deliver(event)
    shown = await where(routing, other.referral_id)
    assert (first.hub_id != "hub-9", shown["hub_id"], shown["because"]) == (True, "hub-9", "same-household")
    assert "looks after this household" in shown["explanation"]


async def test_link_does_not_move_what_a_person_placed(routing, referral):
    one, other = sorted([referral(), referral()], key=lambda given: given.referral_id)
    for given in (one, other):
        await assigned(routing, given)
    await routing.http.post(
        f"/v1/referrals/{other.referral_id}/reassignment", json={"hub_id": "hub-9", "reason": "family-nearby"}
    )
    await routing.deliver(
        ReferralLinked(
            referral_id=other.referral_id,
            same_household_ids=(one.referral_id,),
            linked_at=routing.clock.now(),
        )
    )
    assert (await where(routing, other.referral_id))["hub_id"] == "hub-9"


async def test_pause_asks_what_becomes_of_open_work_and_hands_it_over_urgent_first(routing, referral):
    given = [referral(), referral(priority=Priority.URGENT), referral()]
    [own] = {(await assigned(routing, one)).hub_id for one in given}
    refused = await routing.http.post(f"/v1/hubs/{own}/pause", json={"reason": "flood"})
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:bdcan:problem:open-work")
    assert "3 open referrals" in refused.json()["detail"]

    body = {"reason": "flood", "open_work": "hand-over", "to": "hub-8"}
    assert (await routing.http.post(f"/v1/hubs/{own}/pause", json=body)).status_code == 200
    await routing.emitted()
    assert await routing.run("hand-over") == 3
    assert await routing.run("hand-over") == 0
    moved = [event.data for event in await routing.emitted(ReferralReassigned)]
    assert {(one.hub_id, one.reason) for one in moved} == {("hub-8", "hub-handed-over")}
    assert len(moved) == 3


async def test_pause_cannot_hand_over_to_a_hub_that_is_paused(routing, referral):
    own = (await assigned(routing, referral())).hub_id
    await routing.http.post("/v1/hubs/hub-8/pause", json={"reason": "storm"})
    body = {"reason": "flood", "open_work": "hand-over", "to": "hub-8"}
    answer = await routing.http.post(f"/v1/hubs/{own}/pause", json=body)
    assert (answer.status_code, "Name an open hub" in answer.json()["detail"]) == (409, True)
    assert not (await hub(routing, own))["paused"]


async def test_resumed_hub_hands_no_more_over(routing, referral):
    own = (await assigned(routing, referral())).hub_id
    body = {"reason": "flood", "open_work": "hand-over"}
    assert (await routing.http.post(f"/v1/hubs/{own}/pause", json=body)).status_code == 200
    assert (await routing.http.post(f"/v1/hubs/{own}/resume")).status_code == 200
    assert await routing.run("hand-over") == 0


async def test_hub_closes_for_good_only_without_wards_and_with_its_work_handed_over(routing, referral):
    own = (await assigned(routing, referral())).hub_id
    refused = await routing.http.post(f"/v1/hubs/{own}/close", json={"reason": "merged"})
    wards = (await hub(routing, own))["wards"]
    assert (refused.status_code, len(refused.json()["errors"])) == (409, len(wards))
    moves = {"reason": "merged", "moves": [{"ward": w["gss"], "hub_id": "hub-8"} for w in wards]}
    assert (await routing.http.post("/v1/wards/moves", json=moves)).status_code == 200
    body = {"reason": "merged", "open_work": "keep"}
    assert (await routing.http.post(f"/v1/hubs/{own}/close", json=body)).status_code == 409
    body = {"reason": "merged", "open_work": "hand-over", "to": "hub-8"}
    assert (await routing.http.post(f"/v1/hubs/{own}/close", json=body)).status_code == 200
    assert await routing.run("hand-over") == 1
    again = await routing.http.post(f"/v1/hubs/{own}/resume")
    assert (again.status_code, "closed for good" in again.json()["detail"]) == (409, True)
    changes = (await routing.http.get(f"/v1/hubs/{own}/history")).json()["items"]
    assert [one["change"] for one in changes] == ["closed", "wards moved"]


async def test_wards_move_at_once_and_a_dry_run_only_shows_it(routing, referral):
    took = await assigned(routing, referral())
    body = {
        "reason": "flood",
        "moves": [{"ward": took.ward.gss, "hub_id": "hub-8"}],
        "dry_run": True,
    }
    shown = (await routing.http.post("/v1/wards/moves", json=body)).json()
    [shift] = shown["shifts"]
    assert (shown["applied"], shift["from_hub_id"], shift["to_hub_id"]) == (False, took.hub_id, "hub-8")
    assert (shift["requests"], shift["open_referrals"], shift["needs"]) == (
        1,
        1,
        {"food-parcel": 1, "shopping": 1},
    )
    assert await routing.emitted() == []
    assert (await routing.http.post("/v1/wards/moves", json=body | {"dry_run": False})).json()["applied"]
    assert {event.data.hub_id for event in await routing.emitted(HubConfigured)} == {took.hub_id, "hub-8"}
    assert (await assigned(routing, referral())).hub_id == "hub-8"


async def test_change_of_a_hub_names_the_version_that_was_seen(routing):
    body = {"name": "Ours", "wards": [ABBEY]}
    first = await routing.http.put("/v1/hubs/hub-1", json=body)
    assert (first.status_code, '"version": 1' in first.json()["detail"]) == (409, True)
    assert (await routing.http.put("/v1/hubs/hub-1", json=body | {"version": 1})).status_code == 200
    late = await routing.http.put("/v1/hubs/hub-1", json=body | {"version": 1, "name": "Theirs"})
    assert (late.status_code, late.json()["type"]) == (409, "urn:bdcan:problem:stale-version")
    assert (await hub(routing))["name"] == "Ours"


async def test_hub_shows_its_hours_capacity_and_contacts(routing):
    said = {
        "capacity": {"calls": 60, "shopping": 20},
        "hours": [{"weekday": 1, "opens": "09:00", "closes": "17:00"}],
        "contacts": {"phone": "020 7946 0001", "email": "hub@example.org"},
    }
    await change(routing, "hub-1", **said)
    kept = await change(routing, "hub-1", name="Ours")
    assert {key: kept[key] for key in said} == said
    wrong = {"name": "x", "wards": [], "hours": [{"weekday": 8, "opens": "9", "closes": "25:00"}]}
    answer = await routing.http.put("/v1/hubs/hub-1", json=wrong)
    assert {e["field"] for e in answer.json()["errors"]} == {
        "hours.0.weekday",
        "hours.0.opens",
        "hours.0.closes",
    }


async def test_two_people_take_different_referrals_in_triage_and_a_claim_ends_by_itself(routing, referral):
    for _ in range(2):
        await routing.deliver(referral(None))
    ann = routing.client(["routing:read", "routing:write", "hubs:all"])
    first = (await routing.http.post("/v1/triage/next")).json()["item"]
    second = (await ann.post("/v1/triage/next")).json()["item"]
    assert first["referral_id"] != second["referral_id"]
    body = {"hub_id": "hub-4", "reason": "rang"}
    refused = await ann.post(f"/v1/triage/{first['referral_id']}/decision", json=body)
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:bdcan:problem:claimed")
    assert (await ann.post(f"/v1/triage/{first['referral_id']}/claim")).status_code == 409

    routing.clock.advance(timedelta(minutes=16))
    assert (await ann.post(f"/v1/triage/{first['referral_id']}/claim")).status_code == 200
    assert (await ann.post(f"/v1/triage/{first['referral_id']}/decision", json=body)).status_code == 200
    assert (await ann.post(f"/v1/triage/{first['referral_id']}/claim")).status_code == 404


async def test_released_claim_is_next_for_somebody_else(routing, referral):
    await routing.deliver(referral(None))
    ann = routing.client(["routing:read", "routing:write", "hubs:all"])
    item = (await routing.http.post("/v1/triage/next")).json()["item"]
    assert (await ann.post("/v1/triage/next")).json() == {}
    assert (await ann.post(f"/v1/triage/{item['referral_id']}/release")).status_code == 409
    released = await routing.http.post(f"/v1/triage/{item['referral_id']}/release")
    assert released.json().get("claimed_by") is None
    assert (await ann.post("/v1/triage/next")).json()["item"]["referral_id"] == item["referral_id"]
    assert (await ann.post(f"/v1/triage/{uuid4()}/claim")).status_code == 404
