"""Who acts comes from the token: a volunteer speaks for themselves, a hub's person for volunteers of the hub."""

from __future__ import annotations

from uuid import UUID, uuid4

import httpx
import pytest
from volunteer_match_story import hub, open_task, say, task, volunteer

from bdcan_chassis.testing.harness import Harness
from bdcan_contracts.models import TaskAccepted

SCOPES = ["tasks:read", "tasks:write"]
VERBS = ("acceptance", "refusal", "completion", "failure", "undo", "concerns")
MORE = {"failure": {"reason": "nobody-home"}, "concerns": {"code": "domestic-abuse"}}


def account(given: Harness, volunteer_id: UUID) -> httpx.AsyncClient:
    """The volunteer's own token; whatever else it claims gives them nothing."""
    return given.person([*SCOPES, "hubs:all"], ["thames"], name="ada", volunteer_id=volunteer_id)


async def offered(given: Harness) -> tuple[str, UUID, UUID]:
    """A task that is offered to the first of two volunteers of its hub."""
    helper = await volunteer(given)
    task_id = await open_task(given)
    await given.run("match")
    return task_id, helper, await volunteer(given)


async def acts(given: Harness) -> list[tuple[object, ...]]:
    rows = await given.fetch("SELECT act, volunteer_id, caller FROM task_act ORDER BY acted_at, ctid")
    return [tuple(row) for row in rows]


async def test_a_volunteer_accepts_and_completes_their_own_task_without_naming_themselves(
    given: Harness,
) -> None:
    task_id, helper, _ = await offered(given)
    mine = account(given, helper)
    for verb, body in (("acceptance", {}), ("completion", {"volunteer_id": str(helper)})):
        answer = await mine.post(f"/v1/tasks/{task_id}/{verb}", json=body)
        assert answer.status_code == 200, answer.text
    assert [t["task_id"] for t in (await mine.get("/v1/tasks")).json()["items"]] == [task_id]
    assert (await mine.get(f"/v1/tasks/{task_id}")).status_code == 200
    assert await acts(given) == [
        ("acceptance", helper, "person:ada"),
        ("completion", helper, "person:ada"),
    ]


@pytest.mark.parametrize("verb", VERBS)
async def test_a_volunteer_speaks_for_no_other_and_learns_nothing_of_their_tasks(
    given: Harness, verb: str
) -> None:
    task_id, helper, other = await offered(given)
    await say(given, task_id, "acceptance", helper)
    await given.emitted()
    before = await acts(given)
    stranger = account(given, other)
    for which in (task_id, str(uuid4())):
        path = f"/v1/tasks/{which}/{verb}"
        for named in (helper, uuid4()):
            answer = await stranger.post(path, json={"volunteer_id": str(named), **MORE.get(verb, {})})
            assert answer.status_code == 403
        assert (await stranger.post(path, json=MORE.get(verb, {}))).status_code == 404
        assert (await stranger.get(f"/v1/tasks/{which}")).status_code == 404
    assert await given.emitted() == []
    assert await acts(given) == before


async def test_a_volunteer_lists_their_own_tasks_and_asks_for_nobody_elses(given: Harness) -> None:
    _, helper, other = await offered(given)
    stranger = account(given, other)
    assert (await stranger.get("/v1/tasks")).json()["items"] == []
    answers = [await stranger.get(f"/v1/tasks?volunteer={one}") for one in (helper, uuid4())]
    assert [answer.status_code for answer in answers] == [422, 422]
    assert answers[0].json()["errors"] == answers[1].json()["errors"]
    assert (await stranger.get("/v1/tasks?hub=thames")).status_code == 404
    assert (await account(given, helper).get(f"/v1/tasks?volunteer={helper}")).status_code == 200


async def test_a_volunteer_undoes_their_slip_and_raises_a_concern_about_a_task_that_is_over(
    given: Harness,
) -> None:
    task_id, helper, _ = await offered(given)
    mine = account(given, helper)
    path = f"/v1/tasks/{task_id}"
    for verb in ("refusal", "refusal", "undo", "acceptance", "failure"):
        answer = await mine.post(f"{path}/{verb}", json=MORE.get(verb, {}))
        assert answer.status_code == 200, (verb, answer.text)
    await given.fetch("UPDATE task SET last = NULL, asked_ids = '{}'")  # as after an alarm
    assert (await mine.post(f"{path}/concerns", json=MORE["concerns"])).status_code == 201
    assert (await mine.get(path)).status_code == 404


async def test_a_coordinator_acts_for_a_volunteer_of_the_hub_and_it_is_written_down(given: Harness) -> None:
    task_id, helper, _ = await offered(given)
    await given.emitted()
    coordinator = given.person(SCOPES, ["thames"], name="hub-3")
    answer = await coordinator.post(f"/v1/tasks/{task_id}/acceptance", json={"volunteer_id": str(helper)})
    assert answer.status_code == 200, answer.text
    assert [type(e.data) for e in await given.emitted()] == [TaskAccepted]
    assert await acts(given) == [("acceptance", helper, "person:hub-3")]
    answer = await coordinator.post(f"/v1/tasks/{task_id}/completion", json={})
    assert [(e["field"], e["code"]) for e in answer.json()["errors"]] == [("volunteer_id", "missing")]


@pytest.mark.parametrize("verb", VERBS)
async def test_a_volunteer_of_another_hub_is_like_one_whom_nobody_knows(given: Harness, verb: str) -> None:
    task_id, _, _ = await offered(given)
    await given.deliver(hub("heath"))
    elsewhere = await volunteer(given, "heath")
    coordinator = given.person(SCOPES, ["thames"], name="hub-3")
    answers = [
        await coordinator.post(
            f"/v1/tasks/{task_id}/{verb}", json={"volunteer_id": str(one), **MORE.get(verb, {})}
        )
        for one in (elsewhere, uuid4())
    ]
    assert [answer.status_code for answer in answers] == [422, 422]
    assert answers[0].json()["errors"] == answers[1].json()["errors"]
    listed = [await coordinator.get(f"/v1/tasks?volunteer={one}") for one in (elsewhere, uuid4())]
    assert [answer.status_code for answer in listed] == [422, 422]
    assert listed[0].json()["errors"] == listed[1].json()["errors"]


async def test_a_volunteers_account_opens_nothing_else(given: Harness) -> None:
    task_id, helper, _ = await offered(given)
    scopes = [*SCOPES, "calls:read", "calls:write", "volunteers:read", "volunteers:write", "hubs:all"]
    mine = given.person(scopes, ["thames"], name="ada", volunteer_id=helper)
    for path in (
        "/v1/welfare-calls",
        "/v1/welfare-calls?state=due",
        "/v1/welfare-calls?review=true",
        "/v1/volunteers",
    ):
        assert (await mine.get(path)).json()["items"] == []
    [call] = (await given.http.get("/v1/welfare-calls")).json()["items"]
    assert (await mine.get(f"/v1/welfare-calls/{call['call_id']}")).status_code == 404
    assert (await mine.post(f"/v1/welfare-calls/{call['call_id']}/claim")).status_code == 404
    decision = {"flags": [], "reason": "I looked"}
    assert (await mine.post(f"/v1/tasks/{task_id}/flag-decision", json=decision)).status_code == 404
    assert (await task(given, task_id))["state"] == "offered"
