"""A volunteer of two hubs: each hub changes its own part, and a check counts where somebody has seen it."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from volunteer_match_story import assigned, hub, need, report, say, task, volunteer

from bdcan_chassis.testing.harness import Harness
from bdcan_contracts.models import VolunteerLeft
from bdcan_contracts.vocabulary import NeedCode

SCOPES = ["volunteers:read", "volunteers:write"]
KINDS = ("errand", "prescription")
CHECK = {
    "kind": "enhanced-dbs",
    "reference": "DBS-0012",
    "issued_on": "2020-01-02",
    "seen_on": "2020-03-20",
}


def people_of(given: Harness, hub_id: str) -> httpx.AsyncClient:
    return given.person(SCOPES, [hub_id], name=f"coordinator-{hub_id}")


async def shared(given: Harness) -> UUID:
    """Somebody who helps two hubs."""
    await given.deliver(hub("thames"), hub("heath"))
    return await volunteer(given, "thames", "heath", kinds=KINDS)


async def do(client: httpx.AsyncClient, who: UUID, what: str, **body: Any) -> dict[str, Any]:
    answer = await client.post(f"/v1/volunteers/{who}/{what}", json=body)
    assert answer.status_code in {200, 201}, answer.text
    return answer.json()


async def accepted(given: Harness, who: UUID, hub_id: str, code: NeedCode = NeedCode.ERRAND) -> str:
    """A task of a hub that the volunteer has accepted."""
    event = assigned(needs=(need(code),), hub_id=hub_id)
    await given.deliver(event)
    [call] = [
        c
        for c in (await given.http.get("/v1/welfare-calls")).json()["items"]
        if c["referral_id"] == str(event.referral_id)
    ]
    [task_id] = (await report(given, call["call_id"], outcome="answered"))["task_ids"]
    assert await given.run("match") == 1
    assert await say(given, task_id, "acceptance", who) == 200
    return task_id


async def test_an_activation_changes_the_part_of_the_callers_hub_alone(given: Harness) -> None:
    who = await shared(given)
    await do(people_of(given, "heath"), who, "checks", **CHECK)
    mine = await do(
        people_of(given, "thames"), who, "activation", hub_ids=["thames"], task_kinds=["shopping"]
    )
    assert (mine["hub_ids"], mine["dbs_cleared"]) == (["thames", "heath"], False)
    assert [(p["hub_id"], p["task_kinds"]) for p in mine["parts"]] == [("thames", ["shopping"])]
    [theirs] = (await people_of(given, "heath").get("/v1/volunteers")).json()["items"]
    assert (theirs["dbs_cleared"], theirs["has_car"]) == (True, False)
    assert [(p["hub_id"], p["task_kinds"], p["checked"]) for p in theirs["parts"]] == [
        ("heath", list(KINDS), True)
    ]


async def test_a_check_counts_only_for_the_hub_whose_people_have_seen_it(given: Harness) -> None:
    who = await shared(given)
    await do(people_of(given, "thames"), who, "checks", **CHECK)
    for hub_id, offers in (("heath", 0), ("thames", 1)):
        event = assigned(needs=(need(NeedCode.PRESCRIPTION),), hub_id=hub_id)
        await given.deliver(event)
        [call] = (await given.http.get(f"/v1/welfare-calls?hub={hub_id}")).json()["items"]
        await report(given, call["call_id"], outcome="answered")
        assert await given.run("match") == offers, hub_id


async def test_a_task_goes_to_somebody_whom_its_hub_has_checked(given: Harness) -> None:
    """Whoever only another hub has checked must not stand in the way of somebody else."""
    first = await shared(given)
    await do(people_of(given, "thames"), first, "checks", **CHECK)
    second = await volunteer(given, "heath", kinds=KINDS, checked=True)
    task_id = await accepted(given, second, "heath", NeedCode.PRESCRIPTION)
    assert (await task(given, task_id))["volunteer_id"] == str(second)


async def test_the_history_of_a_check_says_who_recorded_what_and_when(given: Harness) -> None:
    who, thames = await shared(given), people_of(given, "thames")
    await do(thames, who, "checks", **CHECK, valid_until="2023-01-02T00:00:00Z")
    withdrawn = await do(thames, who, "checks/withdrawal", reason="check-revoked")
    assert withdrawn["dbs_cleared"] is False
    path = f"/v1/volunteers/{who}/checks"
    told = (await thames.get(path)).json()["items"]
    assert [(c["kind"], c["caller"], c["hub_id"]) for c in told] == [
        ("enhanced-dbs", "person:coordinator-thames", "thames"),
        ("withdrawn", "person:coordinator-thames", "thames"),
    ]
    assert (told[0]["reference"], told[0]["seen_on"], told[1]["reason"]) == (
        "DBS-0012",
        "2020-03-20",
        "check-revoked",
    )
    assert (await people_of(given, "heath").get(path)).json()["items"] == []
    stranger = given.person(SCOPES, ["river"], name="stranger")
    for one in (who, uuid4()):
        assert (await stranger.get(f"/v1/volunteers/{one}/checks")).status_code == 404
        assert (await stranger.post(f"/v1/volunteers/{one}/checks", json=CHECK)).status_code == 404


async def test_a_hub_records_no_check_for_another_hub(given: Harness) -> None:
    who, thames = await shared(given), people_of(given, "thames")
    for verb, body in (("checks", CHECK), ("checks/withdrawal", {"reason": "check-revoked"})):
        for other in ("heath", "nowhere"):
            answer = await thames.post(f"/v1/volunteers/{who}/{verb}", json=body | {"hub_ids": [other]})
            assert [(e["field"], e["code"]) for e in answer.json()["errors"]] == [("hub_ids.0", "unknown")]


async def test_leaving_a_hub_is_not_leaving_the_scheme(given: Harness) -> None:
    who = await shared(given)
    here, there = await accepted(given, who, "thames"), await accepted(given, who, "heath")
    await do(people_of(given, "thames"), who, "leave")
    assert (await task(given, here))["returned_because"] == "hub-not-helped"
    assert (await task(given, there))["state"] == "accepted"
    assert (await people_of(given, "thames").get("/v1/volunteers")).json()["items"] == []
    await do(people_of(given, "heath"), who, "leave")
    assert len(await given.emitted(VolunteerLeft)) == 1


@pytest.mark.parametrize("second", [False, True])
async def test_a_suspension_holds_everywhere_until_each_hub_that_is_concerned_lifts_it(
    given: Harness, second: bool
) -> None:
    who = await shared(given)
    thames, heath = people_of(given, "thames"), people_of(given, "heath")
    there = await accepted(given, who, "heath")
    await do(thames, who, "suspension", reason="safeguarding-concern")
    assert (await task(given, there))["returned_because"] == "volunteer-suspended"
    offering = {"hub_ids": ["heath"], "task_kinds": ["errand"]}
    refused = await heath.post(f"/v1/volunteers/{who}/activation", json=offering)
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:bdcan:problem:suspended")
    if second:
        await do(heath, who, "suspension", reason="safeguarding-concern")
        refused = await thames.post(
            f"/v1/volunteers/{who}/activation", json=offering | {"hub_ids": ["thames"]}
        )
        assert refused.status_code == 409
        borough = given.person([*SCOPES, "hubs:all"], name="council")
        lifted = await do(borough, who, "activation", hub_ids=["thames", "heath"], task_kinds=["errand"])
    else:
        lifted = await do(thames, who, "activation", hub_ids=["thames"], task_kinds=["errand"])
    assert (lifted["state"], lifted["suspended"]) == ("active", False)


async def test_a_row_of_the_release_before_keeps_what_it_says_for_each_hub(given: Harness) -> None:
    who = await shared(given)
    await given.fetch("UPDATE volunteer SET parts = '[]', dbs_cleared = true")
    mine = await do(people_of(given, "thames"), who, "activation", hub_ids=["thames"], task_kinds=["errand"])
    assert (mine["hub_ids"], mine["dbs_cleared"]) == (["thames", "heath"], True)
    [theirs] = (await people_of(given, "heath").get("/v1/volunteers")).json()["items"]
    assert (theirs["task_kinds"], theirs["dbs_cleared"]) == (list(KINDS), True)
