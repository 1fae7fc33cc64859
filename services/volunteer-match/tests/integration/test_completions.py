"""What came of a task: the form of its kind, a part of it, or nobody came."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from volunteer_match_story import open_task, say, task, volunteer, withdrawn

from bdcan_chassis.testing.harness import Harness
from bdcan_contracts.models import TaskCompleted, TaskFailed, VolunteerPaused
from bdcan_contracts.vocabulary import NeedCode

SHOPS = ("shopping",)


async def in_hand(given: Harness) -> tuple[str, UUID]:
    who = await volunteer(given, kinds=SHOPS)
    task_id = await open_task(given, NeedCode.SHOPPING)
    await given.run("match")
    assert await say(given, task_id, "acceptance", who) == 200
    await given.emitted()
    return task_id, who


async def reports(given: Harness, task_id: str) -> list[dict[str, Any]]:
    return (await given.http.get(f"/v1/tasks/{task_id}/completions")).json()["items"]


async def test_form_of_the_kind_is_kept_and_a_second_report_changes_nothing(given: Harness) -> None:
    task_id, who = await in_hand(given)
    form = {"spent_pence": 1240, "receipt": True, "handed": "resident"}
    assert await say(given, task_id, "completion", who, **form) == 200
    assert await say(given, task_id, "completion", who, spent_pence=9) == 200
    [kept] = await reports(given, task_id)
    assert kept == form | {"volunteer_id": str(who), "caller": kept["caller"], "missing": []}
    assert [type(event.data) for event in await given.emitted()] == [TaskCompleted]


async def test_wrong_form_names_what_is_needed_and_changes_nothing(given: Harness) -> None:
    task_id, who = await in_hand(given)
    body = {"volunteer_id": str(who), "homes": 40}
    answer = await given.http.post(f"/v1/tasks/{task_id}/completion", json=body)
    assert answer.status_code == 422
    assert {(e["field"], e["code"]) for e in answer.json()["errors"]} == {
        ("spent_pence", "missing"),
        ("homes", "not-asked"),
    }
    assert await say(given, task_id, "completion", who, spent_pence=-1) == 422
    assert (await task(given, task_id))["state"] == "accepted"
    assert await reports(given, task_id) == []


async def test_rest_of_a_task_is_offered_and_both_reports_are_kept(given: Harness) -> None:
    task_id, who = await in_hand(given)
    assert await say(given, task_id, "completion", who, spent_pence=300, missing=["out-of-stock"]) == 200
    found = await task(given, task_id)
    assert (found["state"], found["returned_because"]) == ("open", "partly-done")
    assert await given.run("match") == 1
    assert await say(given, task_id, "acceptance", who) == 200
    assert await say(given, task_id, "completion", who, spent_pence=200) == 200
    kept = await reports(given, task_id)
    assert sorted((one["spent_pence"], one["missing"]) for one in kept) == [
        (200, []),
        (300, ["out-of-stock"]),
    ]


async def test_volunteer_who_did_not_come_gets_no_offers_until_a_person_decides(given: Harness) -> None:
    task_id, who = await in_hand(given)
    assert await say(given, task_id, "no-show", who) == 200
    assert (await task(given, task_id))["returned_because"] == "volunteer-did-not-come"
    told = [event.data for event in await given.emitted(TaskFailed, VolunteerPaused)]
    assert {type(one) for one in told} == {TaskFailed, VolunteerPaused}
    assert await given.run("match") == 0
    assert await say(given, task_id, "no-show", who) == 404
    other = await volunteer(given, kinds=SHOPS)
    assert await given.run("match") == 1
    assert (await task(given, task_id))["volunteer_id"] == str(other)


async def test_only_people_of_the_hub_report_that_somebody_did_not_come(given: Harness) -> None:
    task_id, who = await in_hand(given)
    body = {"volunteer_id": str(who)}
    own = given.person(["tasks:write"], volunteer_id=who)
    assert (await own.post(f"/v1/tasks/{task_id}/no-show", json=body)).status_code == 403
    heath = given.client(["tasks:read", "tasks:write"], ["heath"])
    assert (await heath.post(f"/v1/tasks/{task_id}/no-show", json=body)).status_code == 404
    assert (await heath.get(f"/v1/tasks/{task_id}/completions")).status_code == 404
    other = await volunteer(given)
    assert await say(given, task_id, "completion", other, spent_pence=1) == 409


async def test_need_that_was_withdrawn_meanwhile_is_not_reported_as_done(given: Harness) -> None:
    task_id, who = await in_hand(given)
    await given.deliver(withdrawn(UUID((await task(given, task_id))["referral_id"])))
    assert await say(given, task_id, "completion", who, spent_pence=300) == 409
    assert await say(given, task_id, "completion", who, spent_pence=300, missing=["closed"]) == 409
    assert await reports(given, task_id) == []
