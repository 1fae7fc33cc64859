"""Why somebody is asked, what is missing where nobody is, and offers by hand."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from volunteer_match_story import assigned, need, open_task, report, say, task, volunteer

from bdcan_chassis.testing.harness import Harness
from bdcan_contracts.models import TaskOffered
from bdcan_contracts.vocabulary import NeedCode
from bdcan_volunteer_match.domain.task import OFFER_FOR


async def matching(given: Harness, task_id: str) -> dict[str, Any]:
    answer = await given.http.get(f"/v1/tasks/{task_id}/matching")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def offer(given: Harness, task_id: str, who: UUID, **more: Any) -> Any:
    body = {"volunteer_id": str(who), "reason": "she lives next door"} | more
    return await given.http.post(f"/v1/tasks/{task_id}/offer", json=body)


async def test_an_offer_says_why_this_volunteer_and_who_was_not_asked(given: Harness) -> None:
    await volunteer(given)
    paused = await volunteer(given)
    await given.http.post(f"/v1/volunteers/{paused}/pause", json={})
    task_id = await open_task(given)
    await given.run("match")
    [made] = (await matching(given, task_id))["offers"]
    assert (made["state"], made["by_hand"]) == ("offered", False)
    assert made["because"] == ["has nothing in hand", "was not asked this week"]
    assert made["not_asked"] == ["1 has paused"]


async def test_whoever_helped_a_household_before_is_asked_again(given: Harness) -> None:
    helpers = [await volunteer(given) for _ in range(3)]
    event = assigned(needs=(need(NeedCode.ERRAND), need(NeedCode.ERRAND)))
    await given.deliver(event)
    [call] = (await given.http.get("/v1/welfare-calls")).json()["items"]
    first, second = (await report(given, call["call_id"], outcome="answered"))["task_ids"]
    assert (await offer(given, first, helpers[1])).status_code == 200
    await say(given, first, "acceptance", helpers[1])
    await say(given, first, "completion", helpers[1])
    await given.run("match")
    assert (await task(given, second))["volunteer_id"] == str(helpers[1])
    [made] = (await matching(given, second))["offers"]
    assert made["because"][0].startswith("helped this household on ")


async def test_a_task_that_nobody_can_do_says_what_is_missing(given: Harness) -> None:
    await volunteer(given, kinds=("prescription",))
    task_id = await open_task(given, NeedCode.PRESCRIPTION)
    now = (await matching(given, task_id))["now"]
    assert (now["may_be_asked"], now["suggestions"]) == (0, [])
    assert "1 has no check that this hub has seen" in now["missing"]
    await volunteer(given, kinds=("prescription",), checked=True)
    assert "missing" not in (await matching(given, task_id))["now"]


async def test_an_offer_by_hand_obeys_the_same_checks(given: Harness) -> None:
    unfit = await volunteer(given)
    task_id = await open_task(given, NeedCode.PRESCRIPTION)
    refused = await offer(given, task_id, unfit)
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:bdcan:problem:not-suitable")
    assert [error["code"] for error in refused.json()["errors"]] == ["kind-not-offered", "check-missing"]
    fit = await volunteer(given, kinds=("prescription",), checked=True)
    assert (await offer(given, task_id, fit)).json()["volunteer_id"] == str(fit)
    again = await offer(given, task_id, fit)
    assert (again.status_code, again.json()["type"]) == (409, "urn:bdcan:problem:task-not-open")
    assert (await offer(given, str(uuid4()), fit)).status_code == 404
    assert (await offer(given, task_id, uuid4())).status_code == 422
    [made] = (await matching(given, task_id))["offers"]
    assert (made["by_hand"], made["reason"]) == (True, "she lives next door")


async def test_each_offer_keeps_how_it_ended(given: Harness) -> None:
    people = [await volunteer(given) for _ in range(3)]
    task_id = await open_task(given)

    async def offered() -> UUID:
        await given.run("match")
        return UUID((await task(given, task_id))["volunteer_id"])

    await offered()
    given.clock.advance(OFFER_FOR)
    await given.fire()
    refuses = await offered()
    await say(given, task_id, "refusal", refuses)
    await say(given, task_id, "undo", refuses)
    await say(given, task_id, "refusal", refuses)
    await say(given, task_id, "acceptance", await offered())
    states = [made["state"] for made in (await matching(given, task_id))["offers"]]
    assert states == ["accepted", "refused", "expired"]
    assert len(people) == 3


async def test_two_offers_by_hand_at_once_lead_to_one(given: Harness) -> None:
    one, other = await volunteer(given), await volunteer(given)
    task_id = await open_task(given)
    await given.emitted()
    answers = await asyncio.gather(offer(given, task_id, one), offer(given, task_id, other))
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    assert len(await given.emitted(TaskOffered)) == 1


async def test_volunteers_of_another_hub_are_asked_after_a_while_and_can_accept(given: Harness) -> None:
    other = await volunteer(given, "heath")
    task_id = await open_task(given)
    assert await given.run("match") == 0
    given.clock.advance(timedelta(hours=6))
    assert await given.run("match") == 1
    assert await say(given, task_id, "acceptance", other) == 200
    [made] = (await matching(given, task_id))["offers"]
    assert made["because"][0] == "helps another hub, because nobody of this hub was free"


async def test_the_nearest_is_asked_by_the_sector_that_routing_names(given: Harness) -> None:
    await volunteer(given)
    event = assigned(needs=(need(NeedCode.ERRAND),)).model_copy(update={"sector": "RM10 8"})
    await given.deliver(event)
    [call] = (await given.http.get("/v1/welfare-calls")).json()["items"]
    await report(given, call["call_id"], outcome="answered")
    assert [r["sector"] for r in await given.fetch("SELECT sector FROM task")] == ["RM10 8"]


async def test_figures_say_how_well_and_how_fairly_tasks_found_volunteers(given: Harness) -> None:
    for _ in range(4):
        await volunteer(given)
    first, second = await open_task(given), await open_task(given)
    await given.run("match")
    who = UUID((await task(given, first))["volunteer_id"])
    await say(given, first, "acceptance", who)
    await say(given, first, "completion", who)
    [hub] = (await given.http.get("/v1/matching-figures")).json()["items"]
    assert hub == {
        "hub": "thames",
        "volunteers": 4,
        "asked_share": 0.5,
        "offers_each": 0.5,
        "gini": 0.75,
        "tasks": 2,
        "matched_share": 0.5,
        "done_share": 1.0,
    }
    given.clock.advance(timedelta(days=7))
    [later] = (await given.http.get("/v1/matching-figures")).json()["items"]
    assert (later["asked_share"], later["tasks"]) == (0.0, 0)
    assert second


async def test_nobody_gets_more_offers_in_seven_days_than_they_want(given: Harness) -> None:
    only = await volunteer(given, weekly_offers=1)
    made = [await open_task(given) for _ in range(2)]
    assert await given.run("match") == 1
    states = {one: (await task(given, one))["state"] for one in made}
    [offered] = [one for one, state in states.items() if state == "offered"]
    [waits] = [one for one, state in states.items() if state == "open"]
    await say(given, offered, "refusal", only)
    assert await given.run("match") == 0
    by_hand = await offer(given, waits, only)
    assert [error["code"] for error in by_hand.json()["errors"]] == ["asked-enough-this-week"]
    assert (await matching(given, waits))["now"]["not_asked"] == ["1 was asked often enough this week"]
    given.clock.advance(timedelta(days=7))
    assert await given.run("match") == 1


async def test_whoever_is_off_duty_or_too_far_away_is_not_asked(given: Harness) -> None:
    off = await volunteer(given)
    assert (await given.http.post(f"/v1/volunteers/{off}/off-duty")).status_code == 200
    await volunteer(given, postcode="IG11 0AA", travels="on-foot")
    near = await volunteer(given, postcode="RM10 8XX", travels="on-foot")
    event = assigned(needs=(need(NeedCode.ERRAND),)).model_copy(update={"sector": "RM10 8"})
    await given.deliver(event)
    [call] = (await given.http.get("/v1/welfare-calls")).json()["items"]
    [task_id] = (await report(given, call["call_id"], outcome="answered"))["task_ids"]
    await given.run("match")
    [made] = (await matching(given, task_id))["offers"]
    assert made["volunteer_id"] == str(near)
    assert made["because"][0] == "lives about 800 m away"
    assert made["not_asked"] == ["1 is not on duty", "1 lives farther away than they travel"]
