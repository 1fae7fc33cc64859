"""Slips about tasks, flags, reviews and volunteers have a way back, and what it costs others is told."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from volunteer_match_story import (
    assigned,
    closed,
    enquiry,
    only_call,
    open_task,
    packed,
    parcel_stopped,
    parcel_warned,
    say,
    task,
    volunteer,
)

from bdcan_chassis.testing.harness import Harness
from bdcan_contracts.models import (
    TaskAccepted,
    TaskFailed,
    TaskOffered,
    TaskOfferWithdrawn,
    TaskReopened,
    VolunteerPaused,
)
from bdcan_contracts.vocabulary import NeedCode, TaskKind


async def reported(given: Harness, what: str, code: NeedCode = NeedCode.ERRAND) -> tuple[str, UUID]:
    """A task of which its volunteer has said so."""
    who = await volunteer(given, kinds=tuple(TaskKind), checked=True)
    task_id = await open_task(given, code)
    await given.run("match")
    if what != "refusal":
        assert await say(given, task_id, "acceptance", who) == 200
    more = {"reason": "nobody-home"} if what == "failure" else {}
    assert await say(given, task_id, what, who, **more) == 200
    await given.emitted()
    return task_id, who


async def undo(given: Harness, task_id: str, who: UUID) -> Any:
    return await given.http.post(f"/v1/tasks/{task_id}/undo", json={"volunteer_id": str(who)})


async def test_done_by_a_slip_is_in_hand_again(given: Harness) -> None:
    task_id, who = await reported(given, "completion")
    answer = await undo(given, task_id, who)
    assert (answer.status_code, answer.json()["state"]) == (200, "accepted"), answer.text
    [told] = await given.emitted()
    assert isinstance(told.data, TaskReopened)
    need_id = UUID(answer.json()["need_id"])
    await given.deliver(closed(UUID(answer.json()["referral_id"]), need_id))
    assert (await task(given, task_id))["state"] == "accepted", "the closing crossed with the undoing"
    assert await say(given, task_id, "completion", who) == 200


@pytest.mark.parametrize(
    ("what", "state", "told"),
    [("refusal", "offered", TaskOffered), ("failure", "accepted", TaskAccepted)],
)
async def test_given_up_by_a_slip_is_theirs_again(given: Harness, what: str, state: str, told: Any) -> None:
    task_id, who = await reported(given, what)
    answer = await undo(given, task_id, who)
    assert (answer.status_code, answer.json()["state"], answer.json()["volunteer_id"]) == (
        200,
        state,
        str(who),
    )
    assert [type(e.data) for e in await given.emitted()] == [told]


async def test_offer_to_the_next_one_is_withdrawn(given: Harness) -> None:
    task_id, who = await reported(given, "failure")
    other = await volunteer(given, kinds=tuple(TaskKind), checked=True)
    assert await given.run("match") == 1
    await given.emitted()
    assert (await undo(given, task_id, who)).json()["volunteer_id"] == str(who)
    told = await given.emitted()
    assert [type(e.data) for e in told] == [TaskOfferWithdrawn, TaskAccepted]
    assert told[0].data.volunteer_id == other


async def test_what_somebody_else_accepted_is_theirs(given: Harness) -> None:
    task_id, who = await reported(given, "failure")
    other = await volunteer(given, kinds=tuple(TaskKind), checked=True)
    await given.run("match")
    assert await say(given, task_id, "acceptance", other) == 200
    answer = await undo(given, task_id, who)
    assert answer.status_code == 409
    assert "reported nothing" in answer.json()["detail"]


async def test_after_half_an_hour_the_call_asks_anew(given: Harness) -> None:
    task_id, who = await reported(given, "completion")
    given.clock.advance(timedelta(minutes=31))
    answer = await undo(given, task_id, who)
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:bdcan:problem:too-late")
    assert "Reopen the welfare call" in answer.json()["detail"]


async def test_delivered_parcel_by_a_slip_is_told_what_to_do(given: Harness) -> None:
    who = await volunteer(given, kinds=tuple(TaskKind))
    await given.deliver(packed(uuid4()))
    await given.run("match")
    [found] = (await given.http.get("/v1/tasks")).json()["items"]
    for what in ("acceptance", "completion"):
        assert await say(given, found["task_id"], what, who) == 200
    answer = await undo(given, found["task_id"], who)
    assert (answer.status_code, "another parcel follows" in answer.json()["detail"]) == (409, True)


async def test_leave_to_ring_by_a_slip_is_taken_back(given: Harness) -> None:
    await given.deliver(assigned(flags=("no-consent",)))
    call_id = (await only_call(given))["call_id"]
    path = f"/v1/welfare-calls/{call_id}/review"
    for decision, review in (("ring", None), ("hold", "no-consent")):
        answer = await given.http.post(path, json={"decision": decision, "reason": "As it is."})
        assert (answer.status_code, answer.json().get("review")) == (200, review), answer.text
    assert (await given.http.post(f"/v1/welfare-calls/{call_id}/claim")).status_code == 409


async def test_flags_are_decided_again(given: Harness) -> None:
    task_id = await open_task(given, NeedCode.SHOPPING, flags=("dialysis",))
    path = f"/v1/tasks/{task_id}/flag-decision"
    for flags, check in (([], False), (["shielding"], True), ([], False)):
        answer = await given.http.post(path, json={"flags": flags, "reason": "Read the file."})
        assert (answer.status_code, answer.json()["requires_dbs"]) == (200, check), answer.text


async def test_concern_about_a_volunteer_takes_their_tasks_at_once(given: Harness) -> None:
    who = await volunteer(given)
    task_id = await open_task(given)
    await given.run("match")
    assert await say(given, task_id, "acceptance", who) == 200
    await given.emitted()
    answer = await given.http.post(f"/v1/volunteers/{who}/suspension", json={"reason": "concern-raised"})
    assert (answer.status_code, answer.json()["state"], answer.json()["suspended"]) == (200, "paused", True)
    told = [type(e.data) for e in await given.emitted()]
    assert told == [VolunteerPaused, TaskFailed]
    assert (await task(given, task_id))["returned_because"] == "volunteer-suspended"
    assert await given.run("match") == 0
    late = await given.http.post(f"/v1/volunteers/{who}/pause", json={"until": "2020-03-30T09:00:00Z"})
    assert (late.status_code, late.json()["type"]) == (409, "urn:bdcan:problem:suspended")
    assert (await undo(given, task_id, who)).status_code == 409


async def test_stopped_parcel_shows_on_its_delivery(given: Harness) -> None:
    parcel = packed(uuid4())
    await given.deliver(parcel, parcel_warned(parcel), parcel_stopped(parcel))
    [found] = (await given.http.get("/v1/tasks?attention=true")).json()["items"]
    assert found["warnings"] == ["diets", "household", "parcel-stopped"]
    who = await volunteer(given, kinds=(TaskKind.PARCEL_DELIVERY,))
    await given.run("match")
    assert await say(given, found["task_id"], "acceptance", who) == 200
    assert (await task(given, found["task_id"]))["warnings"] == ["parcel-stopped"]


@pytest.mark.parametrize(
    "path", ["/v1/welfare-calls?", "/v1/welfare-calls?review=true&", "/v1/tasks?", "/v1/volunteers?"]
)
async def test_hub_that_does_not_exist_is_named(given: Harness, path: str) -> None:
    await volunteer(given)
    answer = await given.http.get(f"{path}hub=hub-99")
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "hub")
    assert "thames" in answer.json()["errors"][0]["message"]


async def test_tasks_of_an_id_that_is_nobodys_are_no_empty_list(given: Harness) -> None:
    answer = await given.http.get(f"/v1/tasks?volunteer={uuid4()}")
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "volunteer_id")


async def test_summary_counts_the_callers_hubs(given: Harness) -> None:
    await given.deliver(assigned(), assigned(hub_id="heath"), assigned(hub_id="heath"))
    heath = given.client(["calls:read"], ["heath"])
    assert (await heath.get("/v1/summary")).json()["calls"] == {"due": 2}


async def test_offer_of_the_night_runs_from_the_morning(given: Harness) -> None:
    await volunteer(given)
    await open_task(given)
    given.clock.advance(timedelta(hours=14))  # 23:00
    await given.run("match")
    [offered] = (await given.http.get("/v1/tasks?state=offered")).json()["items"]
    assert offered["offer_expires_at"] == "2020-03-24T11:00:00Z"


async def test_office_welcomes_in_working_days(given: Harness) -> None:
    friday = enquiry().model_copy(update={"received_at": given.clock.now() + timedelta(days=4)})
    await given.deliver(friday)
    [found] = (await given.http.get("/v1/volunteers?state=enquired")).json()["items"]
    assert found["welcome_by"] == "2020-03-31T08:00:00Z"
