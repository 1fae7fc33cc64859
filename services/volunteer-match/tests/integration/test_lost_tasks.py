"""A task whose row was lost is opened again by an operator; whatever is there, or not wanted, stays as it is."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest
from volunteer_match_story import assigned, need, only_call, report, task

from bdcan_chassis.cli import main
from bdcan_chassis.testing.harness import Harness
from bdcan_contracts.models import ReferralAssigned, TaskOpened
from bdcan_contracts.vocabulary import NeedCode


async def open_task(given: Harness, event: ReferralAssigned) -> int:
    words = [
        "open-task",
        str(event.referral_id),
        str(event.needs[0].need_id),
        "--reason",
        "lost",
        "--actor",
        "kim",
    ]
    return await asyncio.to_thread(main, lambda: given.service, words)


async def rung(given: Harness) -> tuple[ReferralAssigned, str]:
    event = assigned(needs=(need(NeedCode.SHOPPING),))
    await given.deliver(event)
    reported = await report(given, (await only_call(given))["call_id"], outcome="answered")
    return event, reported["task_ids"][0]


async def test_lost_task_is_opened_again_under_its_id_and_told(given: Harness) -> None:
    event, task_id = await rung(given)
    await given.owner.execute("DELETE FROM task")
    assert await open_task(given, event) == 0
    found = await task(given, task_id)
    assert (found["state"], found["kind"]) == ("open", "shopping")
    assert [str(told.data.task_id) for told in await given.emitted(TaskOpened)] == [task_id, task_id]
    assert ("task", UUID(task_id)) in await given.deadlines()
    [audited] = await given.fetch(
        "SELECT actor, subject_id, reason FROM chassis.audit WHERE act = 'task-opened'"
    )
    assert tuple(audited) == ("kim", event.referral_id, "lost")


@pytest.mark.parametrize(
    "end",
    [
        "alarm_at = alarm_at",
        "state = 'cancelled', settled_at = now()",
        "state = 'done', settled_at = now(), volunteer_id = gen_random_uuid()",
    ],
)
async def test_task_that_is_there_stays_the_only_one(given: Harness, end: str) -> None:
    event, _ = await rung(given)
    await given.owner.execute(f"UPDATE task SET {end}")
    assert await open_task(given, event) == 1
    assert len(await given.emitted(TaskOpened)) == 1


async def test_need_that_no_call_has_reported_gets_no_task(given: Harness) -> None:
    event = assigned(needs=(need(NeedCode.SHOPPING),))
    assert await open_task(given, event) == 1
    await given.deliver(event)
    assert await open_task(given, event) == 1
    assert await given.emitted(TaskOpened) == []
