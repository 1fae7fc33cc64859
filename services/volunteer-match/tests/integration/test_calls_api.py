"""What callers ask for and report, and every way of getting it wrong."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from volunteer_match_story import assigned, claim_call, need, only_call, report, withdrawn

from bdcan_chassis.testing.harness import START, Harness
from bdcan_contracts.models import (
    CallNeedResult,
    Lane,
    Need,
    WelfareCallCompleted,
    WelfareCallUnanswered,
)
from bdcan_contracts.vocabulary import NeedCode
from bdcan_volunteer_match.domain.call import first_call_id
from bdcan_volunteer_match.settings import Settings

PROBLEM = "application/problem+json"


async def due_call(given: Harness, **more: Any) -> str:
    await given.deliver(assigned(**more))
    return (await only_call(given))["call_id"]


async def test_the_list_shows_what_a_caller_needs_and_nothing_personal(given: Harness) -> None:
    await given.deliver(assigned(needs=(need(NeedCode.SHOPPING),)))
    call = await only_call(given)
    assert call["needs"][0]["code"] == "shopping"
    assert call["household"] == {"adults": 2, "children": 0, "infants": 0}
    assert call["due_at"] == "2020-03-25T09:00:00Z"
    assert not {"name", "phone", "address", "postcode"} & set(call)


async def test_a_missed_call_is_listed_again_when_its_slot_begins(given: Harness) -> None:
    call_id = await due_call(given)
    answer = await report(given, call_id, outcome="no-answer")
    assert (answer["state"], answer["next_attempt_at"]) == ("unanswered", "2020-03-23T12:00:00Z")
    listed = await given.http.get("/v1/welfare-calls?state=due")
    assert listed.json()["items"] == []
    given.clock.advance(timedelta(hours=3))
    assert (await given.http.get("/v1/welfare-calls?state=due")).json()["items"][0]["call_id"] == call_id
    told = (await given.emitted(WelfareCallUnanswered))[0].data
    assert (told.attempt, told.outcome) == (1, "no-answer")


async def test_a_resident_who_refuses_help_declines_every_need(given: Harness) -> None:
    call_id = await due_call(given, needs=(need(), need(NeedCode.DEBT)))
    answer = await report(given, call_id, outcome="refused")
    assert (answer["state"], answer["task_ids"]) == ("answered", [])
    told = (await given.emitted())[0].data
    assert {n.result for n in told.needs} == {"declined"}


async def test_a_call_without_needs_can_be_answered(given: Harness) -> None:
    call_id = await due_call(given, needs=())
    await report(given, call_id, outcome="answered")
    assert (await given.emitted(WelfareCallCompleted))[0].data.needs == ()


async def test_a_claim_can_be_sent_again_but_not_by_another_caller(given: Harness) -> None:
    call_id = await due_call(given)
    await claim_call(given, call_id)
    given.clock.advance(timedelta(minutes=5))
    again = await given.http.post(f"/v1/welfare-calls/{call_id}/claim")
    assert again.json()["claim_expires_at"] == "2020-03-23T09:30:00Z"
    other = given.client(["calls:write", "calls:read"], ["thames"])
    refused = await other.post(f"/v1/welfare-calls/{call_id}/claim")
    assert (refused.status_code, refused.headers["content-type"]) == (409, PROBLEM)
    assert refused.json()["type"] == "urn:bdcan:problem:claimed-by-other"
    reported = await other.post(f"/v1/welfare-calls/{call_id}/outcome", json={"outcome": "answered"})
    assert reported.status_code == 409


async def test_an_outcome_that_is_sent_again_with_its_key_is_done_once(given: Harness) -> None:
    call_id = await due_call(given)
    await claim_call(given, call_id)
    path, headers = f"/v1/welfare-calls/{call_id}/outcome", {"Idempotency-Key": "outcome-1"}
    first = await given.http.post(path, json={"outcome": "answered"}, headers=headers)
    second = await given.http.post(path, json={"outcome": "answered"}, headers=headers)
    assert first.status_code == second.status_code == 200
    assert first.json() == second.json()
    third = await given.http.post(path, json={"outcome": "answered"})
    assert (third.status_code, third.json()["type"]) == (409, "urn:bdcan:problem:call-settled")
    assert len(await given.emitted(WelfareCallCompleted)) == 1


async def test_an_outcome_without_a_claim_is_refused(given: Harness) -> None:
    call_id = await due_call(given)
    answer = await given.http.post(f"/v1/welfare-calls/{call_id}/outcome", json={"outcome": "answered"})
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:bdcan:problem:not-claimed")


async def test_every_field_at_fault_is_named_at_once(given: Harness) -> None:
    call_id = await due_call(given)
    answer = await given.http.post(
        f"/v1/welfare-calls/{call_id}/outcome",
        json={
            "outcome": "maybe",
            "needs": [{"code": "No code", "result": "confirmed"}],
            "household": {"adults": -1},
            "diets": ["air"],
            "next_attempt_at": "2020-03-24T10:00:00",
            "mood": "good",
        },
    )
    assert (answer.status_code, answer.headers["content-type"]) == (422, PROBLEM)
    assert {e["field"] for e in answer.json()["errors"]} == {
        "outcome",
        "needs.0.code",
        "household.adults",
        "diets.0",
        "next_attempt_at",
        "body",
    }


async def test_findings_that_do_not_fit_the_referral_are_named(given: Harness) -> None:
    call_id = await due_call(given)
    await claim_call(given, call_id)
    answer = await given.http.post(
        f"/v1/welfare-calls/{call_id}/outcome",
        json={
            "outcome": "answered",
            "needs": [{"need_id": str(uuid4()), "code": "errand", "result": "confirmed"}],
        },
    )
    assert answer.status_code == 422
    assert [e["field"] for e in answer.json()["errors"]] == ["needs.0.need_id"]
    assert await given.emitted() == []


async def test_a_resident_can_decline_a_need_of_a_newer_release(given: Harness) -> None:
    unknown = Need(need_id=uuid4(), code="dog-walking", lane=Lane.COMMUNITY)
    await given.deliver(assigned(needs=(unknown,)))
    call_id = (await only_call(given))["call_id"]
    await claim_call(given, call_id)
    said = {"need_id": str(unknown.need_id), "code": "dog-walking", "result": "declined"}
    await report(given, call_id, outcome="answered", needs=[said])
    [event] = await given.emitted(WelfareCallCompleted)
    assert [(n.code, n.lane, n.result) for n in event.data.needs] == [
        ("dog-walking", Lane.COMMUNITY, CallNeedResult.DECLINED)
    ]


async def test_a_found_need_that_nobody_knows_is_refused(given: Harness) -> None:
    call_id = await due_call(given)
    await claim_call(given, call_id)
    body = {"outcome": "answered", "needs": [{"code": "dog-walking", "result": "found"}]}
    answer = await given.http.post(f"/v1/welfare-calls/{call_id}/outcome", json=body)
    assert answer.status_code == 422
    assert [(e["field"], e["code"]) for e in answer.json()["errors"]] == [("needs.0.code", "unknown-code")]


@pytest.mark.parametrize(
    "body",
    [
        {"outcome": "rescheduled"},
        {"outcome": "rescheduled", "next_attempt_at": (START - timedelta(hours=1)).isoformat()},
        {"outcome": "no-answer", "next_attempt_at": (START + timedelta(hours=1)).isoformat()},
    ],
)
async def test_a_time_to_ring_again_that_does_not_fit_is_refused(
    given: Harness, body: dict[str, Any]
) -> None:
    call_id = await due_call(given)
    await claim_call(given, call_id)
    answer = await given.http.post(f"/v1/welfare-calls/{call_id}/outcome", json=body)
    assert answer.status_code == 422
    assert [e["field"] for e in answer.json()["errors"]] == ["next_attempt_at"]


@pytest.mark.parametrize("what", ["", "/claim", "/outcome"])
async def test_a_hub_does_not_learn_of_another_hubs_calls(given: Harness, what: str) -> None:
    call_id = await due_call(given)
    heath = given.client(["calls:read", "calls:write"], ["heath"])
    assert (await heath.get("/v1/welfare-calls")).json()["items"] == []
    assert (await heath.get("/v1/welfare-calls?hub=thames")).status_code == 404
    for which in (call_id, str(uuid4())):
        path = f"/v1/welfare-calls/{which}{what}"
        answer = await (heath.post(path, json={"outcome": "answered"}) if what else heath.get(path))
        assert (answer.status_code, answer.headers["content-type"]) == (404, PROBLEM)


async def test_scopes_are_needed(given: Harness) -> None:
    call_id = await due_call(given)
    reader = given.client(["calls:read"], ["thames"])
    assert len((await reader.get("/v1/welfare-calls?hub=thames")).json()["items"]) == 1
    assert (await reader.post(f"/v1/welfare-calls/{call_id}/claim")).status_code == 403
    nobody = given.client([], [])
    for path in ("/v1/welfare-calls", "/v1/tasks", "/v1/volunteers", "/v1/summary", "/v1/hubs"):
        answer = await nobody.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (403, PROBLEM)
        stranger = await given.http.get(path, headers={"X-API-Key": "wrong"})
        assert stranger.status_code == 401


async def test_a_call_that_is_put_off_makes_no_page_skip_another(given: Harness) -> None:
    await given.deliver(*(assigned() for _ in range(6)))
    first = (await given.http.get("/v1/welfare-calls?state=due&limit=2")).json()
    later = (START + timedelta(days=9)).isoformat()
    moved = first["items"][-1]["call_id"]
    await report(given, moved, outcome="rescheduled", next_attempt_at=later)
    rest = (await given.http.get(f"/v1/welfare-calls?state=due&after={first['next']}")).json()
    assert len({c["call_id"] for c in first["items"] + rest["items"]}) == 6


async def test_a_list_refuses_a_parameter_that_it_does_not_know(given: Harness) -> None:
    answer = await given.http.get("/v1/welfare-calls?overdue=true")
    assert answer.status_code == 422
    assert [e["field"] for e in answer.json()["errors"]] == ["query"]


async def test_a_call_that_was_never_due_cannot_be_seen(given: Harness) -> None:
    event = assigned()
    await given.deliver(withdrawn(event.referral_id))
    await given.deliver(event)
    call_id = first_call_id(event.referral_id)
    assert (await given.http.get(f"/v1/welfare-calls/{call_id}")).status_code == 404


async def test_the_summary_counts_by_state(given: Harness) -> None:
    await given.deliver(assigned(), assigned())
    first = (await given.http.get("/v1/welfare-calls")).json()["items"][0]
    await report(given, first["call_id"], outcome="answered")
    assert (await given.http.get("/v1/summary")).json() == {
        "calls": {"due": 1, "answered": 1},
        "tasks": {"open": 1},
        "volunteers": {},
        "unfilled_tasks": 0,
    }


async def test_a_claim_opens_the_number_for_whoever_claimed_until_it_runs_out(given: Harness) -> None:
    event = assigned(needs=(need(),))
    await given.deliver(event)
    call_id = (await only_call(given))["call_id"]
    caller = given.person(["calls:read", "calls:write"], ["thames"], name="ada")
    for _ in range(2):
        claimed = (await caller.post(f"/v1/welfare-calls/{call_id}/claim")).json()
        settings = given.service.settings
        assert isinstance(settings, Settings)
        grant = settings.grant_keys.read(claimed["grant"])
        assert grant is not None
        assert (grant.holder, grant.purpose, grant.subjects) == (
            "person:ada",
            "welfare_call",
            (event.referral_id,),
        )
        assert grant.expires_at.isoformat().replace("+00:00", "Z") == claimed["claim_expires_at"]
        given.clock.advance(timedelta(minutes=5))
    other = given.person(["calls:read", "calls:write"], ["thames"], name="bob")
    assert "grant" not in (await other.get(f"/v1/welfare-calls/{call_id}")).json()
    for verb, body in (("claim", None), ("outcome", {"outcome": "no-answer"})):
        assert (await other.post(f"/v1/welfare-calls/{call_id}/{verb}", json=body)).status_code == 409
