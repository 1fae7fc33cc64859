"""Referrals of one person or one household share a call, and none is forgotten when another one ends."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from volunteer_match_story import assigned, claim_call, closed, linked, need, withdrawn

from bdcan_chassis.testing.harness import Harness
from bdcan_contracts.models import ReferralAssigned, WelfareCallCompleted, WelfareCallUnanswered
from bdcan_contracts.vocabulary import NeedCode


def a_request(code: NeedCode = NeedCode.FOOD_PARCEL, **more: Any) -> ReferralAssigned:
    return assigned(needs=(need(code),), **more)


async def due(given: Harness, **query: str) -> list[dict[str, Any]]:
    answer = await given.http.get("/v1/welfare-calls", params={"state": "due", **query})
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


async def call_of(given: Harness, event: ReferralAssigned) -> dict[str, Any]:
    items = (await given.http.get("/v1/welfare-calls")).json()["items"]
    return next(item for item in items if item["referral_id"] == str(event.referral_id))


async def tell(given: Harness, call_id: str, **outcome: Any) -> dict[str, Any]:
    answer = await given.http.post(f"/v1/welfare-calls/{call_id}/outcome", json=outcome)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def two(given: Harness, kind: str, first: bool = True) -> tuple[ReferralAssigned, ReferralAssigned]:
    """Two referrals that are linked, before or after they have a hub."""
    one, other = a_request(), a_request(NeedCode.ERRAND)
    links = linked(one.referral_id, other.referral_id, kind=kind)
    for event in (*links, one, other) if first else (one, other, *links):
        await given.deliver(event)
    await given.emitted()
    return one, other


@pytest.mark.parametrize("kind", ["person", "household"])
@pytest.mark.parametrize("link_first", [True, False])
async def test_one_call_answers_for_both(given: Harness, kind: str, link_first: bool) -> None:
    await two(given, kind, link_first)
    [call] = await due(given)
    [link] = call["linked"]
    assert (link["likeness"], link["shares_call"], len(link["needs"])) == (kind, True, 1)
    await claim_call(given, call["call_id"])
    assert await due(given) == []
    told = await tell(given, call["call_id"], outcome="answered")
    [shared] = told["shared_with"]
    assert (shared["state"], shared["counted"], len(told["task_ids"])) == ("answered", True, 1)
    said = await given.emitted(WelfareCallCompleted)
    assert {e.data.referral_id for e in said} == {UUID(call["referral_id"]), UUID(link["referral_id"])}
    assert await due(given) == []


async def test_findings_reach_the_referral_whose_need_they_name(given: Harness) -> None:
    one, other = await two(given, "household")
    [call] = await due(given)
    await claim_call(given, call["call_id"])
    needs = [
        {"need_id": str(e.needs[0].need_id), "code": e.needs[0].code, "result": result}
        for e, result in ((one, "confirmed"), (other, "declined"))
    ]
    await tell(given, call["call_id"], outcome="answered", needs=needs)
    said = {
        e.data.referral_id: e.data.needs[0].result.value for e in await given.emitted(WelfareCallCompleted)
    }
    assert said == {one.referral_id: "confirmed", other.referral_id: "declined"}


async def test_a_wrong_finding_names_its_place_in_the_report(given: Harness) -> None:
    one, other = await two(given, "person")
    [call] = await due(given)
    await claim_call(given, call["call_id"])
    mine = next(e for e in (one, other) if str(e.referral_id) == call["referral_id"])
    theirs = other if mine is one else one
    needs = [
        {"need_id": str(mine.needs[0].need_id), "code": mine.needs[0].code, "result": "confirmed"},
        {"need_id": str(theirs.needs[0].need_id), "code": "shopping", "result": "confirmed"},
    ]
    answer = await given.http.post(
        f"/v1/welfare-calls/{call['call_id']}/outcome", json={"outcome": "answered", "needs": needs}
    )
    assert [e["field"] for e in answer.json()["errors"]] == ["needs.1.code"]


async def test_a_missed_call_is_one_attempt_for_both(given: Harness) -> None:
    await two(given, "person")
    [call] = await due(given)
    await claim_call(given, call["call_id"])
    told = await tell(given, call["call_id"], outcome="no-answer")
    assert [s["counted"] for s in told["shared_with"]] == [True]
    assert len(await given.emitted(WelfareCallUnanswered)) == 2
    given.clock.advance(timedelta(hours=4))
    assert len(await due(given)) == 1


@pytest.mark.parametrize(("kind", "others"), [("person", "answered"), ("household", "due")])
async def test_who_refuses_refuses_for_themselves(given: Harness, kind: str, others: str) -> None:
    await two(given, kind)
    [call] = await due(given)
    await claim_call(given, call["call_id"])
    told = await tell(given, call["call_id"], outcome="refused")
    assert [s["state"] for s in told["shared_with"]] == [others]


async def test_a_wrong_number_is_that_of_one_referral(given: Harness) -> None:
    await two(given, "person")
    [call] = await due(given)
    await claim_call(given, call["call_id"])
    told = await tell(given, call["call_id"], outcome="wrong-number")
    assert (told["state"], [s["state"] for s in told["shared_with"]]) == ("exhausted", ["due"])
    assert len(await due(given)) == 1


@pytest.mark.parametrize("claimed", [False, True])
@pytest.mark.parametrize("ends", ["withdrawn", "closed"])
async def test_the_other_is_still_rung_when_one_ends(given: Harness, claimed: bool, ends: str) -> None:
    one, other = await two(given, "person")
    [call] = await due(given)
    first, second = (one, other) if call["referral_id"] == str(one.referral_id) else (other, one)
    if claimed:
        await claim_call(given, call["call_id"])
    referral_id = first.referral_id
    await given.deliver(
        withdrawn(referral_id) if ends == "withdrawn" else closed(referral_id, first.needs[0].need_id)
    )
    if claimed:
        left = await call_of(given, second)
        assert left["state"] == "claimed"
        given.clock.advance(timedelta(minutes=31))
        await given.fire()
    [left] = await due(given)
    assert left["referral_id"] == str(second.referral_id)
    await claim_call(given, left["call_id"])
    assert (await tell(given, left["call_id"], outcome="answered"))["state"] == "answered"


async def test_a_link_after_the_call_leaves_the_second_call_and_shows_the_first(given: Harness) -> None:
    one, other = a_request(), a_request()
    await given.deliver(one)
    call = await call_of(given, one)
    await claim_call(given, call["call_id"])
    await tell(given, call["call_id"], outcome="answered")
    await given.deliver(other)
    await given.deliver(*linked(one.referral_id, other.referral_id))
    [left] = await due(given)
    [link] = left["linked"]
    assert (left["referral_id"], link["last_outcome"], link["shares_call"]) == (
        str(other.referral_id),
        "answered",
        False,
    )


async def test_an_undone_report_is_undone_for_both(given: Harness) -> None:
    await two(given, "person")
    [call] = await due(given)
    await claim_call(given, call["call_id"])
    told = await tell(given, call["call_id"], outcome="answered")
    answer = await given.http.post(f"/v1/welfare-calls/{call['call_id']}/undo")
    assert answer.status_code == 200, answer.text
    [left] = await due(given)
    assert [link["shares_call"] for link in left["linked"]] == [True]
    for task_id in told["task_ids"]:
        assert (await given.http.get(f"/v1/tasks/{task_id}")).json()["state"] == "cancelled"


@pytest.mark.parametrize("flag", ["deceased", "no-consent"])
async def test_nobody_rings_a_person_of_whom_another_referral_says_stop(given: Harness, flag: str) -> None:
    one, other = a_request(), a_request(flags=(flag,))
    await given.deliver(one, other, *linked(one.referral_id, other.referral_id))
    call = await call_of(given, one)
    answer = await given.http.post(f"/v1/welfare-calls/{call['call_id']}/claim")
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:bdcan:problem:person-must-look")


async def test_two_hubs_share_no_call_and_both_see_the_link(given: Harness) -> None:
    one, other = a_request(), a_request(hub_id="heath")
    await given.deliver(one, other, *linked(one.referral_id, other.referral_id))
    assert len(await due(given, linked="true")) == 2
    heath = given.client(["calls:read"], ["heath"])
    [seen] = (await heath.get("/v1/welfare-calls?linked=true")).json()["items"]
    assert (seen["same_person_ids"], seen["linked"]) == ([str(one.referral_id)], [])


async def test_lists_show_what_is_linked(given: Harness) -> None:
    await given.deliver(a_request())
    one, other = await two(given, "household")
    ids = {str(one.referral_id), str(other.referral_id)}
    items = (await given.http.get("/v1/welfare-calls?linked=true")).json()["items"]
    assert {item["referral_id"] for item in items} == ids
    [call] = await due(given, linked="true")
    await claim_call(given, call["call_id"])
    await tell(given, call["call_id"], outcome="answered")
    [task] = (await given.http.get("/v1/tasks?linked=true")).json()["items"]
    assert task["referral_id"] in ids


async def test_a_link_that_intake_takes_away_separates_the_calls(given: Harness) -> None:
    one, other = await two(given, "person")
    apart = linked(one.referral_id, other.referral_id, kind="none", later=timedelta(minutes=1))
    await given.deliver(*apart)
    assert len(await due(given)) == 2
    old = linked(one.referral_id, other.referral_id)
    await given.deliver(*old)
    assert len(await due(given)) == 2
