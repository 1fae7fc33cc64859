"""A resident who does not agree to be contacted, or may have died: nobody rings, nobody comes, a person looks."""

from __future__ import annotations

from datetime import timedelta

import pytest
from volunteer_match_story import amended, assigned, claim_call, need, only_call, report, say, task, volunteer

from bdcan_chassis.testing.harness import Harness
from bdcan_contracts.models import TaskChanged, TaskFailed, TaskOfferWithdrawn, WelfareCallHeld
from bdcan_volunteer_match.domain.call import REVIEW

FLAGS = pytest.mark.parametrize("flag", ["no-consent", "deceased"])


@FLAGS
async def test_a_call_that_must_not_be_made_is_on_no_callers_list(given: Harness, flag: str) -> None:
    event = assigned(flags=(flag,))
    await given.deliver(event)
    assert (await given.http.get("/v1/welfare-calls?state=due")).json()["items"] == []
    [item] = (await given.http.get("/v1/welfare-calls?review=true")).json()["items"]
    assert item["review"] == flag
    assert item["review_by"] == "2020-03-24T09:00:00Z"
    [told] = await given.emitted()
    assert (type(told.data), told.data.reason, told.data.overdue) == (WelfareCallHeld, flag, False)
    answer = await given.http.post(f"/v1/welfare-calls/{item['call_id']}/claim")
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:bdcan:problem:person-must-look")


@FLAGS
async def test_a_claim_ends_when_nobody_may_ring_any_more(given: Harness, flag: str) -> None:
    event = assigned()
    await given.deliver(event)
    call_id = (await only_call(given))["call_id"]
    await claim_call(given, call_id)
    await given.deliver(amended(event.referral_id, event.needs, flags=(flag,)))
    answer = await given.http.post(f"/v1/welfare-calls/{call_id}/outcome", json={"outcome": "no-answer"})
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:bdcan:problem:person-must-look")


async def test_a_person_who_does_not_look_in_time_is_an_alarm_again_and_again(given: Harness) -> None:
    event = assigned(flags=("no-consent",))
    await given.deliver(event)
    await given.emitted()
    for _ in range(2):
        given.clock.advance(timedelta(hours=24))
        assert await given.fire() == 1
        [told] = await given.emitted()
        assert (told.data.reason, told.data.overdue) == ("no-consent", True)
    assert (REVIEW, event.referral_id) in await given.deadlines()


async def test_an_amendment_that_brings_consent_makes_the_call_due(given: Harness) -> None:
    event = assigned(flags=("no-consent",))
    await given.deliver(event)
    await given.deliver(amended(event.referral_id, event.needs))
    assert len((await given.http.get("/v1/welfare-calls?state=due")).json()["items"]) == 1
    assert (await given.http.get("/v1/welfare-calls?review=true")).json()["items"] == []
    assert REVIEW not in {kind for kind, _ in await given.deadlines()}


@FLAGS
@pytest.mark.parametrize("state", ["open", "offered", "accepted"])
async def test_tasks_stop_until_a_person_has_looked(given: Harness, flag: str, state: str) -> None:
    event = assigned(needs=(need(),))
    await given.deliver(event)
    [task_id] = (await report(given, (await only_call(given))["call_id"], outcome="answered"))["task_ids"]
    who = await volunteer(given)
    if state != "open":
        await given.run("match")
    if state == "accepted":
        await say(given, task_id, "acceptance", who)
    await given.emitted()
    await given.deliver(amended(event.referral_id, event.needs, flags=(flag,)))
    told = [type(e.data) for e in await given.emitted()]
    lost = {"open": [], "offered": [TaskOfferWithdrawn], "accepted": [TaskFailed]}[state]
    assert told == [WelfareCallHeld, *lost, TaskChanged]
    assert await given.run("match") == 0
    found = await task(given, task_id)
    assert (found["state"], found["stopped_by"]) == ("open", flag)
    assert len((await given.http.get("/v1/tasks?attention=true")).json()["items"]) == 1
    await given.deliver(amended(event.referral_id, event.needs, 3))
    assert await given.run("match") == 1
