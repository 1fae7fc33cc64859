"""An attempt counts only in its slot, and a resident who cannot be reached waits for a person."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from volunteer_match_story import (
    assigned,
    claim_call,
    need,
    only_call,
    report,
    say,
    task,
    volunteer,
    withdrawn,
)

from bdcan_chassis.testing.harness import Harness
from bdcan_contracts.models import TaskOpened, WelfareCallExhausted, WelfareCallHeld, WelfareCallUnanswered
from bdcan_contracts.vocabulary import NeedCode, TaskKind
from bdcan_volunteer_match.domain.call import REVIEW

NIGHT = timedelta(hours=14, minutes=8)  # 23:08


async def due_call(given: Harness, **more: Any) -> str:
    await given.deliver(assigned(**more))
    return (await only_call(given))["call_id"]


async def exhausted(given: Harness, **more: Any) -> str:
    """A call at whose four slots nobody answered."""
    call_id = await due_call(given, **more)
    for wait in (0, 3, 5, 16):
        given.clock.advance(timedelta(hours=wait))
        await report(given, call_id, outcome="voicemail")
    return call_id


async def test_the_ladder_ends_with_a_welfare_concern_and_a_person_who_looks(given: Harness) -> None:
    await exhausted(given)
    told = [type(e.data) for e in await given.emitted()]
    assert told == [*[WelfareCallUnanswered] * 3, WelfareCallExhausted, WelfareCallHeld]
    made = await given.fetch("SELECT attempt, outcome, caller FROM call_attempt ORDER BY attempt")
    assert [tuple(r) for r in made] == [(i, "voicemail", "key:test") for i in range(1, 5)]
    [item] = (await given.http.get("/v1/welfare-calls?review=true")).json()["items"]
    assert (item["state"], item["review"]) == ("exhausted", "not-reached")


@pytest.mark.parametrize("hour", [timedelta(0), timedelta(hours=2, minutes=59, seconds=59), NIGHT])
async def test_four_attempts_in_two_seconds_are_one_at_most(given: Harness, hour: timedelta) -> None:
    call_id = await due_call(given)
    given.clock.advance(hour)
    counted = []
    for _ in range(4):
        counted.append((await report(given, call_id, outcome="no-answer"))["counted"])
        given.clock.advance(timedelta(milliseconds=600))
    assert counted == [hour != NIGHT, False, False, False]
    assert await given.emitted(WelfareCallExhausted) == []
    kept = await given.fetch("SELECT 1 FROM call_attempt UNION ALL SELECT 1 FROM uncounted_attempt")
    assert len(kept) == 4, "what people did is on record all the same"


async def test_an_attempt_at_night_leads_to_a_call_in_the_morning(given: Harness) -> None:
    call_id = await due_call(given)
    given.clock.advance(NIGHT)
    answer = await report(given, call_id, outcome="no-answer")
    assert (answer["state"], answer["attempts"]) == ("due", 0)
    assert answer["next_attempt_at"] == "2020-03-24T09:00:00Z"


async def test_a_wrong_number_at_night_is_tried_again_in_the_morning(given: Harness) -> None:
    call_id = await due_call(given)
    given.clock.advance(NIGHT)
    assert (await report(given, call_id, outcome="wrong-number"))["state"] == "due"
    given.clock.advance(timedelta(hours=10))
    assert (await report(given, call_id, outcome="wrong-number"))["state"] == "exhausted"


async def test_an_answer_counts_at_any_hour(given: Harness) -> None:
    call_id = await due_call(given)
    given.clock.advance(NIGHT)
    answer = await report(given, call_id, outcome="answered")
    assert (answer["state"], answer["counted"]) == ("answered", True)


async def test_a_resident_who_cannot_be_reached_waits_until_a_person_decides(given: Harness) -> None:
    call_id = await exhausted(given)
    await given.emitted()
    for _ in range(2):
        given.clock.advance(timedelta(hours=24))
        assert await given.fire() == 1
        [told] = await given.emitted()
        assert (told.data.reason, told.data.overdue) == ("not-reached", True)
    body = {"decision": "ring", "reason": "The daughter gave another number."}
    answer = await given.http.post(f"/v1/welfare-calls/{call_id}/review", json=body)
    assert (answer.json()["state"], answer.json()["attempts"]) == ("due", 0)
    assert REVIEW not in {kind for kind, _ in await given.deadlines()}
    [kept] = await given.fetch("SELECT decision, caller, reason FROM decision")
    assert tuple(kept) == ("ring", "key:test", body["reason"])
    assert (await report(given, answer.json()["call_id"], outcome="answered"))["state"] == "answered"


async def test_a_person_may_send_somebody_to_the_door(given: Harness) -> None:
    who = await volunteer(given, kinds=(TaskKind.DOORSTEP_VISIT,))
    call_id = await exhausted(given)
    await given.emitted()
    body = {"decision": "visit", "reason": "Somebody should knock."}
    for _ in range(2):
        assert (await given.http.post(f"/v1/welfare-calls/{call_id}/review", json=body)).status_code == 200
    [told] = await given.emitted(TaskOpened)
    assert told.data.kind == TaskKind.DOORSTEP_VISIT
    assert await given.run("match") == 1
    task_id = str(told.data.task_id)
    assert await say(given, task_id, "acceptance", who) == 200
    assert await say(given, task_id, "completion", who) == 200
    [item] = (await given.http.get("/v1/welfare-calls?review=true")).json()["items"]
    assert item["review"] == "not-reached", "the person looks again after the visit"


async def test_a_person_may_leave_it_with_the_council(given: Harness) -> None:
    call_id = await exhausted(given)
    body = {"decision": "with-council", "reason": "They know the family."}
    assert (await given.http.post(f"/v1/welfare-calls/{call_id}/review", json=body)).status_code == 200
    assert (await given.http.get("/v1/welfare-calls?review=true")).json()["items"] == []
    again = await given.http.post(f"/v1/welfare-calls/{call_id}/review", json=body)
    assert (again.status_code, again.json()["type"]) == (409, "urn:bdcan:problem:nothing-to-decide")


async def test_a_person_may_allow_a_call_without_consent_on_record(given: Harness) -> None:
    call_id = await due_call(given, flags=("no-consent",))
    path = f"/v1/welfare-calls/{call_id}/review"
    wrong = await given.http.post(path, json={"decision": "with-council", "reason": "Not ours."})
    assert (wrong.status_code, wrong.json()["type"]) == (409, "urn:bdcan:problem:wrong-decision")
    body = {"decision": "ring", "reason": "The surgery ticked the wrong box."}
    assert (await given.http.post(path, json=body)).status_code == 200
    await claim_call(given, call_id)


async def test_a_withdrawal_ends_the_wait_for_a_person(given: Harness) -> None:
    event = assigned(flags=("deceased",))
    await given.deliver(event, withdrawn(event.referral_id))
    assert (await given.http.get("/v1/welfare-calls?review=true")).json()["items"] == []
    assert await given.deadlines() == {}


async def test_an_answer_that_was_a_slip_is_undone(given: Harness) -> None:
    call_id = await due_call(given)
    [task_id] = (await report(given, call_id, outcome="answered"))["task_ids"]
    answer = await given.http.post(f"/v1/welfare-calls/{call_id}/undo")
    again = answer.json()["call_id"]
    assert (answer.status_code, answer.json()["state"], again != call_id) == (200, "due", True)
    found = await task(given, task_id)
    assert found["state"] == "cancelled"
    reported = await report(given, again, outcome="answered")
    assert len(reported["task_ids"]) == 1
    assert reported["task_ids"] != [task_id]


async def test_a_refusal_that_was_a_slip_is_asked_again_as_a_new_need(given: Harness) -> None:
    event = assigned(needs=(need(NeedCode.ERRAND), need(NeedCode.DEBT)))
    await given.deliver(event)
    call_id = (await only_call(given))["call_id"]
    await report(given, call_id, outcome="refused")
    again = (await given.http.post(f"/v1/welfare-calls/{call_id}/undo")).json()
    assert {n["code"] for n in again["needs"]} == {"errand", "debt"}
    assert not {n["need_id"] for n in again["needs"]} & {str(n.need_id) for n in event.needs}
    reported = await report(given, again["call_id"], outcome="answered")
    assert len(reported["task_ids"]) == 1


async def test_a_missed_call_that_was_a_slip_gets_its_slot_back(given: Harness) -> None:
    call_id = await due_call(given)
    await report(given, call_id, outcome="no-answer")
    answer = await given.http.post(f"/v1/welfare-calls/{call_id}/undo")
    assert (answer.json()["call_id"], answer.json()["not_before"]) == (call_id, "2020-03-23T09:00:00Z")
    assert len((await given.http.get("/v1/welfare-calls?state=due")).json()["items"]) == 1
    twice = await given.http.post(f"/v1/welfare-calls/{call_id}/undo")
    assert (twice.status_code, twice.json()["type"]) == (409, "urn:bdcan:problem:nothing-to-undo")


async def test_after_half_an_hour_a_call_is_reopened_with_a_reason(given: Harness) -> None:
    call_id = await due_call(given)
    await report(given, call_id, outcome="wrong-number")
    given.clock.advance(timedelta(minutes=31))
    late = await given.http.post(f"/v1/welfare-calls/{call_id}/undo")
    assert (late.status_code, late.json()["type"]) == (409, "urn:bdcan:problem:too-late")
    body = {"reason": "number-was-right"}
    answer = await given.http.post(f"/v1/welfare-calls/{call_id}/reopening", json=body)
    assert (answer.status_code, answer.json()["state"]) == (200, "due")


@pytest.mark.parametrize("what", ["undo", "reopening", "review"])
async def test_another_hub_changes_nothing(given: Harness, what: str) -> None:
    call_id = await exhausted(given)
    heath = given.client(["calls:write"], ["heath"])
    body = {"reopening": {"reason": "a-slip"}, "review": {"decision": "ring", "reason": "A slip."}}.get(what)
    assert (await heath.post(f"/v1/welfare-calls/{call_id}/{what}", json=body)).status_code == 404


async def test_a_later_call_that_declines_a_need_ends_its_task(given: Harness) -> None:
    call_id = await due_call(given)
    event = (await only_call(given))["needs"][0]
    await report(given, call_id, outcome="answered")
    await given.emitted()
    again = await given.http.post(f"/v1/welfare-calls/{call_id}/reopening", json={"reason": "rang-back"})
    declined = {"need_id": event["need_id"], "code": event["code"], "result": "declined"}
    reported = await report(given, again.json()["call_id"], outcome="answered", needs=[declined])
    assert reported["task_ids"] == []
    tasks = (await given.http.get("/v1/tasks")).json()["items"]
    assert {t["state"] for t in tasks} == {"cancelled"}
