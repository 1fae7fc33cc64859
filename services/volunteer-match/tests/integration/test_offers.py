"""Offers: to whom, for how long, and what happens when nobody takes them."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID, uuid4

from volunteer_match_story import open_task, packed, say, task, volunteer

from bdcan_chassis.testing.harness import Harness
from bdcan_contracts.models import (
    TaskFailed,
    TaskOffered,
    TaskUnfilled,
    VolunteerActivated,
    VolunteerLeft,
    VolunteerPaused,
)
from bdcan_contracts.vocabulary import NeedCode
from bdcan_volunteer_match.domain.task import GRACE, OFFER_FOR


async def offered_to(given: Harness, task_id: str) -> UUID:
    await given.run("match")
    return UUID((await task(given, task_id))["volunteer_id"])


async def test_an_offer_that_runs_out_goes_to_the_next_volunteer(given: Harness) -> None:
    helpers = {await volunteer(given) for _ in range(4)}
    task_id = await open_task(given)
    await given.emitted()
    asked = []
    for _ in range(3):
        asked.append(await offered_to(given, task_id))
        assert await given.emitted(TaskUnfilled) == []
        given.clock.advance(OFFER_FOR)
        assert await given.fire() == 1
    assert len(set(asked)) == 3
    assert set(asked) <= helpers
    alarm = (await given.emitted())[-1].data
    assert (type(alarm), alarm.offers_made) == (TaskUnfilled, 3)
    fourth = await offered_to(given, task_id)
    assert fourth not in asked
    assert await say(given, task_id, "acceptance", asked[0]) == 409
    assert await say(given, task_id, "acceptance", fourth) == 200
    assert (await task(given, task_id))["unfilled"] is False


async def test_who_refuses_is_not_asked_again_until_the_alarm(given: Harness) -> None:
    only = await volunteer(given)
    task_id = await open_task(given)
    assert await offered_to(given, task_id) == only
    assert await say(given, task_id, "refusal", only) == 200
    assert await say(given, task_id, "refusal", only) == 200
    assert await given.run("match") == 0
    await given.emitted()
    given.clock.advance(timedelta(hours=8))
    assert await given.fire() == 1
    assert [type(e.data) for e in await given.emitted()] == [TaskUnfilled]
    assert await offered_to(given, task_id) == only


async def test_a_task_that_nobody_can_do_raises_the_alarm_again_and_again(given: Harness) -> None:
    await volunteer(given, kinds=("prescription",))
    task_id = await open_task(given, NeedCode.PRESCRIPTION)
    assert await given.run("match") == 0
    await given.emitted()
    for _ in range(2):
        given.clock.advance(timedelta(hours=8))
        assert await given.fire() == 1
    assert [str(e.data.task_id) for e in await given.emitted(TaskUnfilled)] == [task_id, task_id]
    cleared = await volunteer(given, kinds=("prescription",), checked=True)
    assert await offered_to(given, task_id) == cleared


async def test_nobody_holds_more_than_three_tasks(given: Harness) -> None:
    helper = await volunteer(given, kinds=("parcel-delivery",))
    await given.deliver(*(packed(uuid4()) for _ in range(5)))
    assert await given.run("match") == 3
    assert await given.run("match") == 0
    held = (await given.http.get(f"/v1/tasks?volunteer={helper}&state=offered")).json()["items"]
    assert len(held) == 3
    await say(given, held[0]["task_id"], "acceptance", helper)
    await say(given, held[0]["task_id"], "completion", helper)
    assert await given.run("match") == 1


async def test_an_accepted_task_that_is_not_done_goes_to_somebody_else(given: Harness) -> None:
    first, second = await volunteer(given), await volunteer(given)
    task_id = await open_task(given)
    asked = await offered_to(given, task_id)
    assert await say(given, task_id, "acceptance", asked) == 200
    await given.emitted()
    given.clock.advance(timedelta(hours=72) + GRACE)
    assert await given.fire() == 1
    assert [(type(e.data), e.data.reason) for e in await given.emitted()] == [
        (TaskFailed, "not-done-in-time")
    ]
    assert await offered_to(given, task_id) == ({first, second} - {asked}).pop()
    assert await say(given, task_id, "completion", asked) == 409


async def test_three_failures_raise_the_alarm_and_offers_go_on(given: Harness) -> None:
    for _ in range(4):
        await volunteer(given)
    task_id = await open_task(given)
    await given.emitted()
    for _ in range(3):
        asked = await offered_to(given, task_id)
        await say(given, task_id, "acceptance", asked)
        await say(given, task_id, "failure", asked, reason="nobody-home")
    told = await given.emitted(TaskFailed, TaskUnfilled)
    assert [type(e.data) for e in told] == [TaskFailed, TaskFailed, TaskFailed, TaskUnfilled]
    assert await given.run("match") == 1


async def test_a_volunteer_who_pauses_keeps_what_they_accepted(given: Harness) -> None:
    helper = await volunteer(given)
    kept, other = await open_task(given), await open_task(given)
    await given.run("match")
    await say(given, kept, "acceptance", helper)
    await given.emitted()
    until = given.clock.now() + timedelta(hours=5)
    paused = await given.http.post(f"/v1/volunteers/{helper}/pause", json={"until": until.isoformat()})
    assert (paused.status_code, paused.json()["state"]) == (200, "paused")
    assert [type(e.data) for e in await given.emitted()] == [VolunteerPaused]
    assert (await task(given, kept))["state"] == "accepted"
    assert (await task(given, other))["state"] == "open"
    assert await given.run("match") == 0
    given.clock.advance(timedelta(hours=5))
    assert await given.fire() == 1
    assert [type(e.data) for e in await given.emitted()] == [VolunteerActivated]
    fresh = await open_task(given)
    assert await offered_to(given, fresh) == helper


async def test_somebody_who_leaves_is_forgotten_and_their_tasks_go_on(given: Harness) -> None:
    helper = await volunteer(given, name="Ada Example", phone="07700 900123")
    accepted, offered = await open_task(given), await open_task(given)
    await given.run("match")
    await say(given, accepted, "acceptance", helper)
    await given.emitted()
    for _ in range(2):
        assert (await given.http.post(f"/v1/volunteers/{helper}/leave")).status_code == 200
    assert [type(e.data) for e in await given.emitted()] == [VolunteerLeft, TaskFailed]
    assert {(await task(given, t))["state"] for t in (accepted, offered)} == {"open"}
    assert await given.fetch("SELECT 1 FROM volunteer_person") == []
    body = {"hub_ids": ["thames"], "task_kinds": ["errand"]}
    again = await given.http.post(f"/v1/volunteers/{helper}/activation", json=body)
    assert (again.status_code, again.json()["type"]) == (409, "urn:bdcan:problem:left")


async def test_somebody_who_leaves_is_in_no_table_any_more(given: Harness) -> None:
    who = await volunteer(given, name="Ada Example", phone="07700 900123")
    for key in ("look-1", "look-1"):
        looked = await given.http.post(
            f"/v1/volunteers/{who}/contact-views",
            json={"reason": "Ada Example rang about her car"},
            headers={"Idempotency-Key": key},
        )
        assert looked.json()["phone"] == "07700 900123"
    assert (await given.http.post(f"/v1/volunteers/{who}/leave")).status_code == 200
    tables = await given.fetch(
        "SELECT schemaname, tablename FROM pg_tables WHERE schemaname IN ('public', 'chassis')"
    )
    for schema, table in tables:
        rows = await given.fetch(f'SELECT t::text AS row FROM {schema}."{table}" AS t')
        found = [r["row"] for r in rows if "Ada" in r["row"] or b"Ada".hex() in r["row"]]
        assert found == [], table


async def test_every_open_task_has_one_deadline_whatever_volunteers_do(given: Harness) -> None:
    helpers = [await volunteer(given) for _ in range(3)]
    made = [await open_task(given) for _ in range(6)]
    await given.run("match")
    for place, task_id in enumerate(made):
        holder = (await task(given, task_id))["volunteer_id"]
        await say(given, task_id, ["acceptance", "refusal"][place % 2], UUID(holder))
    assert helpers
    assert {s for k, s in await given.deadlines() if k == "task"} == set(map(UUID, made))


async def test_two_passes_at_once_offer_each_task_once(given: Harness) -> None:
    for _ in range(5):
        await volunteer(given, kinds=("parcel-delivery",))
    await given.deliver(*(packed(uuid4()) for _ in range(15)))
    await given.emitted()
    passes = await asyncio.gather(*(given.run("match") for _ in range(4)))
    assert sum(passes) == 15
    offers = [e.data.task_id for e in await given.emitted(TaskOffered)]
    assert len(offers) == len(set(offers)) == 15
