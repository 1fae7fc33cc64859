"""From an assignment to a job done, over the real API and a real database."""

from __future__ import annotations

from volunteer_match_story import assigned, need, only_call, report, say, task, volunteer

from bdcan_chassis.testing.harness import Harness
from bdcan_contracts.models import (
    CallNeedResult,
    TaskAccepted,
    TaskCompleted,
    TaskOffered,
    TaskOpened,
    WelfareCallCompleted,
)
from bdcan_contracts.vocabulary import NeedCode


async def test_an_assignment_becomes_a_call_a_task_and_help(given: Harness) -> None:
    errand, food = need(NeedCode.ERRAND), need(NeedCode.FOOD_PARCEL)
    helper = await volunteer(given, "thames")
    await given.deliver(assigned(needs=(errand, food)))

    call = await only_call(given)
    assert (call["state"], call["hub_id"], len(call["needs"])) == ("due", "thames", 2)
    answer = await report(
        given,
        call["call_id"],
        outcome="answered",
        needs=[{"code": "food-parcel", "result": "declined"}, {"code": "prescription", "result": "found"}],
        household={"adults": 1, "infants": 1},
    )
    assert answer["state"] == "answered"
    assert len(answer["task_ids"]) == 2

    completed = (await given.emitted(WelfareCallCompleted, TaskOpened))[:3]
    said = {n.code: n.result for n in completed[0].data.needs}
    assert said == {
        NeedCode.ERRAND: CallNeedResult.CONFIRMED,
        NeedCode.FOOD_PARCEL: CallNeedResult.DECLINED,
        NeedCode.PRESCRIPTION: CallNeedResult.FOUND,
    }
    assert completed[0].data.household.infants == 1
    assert {e.data.kind: e.data.requires_dbs for e in completed[1:]} == {
        "errand": False,
        "prescription": True,
    }

    assert await given.run("match") == 1
    offers = await given.emitted(TaskOffered)
    assert [(e.data.kind, e.data.volunteer_id) for e in offers] == [("errand", helper)]
    task_id = str(offers[0].data.task_id)
    assert await say(given, task_id, "acceptance", helper) == 200
    assert await say(given, task_id, "completion", helper) == 200
    assert (await task(given, task_id))["state"] == "done"
    assert [type(e.data) for e in await given.emitted()] == [TaskAccepted, TaskCompleted]
    assert ("task", offers[0].data.task_id) not in await given.deadlines()
