"""Rounds of a hub: planned from positions that are not kept, confirmed task by task, put in another order, cancelled."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from prometheus_client import REGISTRY
from rounds_story import ROUTING_KEY, FakeRouting, confirmed, parcels, plan_of, planned
from volunteer_match_story import open_task, say, task, volunteer

from bdcan_chassis.housekeeping import sample
from bdcan_chassis.testing.harness import START, Harness, harness
from bdcan_chassis.testing.serving import serving
from bdcan_contracts.models import TaskAccepted, TaskFailed, TaskOffered, TaskOfferWithdrawn
from bdcan_contracts.vocabulary import NeedCode
from bdcan_volunteer_match.app import service
from bdcan_volunteer_match.metrics import SAMPLES
from bdcan_volunteer_match.settings import Settings

PARCELS = ("parcel-delivery",)


@pytest.fixture
def routing() -> FakeRouting:
    return FakeRouting()


@pytest.fixture
async def given(postgres_server, routing) -> AsyncIterator[Harness]:
    async with (
        serving(routing.app()) as url,
        harness(postgres_server, service, Settings, routing_url=url, routing_api_key=ROUTING_KEY) as running,
    ):
        yield running


async def test_round_has_the_stops_in_the_order_of_the_way_and_keeps_no_position(given: Harness) -> None:
    driver, tasks = await volunteer(given, kinds=PARCELS), await parcels(given, 3)

    plan = await planned(given, driver, task_ids=tasks[::-1])

    [round_] = plan["rounds"]
    assert [stop["task_id"] for stop in round_["stops"]] in (tasks, tasks[::-1])
    assert (round_["state"], round_["metres"], plan["left_out"]) == ("proposed", 780, [])
    assert {stop["progress"] for stop in round_["stops"]} == {"to-do"}
    [kept] = await given.fetch("SELECT row_to_json(round)::text AS row FROM round")
    assert "easting" not in kept["row"]
    assert await given.emitted(TaskOffered, TaskAccepted) == []


async def test_deliveries_of_a_kind_that_are_due_go_on_a_round(given: Harness) -> None:
    driver, tasks = await volunteer(given, kinds=PARCELS), await parcels(given, 2)
    soon = (START + timedelta(hours=31)).isoformat()
    plan = await planned(given, driver, kinds=["parcel-delivery"], due_before=soon)
    assert sorted(stop["task_id"] for stop in plan["rounds"][0]["stops"]) == sorted(tasks)
    none = await planned(given, driver, kinds=["parcel-delivery"], due_before=START.isoformat())
    assert (none["rounds"], none["left_out"]) == ([], [])


async def test_what_cannot_be_brought_is_left_out_with_the_reason_in_words(
    given: Harness, routing: FakeRouting
) -> None:
    driver, tasks = await volunteer(given, kinds=PARCELS), await parcels(given, 2)
    routing.nowhere = {(await task(given, tasks[0]))["referral_id"]}
    errand, medicine, nothing = (
        await open_task(given),
        await open_task(given, NeedCode.PRESCRIPTION),
        str(uuid4()),
    )

    plan = await planned(given, driver, task_ids=[*tasks, errand, medicine, nothing])

    assert [stop["task_id"] for stop in plan["rounds"][0]["stops"]] == [tasks[1]]
    assert {one["task_id"]: one["reason"] for one in plan["left_out"]} == {
        tasks[0]: "no-position",
        errand: "no-delivery",
        medicine: "nobody-may",
        nothing: "not-here",
    }
    assert all(one["words"].endswith(".") for one in plan["left_out"])


async def test_confirmation_gives_each_task_by_the_rules_of_an_offer(given: Harness) -> None:
    driver, tasks = await volunteer(given, kinds=PARCELS), await parcels(given, 2)
    [round_] = (await planned(given, driver, task_ids=tasks))["rounds"]
    await given.emitted()

    first = await confirmed(given, round_["round_id"])
    again = await confirmed(given, round_["round_id"])

    assert (first["state"], first["left_out"]) == ("confirmed", [])
    assert again == first
    told = await given.emitted()
    assert sorted(type(event.data).__name__ for event in told) == ["TaskAccepted"] * 2 + ["TaskOffered"] * 2
    assert {event.data.volunteer_id for event in told} == {driver}
    assert await say(given, tasks[0], "completion", driver) == 200
    shown = (await given.http.get(f"/v1/rounds/{round_['round_id']}")).json()
    assert {stop["task_id"]: stop["progress"] for stop in shown["stops"]} == {
        tasks[0]: "done",
        tasks[1]: "to-do",
    }
    acts = await given.fetch("SELECT act, volunteer_id FROM task_act ORDER BY acted_at")
    assert [tuple(row) for row in acts] == [("acceptance", driver)] * 2 + [("completion", driver)]


async def test_open_offer_is_withdrawn_and_what_somebody_accepted_is_left_out_and_named(
    given: Harness,
) -> None:
    other, tasks = await volunteer(given, kinds=PARCELS), await parcels(given, 2)
    await given.run("match")
    assert await say(given, tasks[0], "acceptance", other) == 200
    driver = await volunteer(given, kinds=PARCELS)
    plan = await planned(given, driver, task_ids=tasks)
    assert [(one["task_id"], one["reason"]) for one in plan["left_out"]] == [(tasks[0], "taken")]
    await given.emitted()

    round_ = await confirmed(given, plan["rounds"][0]["round_id"])

    assert [stop["task_id"] for stop in round_["stops"]] == [tasks[1]]
    [gone] = await given.emitted(TaskOfferWithdrawn)
    assert (gone.data.volunteer_id, gone.data.reason) == (other, "given-to-a-round")
    assert (await task(given, tasks[1]))["volunteer_id"] == str(driver)
    offers = await given.fetch(
        "SELECT volunteer_id, state, reason FROM task_offer WHERE task_id = $1", UUID(tasks[1])
    )
    assert sorted(tuple(row) for row in offers) == sorted(
        [(other, "withdrawn", None), (driver, "accepted", "given-to-a-round")]
    )


async def test_task_that_was_accepted_after_the_plan_is_left_out_of_the_confirmed_round(
    given: Harness,
) -> None:
    driver, tasks = await volunteer(given, kinds=PARCELS), await parcels(given, 2)
    [round_] = (await planned(given, driver, task_ids=tasks))["rounds"]
    other = await volunteer(given, kinds=PARCELS)
    [second] = (await planned(given, other, task_ids=tasks[:1]))["rounds"]
    await confirmed(given, second["round_id"])

    mine = await confirmed(given, round_["round_id"])

    assert [stop["task_id"] for stop in mine["stops"]] == [tasks[1]]
    assert [(one["task_id"], one["reason"]) for one in mine["left_out"]] == [(tasks[0], "taken")]
    assert (await task(given, tasks[0]))["volunteer_id"] == str(other)


async def test_volunteer_who_pauses_before_the_confirmation_gets_nothing(given: Harness) -> None:
    driver, tasks = await volunteer(given, kinds=PARCELS), await parcels(given, 1)
    [round_] = (await planned(given, driver, task_ids=tasks))["rounds"]
    await given.http.post(f"/v1/volunteers/{driver}/pause", json={})
    mine = await confirmed(given, round_["round_id"])
    assert (mine["stops"], mine["left_out"][0]["reason"]) == ([], "nobody-may")
    assert (await task(given, tasks[0]))["state"] == "open"


async def test_cancelled_round_opens_what_is_not_done(given: Harness) -> None:
    driver, tasks = await volunteer(given, kinds=PARCELS), await parcels(given, 2)
    [round_] = (await planned(given, driver, task_ids=tasks))["rounds"]
    await confirmed(given, round_["round_id"])
    await say(given, tasks[0], "completion", driver)
    await given.emitted()

    for _ in range(2):
        answer = await given.http.post(f"/v1/rounds/{round_['round_id']}/cancellation")
        assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")

    [failed] = await given.emitted(TaskFailed)
    assert (str(failed.data.task_id), failed.data.reason) == (tasks[1], "round-cancelled")
    assert [(await task(given, one))["state"] for one in tasks] == ["done", "open"]
    answer = await given.http.post(f"/v1/rounds/{round_['round_id']}/confirmation")
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:bdcan:problem:round-cancelled")


async def test_task_that_fails_is_no_stop_any_more(given: Harness) -> None:
    driver, tasks = await volunteer(given, kinds=PARCELS), await parcels(given, 1)
    [round_] = (await planned(given, driver, task_ids=tasks))["rounds"]
    await confirmed(given, round_["round_id"])
    await say(given, tasks[0], "failure", driver, reason="nobody-home")
    shown = (await given.http.get(f"/v1/rounds/{round_['round_id']}")).json()
    assert [stop["progress"] for stop in shown["stops"]] == ["gone"]


async def test_stops_are_put_in_another_order_and_the_times_follow(given: Harness) -> None:
    driver, tasks = await volunteer(given, kinds=PARCELS), await parcels(given, 3)
    [round_] = (await planned(given, driver, task_ids=tasks))["rounds"]
    path, order = f"/v1/rounds/{round_['round_id']}/stops", [tasks[1], tasks[0], tasks[2]]

    answer = await given.http.put(path, json={"version": 1, "task_ids": order})

    assert answer.status_code == 200, answer.text
    assert [stop["task_id"] for stop in answer.json()["stops"]] == order
    assert (answer.json()["version"], answer.json()["metres"]) == (2, 260 + 130 + 260 + 390)
    stale = await given.http.put(path, json={"version": 1, "task_ids": tasks})
    assert (stale.status_code, stale.json()["type"]) == (409, "urn:bdcan:problem:round-changed")
    for wrong in (tasks[:2], [*tasks, str(uuid4())], [tasks[0], tasks[0], tasks[1]]):
        assert (await given.http.put(path, json={"version": 2, "task_ids": wrong})).status_code == 422


async def test_order_that_misses_a_window_is_shown_as_late(given: Harness) -> None:
    driver, tasks = await volunteer(given, kinds=PARCELS), await parcels(given, 2)
    soon = (START + timedelta(minutes=3)).isoformat()
    [round_] = (
        await planned(given, driver, task_ids=tasks, windows=[{"task_id": tasks[1], "latest": soon}])
    )["rounds"]
    assert [stop["task_id"] for stop in round_["stops"]] == tasks[::-1]
    answer = await given.http.put(
        f"/v1/rounds/{round_['round_id']}/stops", json={"version": 1, "task_ids": tasks}
    )
    assert [stop["late"] for stop in answer.json()["stops"]] == [False, True]


async def test_without_routing_the_answer_says_so_and_nothing_changes(
    given: Harness, routing: FakeRouting
) -> None:
    driver, tasks = await volunteer(given, kinds=PARCELS), await parcels(given, 1)
    routing.status = 500
    answer = await given.http.post("/v1/rounds", json=plan_of(driver, task_ids=tasks))
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:bdcan:problem:routing-unavailable")
    assert await given.fetch("SELECT 1 FROM round") == []


async def test_routing_hears_for_whom_it_says_where_homes_lie(given: Harness, routing: FakeRouting) -> None:
    driver, tasks = await volunteer(given, kinds=PARCELS), await parcels(given, 1)
    await planned(given, driver, task_ids=tasks)
    [asked] = routing.asked
    assert asked["hub_id"] == "thames"
    assert asked["reason"].startswith("round of thames, planned by key:")


async def test_request_that_is_sent_twice_makes_one_plan(given: Harness) -> None:
    driver, tasks = await volunteer(given, kinds=PARCELS), await parcels(given, 1)
    key = {"Idempotency-Key": "the-tuesday-round"}
    answers = [
        (await given.http.post("/v1/rounds", json=plan_of(driver, task_ids=tasks), headers=key)).json()
        for _ in range(2)
    ]
    assert answers[0] == answers[1]
    assert len(await given.fetch("SELECT 1 FROM round")) == 1


@pytest.mark.parametrize(
    ("change", "field", "code"),
    [
        ({"volunteer_id": str(uuid4())}, "doers.0.volunteer_id", "unknown"),
        ({"back_by": START.isoformat()}, "doers.0.back_by", "past"),
        ({"back_by": (START + timedelta(hours=29)).isoformat()}, "doers.0.back_by", "too-far-ahead"),
    ],
)
async def test_person_who_cannot_go_is_named(
    given: Harness, change: dict[str, Any], field: str, code: str
) -> None:
    driver, tasks = await volunteer(given, kinds=PARCELS), await parcels(given, 1)
    body = plan_of(driver, task_ids=tasks)
    body["doers"][0] |= change
    answer = await given.http.post("/v1/rounds", json=body)
    assert answer.status_code == 422, answer.text
    assert [(one["field"], one["code"]) for one in answer.json()["errors"]] == [(field, code)]


async def test_hub_sees_its_own_rounds_and_a_volunteer_their_own(given: Harness) -> None:
    driver, tasks = await volunteer(given, kinds=PARCELS), await parcels(given, 1)
    [round_] = (await planned(given, driver, task_ids=tasks))["rounds"]
    scopes = ["tasks:read", "tasks:write"]
    path = f"/v1/rounds/{round_['round_id']}"
    thames, heath = given.client(scopes, hubs=["thames"]), given.client(scopes, hubs=["heath"])
    mine, stranger = given.person(scopes, volunteer_id=driver), given.person(scopes, volunteer_id=uuid4())

    assert [(await one.get(path)).status_code for one in (thames, heath, mine, stranger)] == [
        200,
        404,
        200,
        404,
    ]
    listed = [len((await one.get("/v1/rounds")).json()["items"]) for one in (thames, heath, mine, stranger)]
    assert listed == [1, 0, 1, 0]
    for other in (heath, mine):
        assert (await other.post(f"{path}/confirmation")).status_code == 404
    refused = await heath.post("/v1/rounds", json=plan_of(driver, task_ids=tasks))
    assert refused.status_code == 404


async def test_rounds_are_listed_by_state_and_day(given: Harness) -> None:
    driver, tasks = await volunteer(given, kinds=PARCELS), await parcels(given, 1)
    [round_] = (await planned(given, driver, task_ids=tasks))["rounds"]

    async def listed(**asked: str) -> list[str]:
        answer = await given.http.get("/v1/rounds", params=asked)
        return [one["round_id"] for one in answer.json()["items"]]

    mine = [round_["round_id"]]
    assert await listed(hub="thames", state="proposed", day="2020-03-23") == mine
    assert await listed(volunteer=str(driver)) == mine
    assert await listed(state="confirmed") == await listed(day="2020-03-24") == []


async def test_round_whose_time_is_over_is_not_confirmed(given: Harness) -> None:
    driver, tasks = await volunteer(given, kinds=PARCELS), await parcels(given, 1)
    [round_] = (await planned(given, driver, task_ids=tasks))["rounds"]
    given.clock.advance(timedelta(hours=3))
    answer = await given.http.post(f"/v1/rounds/{round_['round_id']}/confirmation")
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:bdcan:problem:round-over")
    assert UUID((await task(given, tasks[0]))["task_id"]) == UUID(tasks[0])


async def test_rounds_whose_time_is_not_over_are_counted(given: Harness) -> None:
    driver, tasks = await volunteer(given, kinds=PARCELS), await parcels(given, 1)
    await planned(given, driver, task_ids=tasks)
    for hours, number in ((0, 1), (3, None)):
        given.clock.advance(timedelta(hours=hours))
        await sample(given.transactions, SAMPLES)
        found = REGISTRY.get_sample_value("bdcan_rounds", {"hub": "thames", "state": "proposed"})
        assert (found or None) == number
