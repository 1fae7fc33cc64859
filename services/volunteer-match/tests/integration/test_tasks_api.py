"""What volunteers say about tasks, and every way of getting it wrong."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from volunteer_match_story import assigned, need, only_call, open_task, report, say, task, volunteer

from bdcan_chassis.testing.harness import Harness
from bdcan_contracts.models import TaskAccepted, TaskCompleted, TaskConcernRaised, TaskFailed
from bdcan_contracts.vocabulary import NeedCode


async def offered_task(given: Harness) -> tuple[str, UUID]:
    helper = await volunteer(given)
    task_id = await open_task(given)
    await given.run("match")
    await given.emitted()
    return task_id, helper


async def test_accepting_and_completing_twice_is_told_once(given: Harness) -> None:
    task_id, helper = await offered_task(given)
    for what in ("acceptance", "acceptance", "completion", "completion"):
        assert await say(given, task_id, what, helper) == 200
    assert [type(e.data) for e in await given.emitted()] == [TaskAccepted, TaskCompleted]


@pytest.mark.parametrize("what", ["acceptance", "refusal", "completion", "failure"])
async def test_somebody_elses_task_is_not_ones_own(given: Harness, what: str) -> None:
    task_id, _ = await offered_task(given)
    other = await volunteer(given)
    await given.emitted()
    more = {"reason": "nobody-home"} if what == "failure" else {}
    answer = await given.http.post(f"/v1/tasks/{task_id}/{what}", json={"volunteer_id": str(other), **more})
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:bdcan:problem:task-not-yours")
    assert (await task(given, task_id))["state"] == "offered"
    assert await given.emitted() == []


@pytest.mark.parametrize("what", ["acceptance", "refusal", "completion", "failure", "concerns"])
async def test_an_id_that_is_nobodys_is_refused(given: Harness, what: str) -> None:
    task_id, _ = await offered_task(given)
    more = {"failure": {"reason": "nobody-home"}, "concerns": {"code": "safeguarding-adult"}}.get(what, {})
    answer = await given.http.post(f"/v1/tasks/{task_id}/{what}", json={"volunteer_id": str(uuid4()), **more})
    assert answer.status_code == 422
    assert [(e["field"], e["code"]) for e in answer.json()["errors"]] == [("volunteer_id", "unknown")]
    assert await given.emitted() == []


@pytest.mark.parametrize("what", ["completion", "failure"])
async def test_only_an_accepted_task_is_completed_or_fails(given: Harness, what: str) -> None:
    task_id, helper = await offered_task(given)
    more = {"reason": "nobody-home"} if what == "failure" else {}
    assert await say(given, task_id, what, helper, **more) == 409


async def test_a_concern_goes_to_community_solutions_in_any_state(given: Harness) -> None:
    task_id, helper = await offered_task(given)
    body = {"code": "safeguarding-adult", "volunteer_id": str(helper)}
    answer = await given.http.post(f"/v1/tasks/{task_id}/concerns", json=body)
    assert answer.status_code == 201
    told = (await given.emitted(TaskConcernRaised))[0].data
    assert (str(told.concern_id), told.code) == (
        answer.json()["concern_id"],
        NeedCode.SAFEGUARDING_ADULT,
    )
    assert str(told.referral_id) == (await task(given, task_id))["referral_id"]
    kept = await given.fetch("SELECT concern_id, volunteer_id FROM concern")
    assert [tuple(r) for r in kept] == [(told.concern_id, helper)]


async def test_times_stay_in_order_between_processes_with_different_clocks(
    given: Harness,
) -> None:
    helper, right = await volunteer(given), given.clock.instant
    ahead, behind = right + timedelta(minutes=10), right
    await given.deliver(assigned(needs=(need(),)))
    call_id = (await only_call(given))["call_id"]
    given.clock.instant = ahead
    await report(given, call_id, outcome="no-answer")
    given.clock.instant = behind
    (task_id,) = (await report(given, call_id, outcome="answered"))["task_ids"]
    await given.run("match")
    assert await say(given, task_id, "acceptance", helper) == 200
    given.clock.instant = ahead + timedelta(minutes=10)
    assert await say(given, task_id, "concerns", helper, code="domestic-abuse") == 201
    given.clock.instant = behind
    assert await say(given, task_id, "completion", helper) == 200
    told = [e.time for e in await given.emitted()]
    assert len(told) == 8
    assert told == sorted(told)


async def test_task_accepted_twice_in_one_instant_was_handed_back_between(given: Harness) -> None:
    helpers, right = [await volunteer(given), await volunteer(given)], given.clock.instant
    given.clock.instant = right + timedelta(minutes=10)
    task_id = await open_task(given)
    given.clock.instant = right
    await given.emitted()
    while helpers:
        await given.run("match")
        holder = UUID((await task(given, task_id))["volunteer_id"])
        assert await say(given, task_id, "acceptance", holder) == 200
        helpers.remove(holder)
        if helpers:
            assert await say(given, task_id, "failure", holder, reason="nobody-home") == 200
    told = await given.emitted(TaskAccepted, TaskFailed)
    assert [type(e.data) for e in told] == [TaskAccepted, TaskFailed, TaskAccepted]
    assert len({e.time for e in told}) == 1


async def test_a_concern_is_about_safeguarding(given: Harness) -> None:
    task_id, _ = await offered_task(given)
    answer = await given.http.post(f"/v1/tasks/{task_id}/concerns", json={"code": "errand"})
    assert answer.status_code == 422
    assert [e["field"] for e in answer.json()["errors"]] == ["code"]


async def test_a_reason_is_a_code_and_never_a_story(given: Harness) -> None:
    task_id, helper = await offered_task(given)
    answer = await given.http.post(
        f"/v1/tasks/{task_id}/failure",
        json={"volunteer_id": str(helper), "reason": "Mrs X was in hospital", "note": "call her son"},
    )
    assert answer.status_code == 422
    assert {e["field"] for e in answer.json()["errors"]} == {"reason", "body"}
    assert "hospital" not in answer.text


@pytest.mark.parametrize("what", ["acceptance", "refusal", "completion", "failure", "concerns"])
async def test_a_hub_does_not_learn_of_another_hubs_tasks(given: Harness, what: str) -> None:
    task_id, helper = await offered_task(given)
    heath = given.client(["tasks:read", "tasks:write"], ["heath"])
    body: dict[str, str] = {"volunteer_id": str(helper)}
    body |= {"reason": "nobody-home"} if what == "failure" else {}
    body |= {"code": "domestic-abuse"} if what == "concerns" else {}
    for which in (task_id, str(uuid4())):
        assert (await heath.post(f"/v1/tasks/{which}/{what}", json=body)).status_code == 404
        assert (await heath.get(f"/v1/tasks/{which}")).status_code == 404
    assert (await heath.get("/v1/tasks")).json()["items"] == []
    assert (await heath.get("/v1/tasks?hub=thames")).status_code == 404
    assert await given.emitted() == []


async def test_lists_are_filtered_and_paged(given: Harness) -> None:
    helper = await volunteer(given)
    made = {await open_task(given) for _ in range(5)}
    await given.run("match")
    seen: list[str] = []
    after = ""
    for _ in range(3):
        page = (await given.http.get(f"/v1/tasks?hub=thames&limit=2{after}")).json()
        seen += [t["task_id"] for t in page["items"]]
        after = f"&after={page.get('next')}"
    assert set(seen) == made
    assert len(seen) == 5
    mine = (await given.http.get(f"/v1/tasks?volunteer={helper}&state=offered")).json()["items"]
    assert {t["volunteer_id"] for t in mine} == {str(helper)}
    assert len(mine) == 3
    assert (await given.http.get("/v1/tasks?limit=0")).status_code == 422
    assert (await given.http.get("/v1/tasks?state=lost")).status_code == 422


async def test_a_body_that_is_not_json_is_a_400(given: Harness) -> None:
    answer = await given.http.post(
        f"/v1/tasks/{uuid4()}/acceptance", content=b"{", headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 400
