"""The address opens after acceptance, by a grant for that task, to whoever has it in hand."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from volunteer_match_story import open_task, say, task, volunteer

from bdcan_chassis.grants import Grant
from bdcan_chassis.testing.harness import Harness

SCOPES = ["tasks:read", "tasks:write"]


async def offered_to_somebody(given: Harness) -> tuple[str, UUID]:
    helper = await volunteer(given)
    task_id = await open_task(given)
    await given.run("match")
    return task_id, helper


def read(given: Harness, text: str) -> Grant:
    grant = given.service.settings.grant_keys.read(text)  # pyright: ignore[reportAttributeAccessIssue]
    assert grant is not None
    return grant


async def test_acceptance_gives_a_grant_for_the_task_and_nobody_else_gets_one(given: Harness) -> None:
    task_id, helper = await offered_to_somebody(given)
    own = given.person(SCOPES, name="ada", volunteer_id=helper)
    assert "grant" not in (await own.get(f"/v1/tasks/{task_id}")).json()
    taken = (await own.post(f"/v1/tasks/{task_id}/acceptance", json={})).json()
    grant, now = read(given, taken["grant"]), given.clock.now()
    assert grant.opens("person:ada", "task", UUID(task_id), now)
    assert not grant.opens("person:ada", "task", UUID(task_id), now + timedelta(minutes=15))
    assert "grant" not in await task(given, task_id)
    assert all("grant" not in one for one in (await own.get("/v1/tasks")).json()["items"])


async def test_holder_reads_another_grant_until_the_task_has_left_their_hands(given: Harness) -> None:
    task_id, helper = await offered_to_somebody(given)
    own = given.person(SCOPES, name="ada", volunteer_id=helper)
    await own.post(f"/v1/tasks/{task_id}/acceptance", json={})
    given.clock.advance(timedelta(hours=1))
    grant = read(given, (await own.get(f"/v1/tasks/{task_id}")).json()["grant"])
    assert grant.opens("person:ada", "task", UUID(task_id), given.clock.now())
    await own.post(f"/v1/tasks/{task_id}/completion", json={})
    assert "grant" not in (await own.get(f"/v1/tasks/{task_id}")).json()


async def test_hub_accepts_again_for_its_volunteer_and_gets_another_grant(given: Harness) -> None:
    task_id, helper = await offered_to_somebody(given)
    assert await say(given, task_id, "acceptance", helper) == 200
    given.clock.advance(timedelta(hours=1))
    body = {"volunteer_id": str(helper)}
    again = (await given.http.post(f"/v1/tasks/{task_id}/acceptance", json=body)).json()
    assert read(given, again["grant"]).expires_at > given.clock.now()
