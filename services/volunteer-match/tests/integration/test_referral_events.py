"""What other services tell about referrals: once, twice, and in an order that nobody planned."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from volunteer_match_story import (
    amended,
    assigned,
    claim_call,
    closed,
    declined,
    need,
    only_call,
    open_task,
    packed,
    reassigned,
    report,
    say,
    task,
    volunteer,
    withdrawn,
)

from bdcan_chassis.testing.harness import Harness
from bdcan_contracts.models import NeedState, TaskCancelled, TaskOffered
from bdcan_contracts.vocabulary import NeedCode


async def state_of(given: Harness, referral_id: UUID) -> str:
    rows = await given.fetch("SELECT state FROM welfare_call WHERE referral_id = $1", referral_id)
    return rows[0]["state"]


async def test_an_assignment_that_is_delivered_twice_makes_one_call(given: Harness) -> None:
    record = given.record(assigned())
    assert (await given.deliver(record))["handled"] == 1
    assert (await given.deliver(record))["duplicate"] == 1
    assert (await only_call(given))["attempts"] == 0


async def test_an_outreach_list_becomes_calls_that_are_due_in_its_own_loop(given: Harness) -> None:
    events = [assigned(outreach=True) for _ in range(30)]
    outcome = await given.deliver(*(given.record(e, traffic_class="bulk") for e in events))
    assert outcome["handled"] == 30
    first = (await given.http.get("/v1/welfare-calls?state=due&limit=20")).json()
    assert len(first["items"]) == 20
    rest = (await given.http.get(f"/v1/welfare-calls?state=due&limit=20&after={first['next']}")).json()
    assert "next" not in rest
    seen = {c["referral_id"] for c in first["items"] + rest["items"]}
    assert seen == {str(e.referral_id) for e in events}


@pytest.mark.parametrize("ending", [withdrawn, closed])
async def test_a_referral_that_ends_before_it_is_assigned_leads_to_no_call(given: Harness, ending) -> None:
    event = assigned()
    await given.deliver(ending(event.referral_id))
    await given.deliver(event)
    assert (await given.http.get("/v1/welfare-calls?state=due")).json()["items"] == []
    assert await state_of(given, event.referral_id) == "cancelled"


@pytest.mark.parametrize(
    ("ending", "reason"), [(withdrawn, "referral-withdrawn"), (closed, "referral-closed")]
)
async def test_the_end_of_a_referral_cancels_its_open_tasks_once(given: Harness, ending, reason) -> None:
    helper = await volunteer(given)
    first, second = await open_task(given), await open_task(given)
    await given.run("match")
    await given.emitted()
    of_referral = await task(given, first)
    about = [UUID(of_referral["referral_id"])]
    if ending is closed:
        about.append(UUID(of_referral["need_id"]))

    record = given.record(ending(*about))
    await given.deliver(record, given.record(ending(*about)))
    await given.deliver(record)

    told = await given.emitted()
    assert [(type(e.data), str(e.data.task_id), e.data.reason) for e in told] == [
        (TaskCancelled, first, reason)
    ]
    assert told[0].data.volunteer_id == helper
    assert (await task(given, second))["state"] == "offered"
    assert {subject for kind, subject in await given.deadlines() if kind == "task"} == {UUID(second)}
    assert await say(given, first, "acceptance", helper) == 409


async def test_a_need_that_turned_up_after_the_end_keeps_its_task(given: Harness) -> None:
    await volunteer(given)
    opened = await open_task(given)
    await given.deliver(closed(UUID((await task(given, opened))["referral_id"])))
    assert (await task(given, opened))["state"] == "open"


async def test_the_end_of_a_referral_frees_a_call_that_somebody_had_claimed(given: Harness) -> None:
    event = assigned()
    await given.deliver(event)
    call = await only_call(given)
    await claim_call(given, call["call_id"])
    await given.deliver(withdrawn(event.referral_id))
    answer = await given.http.post(
        f"/v1/welfare-calls/{call['call_id']}/outcome", json={"outcome": "answered"}
    )
    assert answer.status_code == 409
    assert await given.deadlines() == {}
    assert await given.emitted() == []


async def test_a_reassignment_moves_call_and_tasks_to_the_new_hub(given: Harness) -> None:
    event = assigned(needs=(need(),))
    await given.deliver(event)
    answer = await report(given, (await only_call(given))["call_id"], outcome="answered")
    there = await volunteer(given, "heath")
    await given.deliver(reassigned(event, "heath"), reassigned(event, "valence", version=1))
    await given.emitted()

    assert (await task(given, answer["task_ids"][0]))["hub_id"] == "heath"
    assert await given.run("match") == 1
    assert [e.data.volunteer_id for e in await given.emitted(TaskOffered)] == [there]


async def test_an_amendment_is_what_the_caller_asks_about(given: Harness) -> None:
    event, fresh = assigned(), need(NeedCode.TRANSPORT)
    await given.deliver(event)
    await given.deliver(
        amended(event.referral_id, (fresh,), version=3), amended(event.referral_id, (), version=2)
    )
    assert [n["code"] for n in (await only_call(given))["needs"]] == ["transport"]


async def test_a_declined_escalation_leads_to_a_follow_up_call_once(given: Harness) -> None:
    housing, errand = need(NeedCode.HOUSING), need()
    event = assigned(needs=(housing, errand))
    await given.deliver(event)
    before = await only_call(given)
    await report(given, before["call_id"], outcome="answered")

    refusal = declined(event.referral_id, housing.need_id, answers=[UUID(before["call_id"])])
    record = given.record(refusal)
    await given.deliver(record)
    await given.deliver(record)

    call = await only_call(given)
    assert call["state"] == "due"
    assert call["call_id"] != before["call_id"]
    assert [n["code"] for n in call["needs"]] == ["housing"]
    again = await report(
        given,
        call["call_id"],
        outcome="answered",
        needs=[{"need_id": str(housing.need_id), "code": "errand", "result": "changed"}],
    )
    assert len(again["task_ids"]) == 1


async def test_a_refusal_for_an_unknown_or_ended_referral_leads_to_no_call(given: Harness) -> None:
    event = assigned()
    await given.deliver(declined(event.referral_id))
    await given.deliver(withdrawn(event.referral_id))
    await given.deliver(declined(event.referral_id))
    await given.deliver(event)
    assert (await given.http.get("/v1/welfare-calls?state=due")).json()["items"] == []


async def test_a_withdrawn_need_is_not_asked_about_done_or_brought(
    given: Harness,
) -> None:
    errand, food, transport = need(), need(NeedCode.FOOD_PARCEL), need(NeedCode.TRANSPORT)
    event = assigned(needs=(errand, food, transport))
    await given.deliver(event)
    call_id = UUID((await only_call(given))["call_id"])
    answer = await report(given, str(call_id), outcome="answered")
    await given.emitted()
    without = amended(event.referral_id, (transport,), withdrawn_need_ids=(errand.need_id, food.need_id))
    await given.deliver(without, without)
    told = [(type(e.data), e.data.need_id, e.data.reason) for e in await given.emitted()]
    assert told == [(TaskCancelled, errand.need_id, "need-withdrawn")]
    states = {
        (await task(given, task_id))["kind"]: (await task(given, task_id))["state"]
        for task_id in answer["task_ids"]
    }
    assert states == {"errand": "cancelled", "transport": "open"}
    await given.deliver(packed(event.referral_id, need_id=food.need_id))
    await given.deliver(declined(event.referral_id, errand.need_id, answers=[call_id]))
    assert await given.emitted() == []
    assert await state_of(given, event.referral_id) == "answered"


@pytest.mark.parametrize("order", ["closed first", "given back first", "both at once"])
async def test_a_concern_given_back_around_the_closing_leads_to_a_call(given: Harness, order: str) -> None:
    errand, concern = need(), uuid4()
    event = assigned(needs=(errand,))
    await given.deliver(event)
    await report(given, (await only_call(given))["call_id"], outcome="answered")
    ends, comes_back = closed(event.referral_id, errand.need_id), declined(event.referral_id, concern)
    match order:
        case "closed first":
            await given.deliver(ends)
            await given.deliver(comes_back)
        case "given back first":
            await given.deliver(comes_back)
            await given.deliver(ends)
        case _:
            await given.deliver(ends, comes_back)

    call = await only_call(given)
    assert (call["state"], [n["need_id"] for n in call["needs"]]) == ("due", [str(concern)])
    await given.deliver(closed(event.referral_id, errand.need_id, concern))
    assert await state_of(given, event.referral_id) == "cancelled"


@pytest.mark.parametrize("now", [NeedCode.BEFRIENDING_CALL, NeedCode.FOOD_PARCEL, NeedCode.DEBT])
async def test_a_closing_from_before_the_follow_up_call_ends_nothing(given: Harness, now: NeedCode) -> None:
    housing = need(NeedCode.HOUSING)
    event = assigned(needs=(housing,))
    await given.deliver(event)
    call_id = (await only_call(given))["call_id"]
    await report(given, call_id, outcome="answered")
    await given.deliver(declined(event.referral_id, housing.need_id, answers=[UUID(call_id)]))
    call_id = (await only_call(given))["call_id"]
    about = {"need_id": str(housing.need_id), "code": now, "result": "changed"}
    await report(given, call_id, outcome="answered", needs=[about])
    tasks = await given.fetch("SELECT task_id, state FROM task")

    await given.deliver(closed(event.referral_id, housing.need_id, state=NeedState.REFERRED_ON))

    assert await given.fetch("SELECT task_id, state FROM task") == tasks
    await given.deliver(declined(event.referral_id, housing.need_id, answers=[UUID(call_id)]))
    assert await state_of(given, event.referral_id) == "due"


async def test_all_topics_at_once_in_one_batch_are_taken(given: Harness) -> None:
    events = [assigned() for _ in range(20)]
    mixed = [
        what
        for e in events
        for what in (
            e,
            amended(e.referral_id, e.needs),
            reassigned(e, "heath"),
            withdrawn(e.referral_id),
            closed(e.referral_id),
        )
    ]
    assert (await given.deliver(*mixed))["handled"] == 100
    states = await given.fetch("SELECT DISTINCT state, hub_id FROM welfare_call")
    assert [tuple(r) for r in states] == [("cancelled", "heath")]


async def test_a_claim_that_is_not_reported_runs_out(given: Harness) -> None:
    await given.deliver(assigned())
    call = await only_call(given)
    await claim_call(given, call["call_id"])
    assert (await given.http.get("/v1/welfare-calls?state=due")).json()["items"] == []
    given.clock.advance(timedelta(minutes=29))
    assert await given.fire() == 0
    given.clock.advance(timedelta(minutes=1))
    assert await given.fire() == 1
    assert (await only_call(given))["state"] == "due"
    assert {kind for kind, _ in await given.deadlines()} == {"call"}
