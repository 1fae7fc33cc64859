"""Routing's API over HTTP: what people see, decide and change, and what they are told when they may not."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import asyncpg
import pytest

from bdcan_contracts.models import (
    HubConfigured,
    HubPaused,
    HubResumed,
    Priority,
    ReferralAssigned,
    ReferralHeldForTriage,
    ReferralOutOfArea,
    ReferralReassigned,
)

ABBEY = {"gss": "E05014053", "vintage": 2022}


async def held(routing, referral, **more):
    given = referral(None, **more)
    await routing.deliver(given)
    await routing.emitted()
    return given.referral_id


async def assigned(routing, referral, postcode="IG11 7NB"):
    given = referral(postcode)
    await routing.deliver(given)
    [event] = await routing.emitted(ReferralAssigned)
    return given.referral_id, event.data.hub_id


async def test_assignment_shows_its_hub_and_why(routing, referral):
    referral_id, hub = await assigned(routing, referral)

    shown = (await routing.http.get(f"/v1/referrals/{referral_id}/assignment")).json()

    assert (shown["state"], shown["hub_id"], shown["method"]) == ("assigned", hub, "coarse")
    assert shown["ward"]["name"].endswith("(2022)")
    assert shown["explanation"].endswith("covers it.")
    assert "postcode" not in shown


async def test_triage_lists_the_most_urgent_first_page_by_page(routing, referral):
    usual = [await held(routing, referral) for _ in range(2)]
    urgent = await held(routing, referral, priority=Priority.URGENT)

    first = (await routing.http.get("/v1/triage?limit=2")).json()
    rest = (await routing.http.get("/v1/triage", params={"limit": 2, "after": first["next"]})).json()

    assert "next" not in rest
    assert first["items"][0]["referral_id"] == str(urgent)
    listed = [item["referral_id"] for item in first["items"] + rest["items"]]
    assert sorted(listed) == sorted(map(str, [urgent, *usual]))
    assert first["items"][0]["needs"] == ["food-parcel", "shopping"]
    assert first["items"][0]["reason"] == "no-postcode"
    assert len(first["items"][0]["candidate_hubs"]) == 9


async def test_people_of_one_hub_see_no_triage(routing, referral):
    await held(routing, referral)
    theirs = routing.client(["routing:read"], hubs=["hub-1"])
    assert (await theirs.get("/v1/triage")).json()["items"] == []


async def test_person_places_a_held_referral_once(routing, referral):
    referral_id = await held(routing, referral)
    body = {"hub_id": "hub-4", "reason": "resident-told-us"}
    headers = {"Idempotency-Key": str(uuid4())}

    first = await routing.http.post(f"/v1/triage/{referral_id}/decision", json=body, headers=headers)
    again = await routing.http.post(f"/v1/triage/{referral_id}/decision", json=body, headers=headers)

    assert (first.status_code, again.json()) == (200, first.json())
    [event] = await routing.emitted()
    assert isinstance(event.data, ReferralAssigned)
    assert (event.data.hub_id, event.data.method.value, event.data.version) == ("hub-4", "manual", 2)
    assert (first.json()["decided_by"], first.json()["explanation"]) == (
        "key:test",
        "Placed by a person: resident-told-us.",
    )
    assert await routing.deadlines() == {}


async def test_person_finds_a_held_referral_out_of_area(routing, referral):
    referral_id = await held(routing, referral)

    answer = await routing.http.post(
        f"/v1/triage/{referral_id}/decision", json={"out_of_area": True, "reason": "lives-in-havering"}
    )

    assert answer.json()["state"] == "out-of-area"
    assert [type(e.data) for e in await routing.emitted()] == [ReferralOutOfArea]


async def test_reassignment_names_both_hubs(routing, referral):
    referral_id, hub = await assigned(routing, referral)

    answer = await routing.http.post(
        f"/v1/referrals/{referral_id}/reassignment", json={"hub_id": "hub-9", "reason": "family-nearby"}
    )

    assert answer.json()["hub_id"] == "hub-9"
    [event] = await routing.emitted(ReferralReassigned)
    assert (event.data.previous_hub_id, event.data.hub_id, event.data.reason) == (
        hub,
        "hub-9",
        "family-nearby",
    )
    assert event.data.ward is not None


async def test_neighbour_takes_the_referrals_of_a_paused_hub(routing, referral):
    _, hub = await assigned(routing, referral)
    hubs = {h["hub_id"]: h for h in (await routing.http.get("/v1/hubs")).json()["items"]}

    paused = await routing.http.post(
        f"/v1/hubs/{hub}/pause", json={"reason": "kitchen-closed", "open_work": "keep"}
    )
    [event] = await routing.emitted()
    assert isinstance(event.data, HubPaused)
    assert (event.data.version, event.data.paused, event.data.reason) == (2, True, "kitchen-closed")
    assert (paused.json()["paused"], paused.json()["pause_reason"]) == (True, "kitchen-closed")
    given = referral("IG11 7NB")
    await routing.deliver(given)
    [event] = await routing.emitted(ReferralAssigned)
    assert (event.data.hub_id, event.data.method.value) == (hubs[hub]["cover"][0], "hub-paused")
    assert "is paused" in event.data.explanation

    assert (await routing.http.post(f"/v1/hubs/{hub}/pause", json={"reason": "again"})).status_code == 409
    assert (await routing.http.post(f"/v1/hubs/{hub}/resume")).json()["version"] == 3
    assert (await routing.http.post(f"/v1/hubs/{hub}/resume")).status_code == 409
    assert [type(e.data) for e in await routing.emitted()] == [HubResumed]
    assert (await assigned(routing, referral))[1] == hub


async def test_held_referrals_are_placed_when_a_hub_resumes(routing, referral):
    for hub in range(1, 10):
        await routing.http.post(f"/v1/hubs/hub-{hub}/pause", json={"reason": "storm"})
    await routing.emitted()
    given = referral("IG11 7NB")
    await routing.deliver(given)
    [event] = await routing.emitted()
    assert isinstance(event.data, ReferralHeldForTriage)
    assert (event.data.reason, event.data.candidate_hubs) == ("no-hub-for-ward", ())
    assert await routing.run("place-held") == 0

    for hub in range(1, 10):
        await routing.http.post(f"/v1/hubs/hub-{hub}/resume")
    assert await routing.run("place-held") == 1

    [event] = await routing.emitted(ReferralAssigned)
    assert event.data.referral_id == given.referral_id


async def test_change_of_a_hub_wakes_the_planner_unless_it_pauses(routing):
    woken: asyncio.Queue[str] = asyncio.Queue()
    connection = await asyncpg.connect(routing.service.settings.database_url.get_secret_value())
    await connection.add_listener("bdcan", lambda *said: woken.put_nowait(str(said[3])))

    async def heard() -> list[str]:
        async with routing.transactions.begin() as tx:
            tx.wake("zero")  # it comes after all wakes so far
        found: list[str] = []
        async with asyncio.timeout(10):
            while "pass:zero" not in found:
                found.append(await woken.get())
        return found

    async def wakes(method, path, body=None) -> bool:
        await heard()
        answer = await routing.http.request(method, path, json=body)
        assert answer.status_code == 200, answer.text
        return "pass:place-held" in await heard()

    assert not await wakes("POST", "/v1/hubs/hub-1/pause", {"reason": "storm"})
    assert await wakes("POST", "/v1/hubs/hub-1/resume")
    assert await wakes("PUT", "/v1/hubs/hub-1", {"name": "Ours", "wards": [ABBEY], "version": 3})
    await connection.close()


async def test_new_hub_gets_the_referrals_of_the_wards_it_takes(routing, referral):
    _, hub = await assigned(routing, referral)
    before = {h["hub_id"]: h for h in (await routing.http.get("/v1/hubs")).json()["items"]}[hub]
    assert before["illustrative"] is True
    mine = {"name": "Hub 10", "wards": [{k: w[k] for k in ("gss", "vintage")} for w in before["wards"]]}

    taken = await routing.http.put("/v1/hubs/hub-10", json=mine)
    assert (taken.status_code, taken.json()["type"]) == (409, "urn:bdcan:problem:ward-taken")
    assert len(taken.json()["errors"]) == len(before["wards"])
    emptied = {"name": before["name"], "wards": [], "version": 1}
    await routing.http.put(f"/v1/hubs/{hub}", json=emptied)
    made = await routing.http.put("/v1/hubs/hub-10", json=mine)

    assert (made.json()["version"], made.json()["illustrative"]) == (1, False)
    assert [(e.data.hub_id, e.data.version) for e in await routing.emitted(HubConfigured)] == [
        (hub, 2),
        ("hub-10", 1),
    ]
    assert (await assigned(routing, referral))[1] == "hub-10"
    same = await routing.http.put("/v1/hubs/hub-10", json=mine)
    assert same.json()["version"] == 1
    assert await routing.emitted() == []


async def test_seeding_keeps_hubs_that_an_operator_configured(routing):
    await routing.http.put("/v1/hubs/hub-1", json={"name": "Ours", "wards": [ABBEY], "version": 1})
    await routing.emitted()

    assert await routing.run("seed") == 0
    assert (await routing.http.get("/v1/hubs")).json()["items"][0]["name"] == "Ours"


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"reason"}),
        ({"reason": "Free text, with a name", "hub_id": "Hub 1"}, {"reason", "hub_id"}),
        ({"reason": "why"}, {"body"}),
        ({"reason": "why", "hub_id": "hub-1", "out_of_area": True}, {"body"}),
        ({"reason": "why", "out_of_area": False, "extra": 1}, {"out_of_area", "body"}),
        ({"reason": "why", "hub_id": "hub-99"}, {"hub_id"}),
    ],
)
async def test_wrong_decision_names_every_field_at_fault(routing, referral, body, fields):
    referral_id = await held(routing, referral)

    answer = await routing.http.post(f"/v1/triage/{referral_id}/decision", json=body)

    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert {e["field"] for e in answer.json()["errors"]} == fields
    assert "Free text" not in answer.text


async def test_wrong_hub_names_every_field_at_fault(routing):
    body = {"name": "", "wards": [{"gss": "Abbey", "vintage": 2022}]}
    answer = await routing.http.put("/v1/hubs/hub-1", json=body)
    assert {e["field"] for e in answer.json()["errors"]} == {"name", "wards.0.gss"}
    body = {
        "name": "x",
        "wards": [ABBEY | {"vintage": 2002}, ABBEY, {"gss": "E05999999", "vintage": 2022}],
        "cover": ["hub-1", "hub-77", "hub-2"],
    }
    answer = await routing.http.put("/v1/hubs/hub-1", json=body)
    assert answer.status_code == 422
    assert [e["field"] for e in answer.json()["errors"]] == ["wards.0", "wards.2", "cover.0", "cover.1"]
    assert (await routing.http.put("/v1/hubs/Hub%201", json={"name": "x", "wards": []})).status_code == 422


async def test_refused_decision_says_why(routing, referral):
    assigned_id, hub = await assigned(routing, referral)
    held_id = await held(routing, referral)
    await routing.http.post("/v1/hubs/hub-9/pause", json={"reason": "storm"})
    reason = {"reason": "why"}

    for path, body, said in [
        (f"/v1/triage/{assigned_id}/decision", {"hub_id": "hub-8"}, "not in triage: it is assigned"),
        (f"/v1/triage/{held_id}/decision", {"hub_id": "hub-9"}, "is paused"),
        (f"/v1/referrals/{held_id}/reassignment", {"hub_id": "hub-8"}, "Only an assigned referral"),
        (f"/v1/referrals/{assigned_id}/reassignment", {"hub_id": hub}, "has the referral already"),
        (f"/v1/referrals/{assigned_id}/reassignment", {"hub_id": "hub-9"}, "is paused"),
    ]:
        answer = await routing.http.post(path, json=body | reason)
        assert (answer.status_code, said in answer.json()["detail"]) == (409, True), answer.text


async def test_unknown_referral_or_hub_is_not_found(routing):
    for method, path, body in [
        ("GET", f"/v1/referrals/{uuid4()}/assignment", None),
        ("POST", f"/v1/referrals/{uuid4()}/reassignment", {"hub_id": "hub-1", "reason": "why"}),
        ("POST", f"/v1/triage/{uuid4()}/decision", {"hub_id": "hub-1", "reason": "why"}),
        ("POST", "/v1/hubs/hub-99/pause", {"reason": "why"}),
        ("POST", "/v1/hubs/hub-99/resume", None),
    ]:
        answer = await routing.http.request(method, path, json=body)
        assert answer.status_code == 404, (path, answer.text)


async def test_missing_postcode_table_says_how_to_load_one(bare):
    answer = await bare.http.get("/v1/gazetteer")
    assert (answer.status_code, "migrate" in answer.json()["detail"]) == (404, True)


async def test_caller_of_another_hub_or_without_the_scope_is_refused(routing, referral):
    referral_id, hub = await assigned(routing, referral)
    other = routing.client(["routing:read", "routing:write"], hubs=["hub-9"])
    own = routing.client(["routing:read", "routing:write"], hubs=[hub])
    reader = routing.client(["routing:read"], hubs=[hub])
    move = {"hub_id": "hub-8", "reason": "why"}

    assert (await other.get(f"/v1/referrals/{referral_id}/assignment")).status_code == 404
    assert (await other.post(f"/v1/referrals/{referral_id}/reassignment", json=move)).status_code == 404
    assert (await other.post(f"/v1/hubs/{hub}/pause", json={"reason": "why"})).status_code == 404
    assert (await other.put(f"/v1/hubs/{hub}", json={"name": "Theirs", "wards": []})).status_code == 404
    assert (await reader.post(f"/v1/referrals/{referral_id}/reassignment", json=move)).status_code == 403
    assert (await own.get(f"/v1/referrals/{referral_id}/assignment")).status_code == 200
    assert (await own.post(f"/v1/referrals/{referral_id}/reassignment", json=move)).status_code == 200
    own_held = await held(routing, referral)
    assert (await own.post(f"/v1/triage/{own_held}/decision", json=move)).status_code == 404


@pytest.mark.parametrize("after", ["nonsense", "!!", "MjAyMA", "MjAyMCA3"])
async def test_cursor_of_another_list_is_refused(routing, after):
    answer = await routing.http.get("/v1/triage", params={"after": after})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "query.after")
