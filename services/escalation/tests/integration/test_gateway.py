"""The gateways to the council, when something goes wrong."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from escalation_story import a_need, called, given_concern, said

from bdcan_chassis.ids import derived_id, new_id
from bdcan_chassis.testing.harness import START
from bdcan_contracts.models import EscalationForwarded, EscalationOverdue, EscalationStage
from bdcan_contracts.vocabulary import NeedCode


async def given_needs(world: Any, count: int = 1, code: NeedCode = NeedCode.DEBT) -> list[UUID]:
    """So many escalations, opened by welfare calls."""
    needs = [a_need(code) for _ in range(count)]
    await world.service.deliver(*(called(new_id(), said(need)) for need in needs))
    return [derived_id(need.need_id, "escalation") for need in needs]


async def standing(world: Any, escalation_id: UUID) -> dict[str, Any]:
    return (await world.service.http.get(f"/v1/escalations/{escalation_id}")).json()


async def later(world: Any, span: timedelta = timedelta(hours=1)) -> None:
    world.service.clock.advance(span)


async def test_case_waits_while_intake_is_unreachable(world):
    (escalation_id,) = await given_needs(world)
    world.intake.status = 503
    assert await world.service.run("forward") == 0
    now = await standing(world, escalation_id)
    assert (now["state"], now["problem"], now["attempts"]) == ("opened", "disclosure-503", 1)
    assert world.faults.keys == []
    assert await world.service.run("forward") == 0
    assert (await standing(world, escalation_id))["attempts"] == 1, "it is left alone for a while"
    world.intake.status = 200
    await later(world)
    assert await world.service.run("forward") == 1


@pytest.mark.parametrize("status", [400, 401, 409, 422])
async def test_refused_case_stays_open_with_the_reason(world, status):
    (escalation_id,) = await given_needs(world)
    world.faults.status = status
    assert await world.service.run("forward") == 0
    now = await standing(world, escalation_id)
    assert (now["state"], now["problem"]) == ("opened", f"council-{status}")
    world.faults.status = None
    await later(world)
    assert await world.service.run("forward") == 1
    assert world.faults.keys == [str(escalation_id)] * 2


async def test_case_sent_again_after_a_lost_answer_is_one_case(
    world,
):
    (escalation_id,) = await given_needs(world)
    world.faults.status, world.faults.taken_first = 502, True
    await world.service.run("forward")
    # its call-backs may already have proved the arrival; if not, nobody knows
    assert (await standing(world, escalation_id))["state"] != "opened"
    world.faults.status, world.faults.taken_first = None, False
    await later(world)
    await world.service.run("forward")
    assert len(await world.cases()) == 1
    assert set(world.faults.keys) == {str(escalation_id)}


async def test_silent_council_leaves_the_case_unverified_and_is_asked_again(world, eventually):
    (escalation_id,) = await given_needs(world)
    world.faults.hang = asyncio.Event()
    assert await world.service.run("forward") == 0
    now = await standing(world, escalation_id)
    assert (now["state"], now["problem"]) == ("unverified", "council-silent")
    world.faults.hang.set()
    world.faults.hang = None
    await later(world)
    await world.service.run("forward")

    async def closed() -> bool:
        return (await standing(world, escalation_id))["state"] == "closed"

    await eventually(closed)
    assert len(await world.cases()) == 1
    assert len(await world.service.emitted(EscalationForwarded)) == 1


async def test_crash_while_forwarding_resends_the_same_key(world):
    (escalation_id,) = await given_needs(world)
    world.faults.hang = asyncio.Event()
    crashing = asyncio.create_task(world.service.run("forward"))
    async with asyncio.timeout(5):
        while not world.faults.keys:  # noqa: ASYNC110 # the council is another server
            await asyncio.sleep(0.01)
    crashing.cancel()
    await asyncio.gather(crashing, return_exceptions=True)
    world.faults.hang.set()
    world.faults.hang = None
    assert await world.service.run("forward") == 0, "the lease holds"
    await later(world)
    await world.service.run("forward")
    assert set(world.faults.keys) == {str(escalation_id)}
    assert len(await world.cases()) == 1


async def test_eight_cases_go_at_a_time_and_all_arrive(world):
    escalation_ids = await given_needs(world, 20)
    assert [await world.service.run("forward") for _ in range(4)] == [8, 8, 4, 0]
    assert {c["escalation_id"] for c in await world.cases()} == {str(i) for i in escalation_ids}


async def test_concern_does_not_wait_for_complex_cases_that_time_out(
    world,
):
    await given_needs(world, 10)
    world.faults.hang = asyncio.Event()
    stuck = asyncio.create_task(world.service.run("forward"))
    async with asyncio.timeout(5):
        while len(world.faults.keys) < 8:  # noqa: ASYNC110 # the council is another server
            await asyncio.sleep(0.01)
    held, world.faults.hang = world.faults.hang, None
    escalation_id = await given_concern(world, START + timedelta(hours=4))
    assert await world.service.run("forward-safeguarding") == 1
    assert not stuck.done()
    assert str(escalation_id) in world.faults.keys
    held.set()
    await stuck


async def test_each_gateway_sends_only_its_own_cases(world):
    concern = await given_concern(world, START + timedelta(hours=4))
    (debt,) = await given_needs(world)
    assert await world.service.run("forward") == 1
    assert world.faults.keys == [str(debt)]
    assert await world.service.run("forward-safeguarding") == 1
    assert world.faults.keys[-1] == str(concern)


async def test_case_that_cannot_be_sent_is_reported_again_and_again(
    world,
):
    escalation_id = await given_concern(world, START + timedelta(hours=4))
    world.intake.status = 500
    await world.service.run("forward-safeguarding")
    for _ in range(2):
        await later(world, timedelta(minutes=30))
        assert await world.service.fire() == 1
    events = await world.service.emitted(EscalationOverdue)
    assert [e.data.stage for e in events] == [EscalationStage.FORWARD] * 2
    assert (await standing(world, escalation_id))["late"] == "forward"
    world.intake.status = 200
    assert await world.service.run("forward-safeguarding") == 1
    assert (await standing(world, escalation_id))["late"] is None


async def test_personal_data_of_a_sent_case_is_not_stored(world, caplog):
    await given_needs(world)
    await world.service.run("forward")
    tables = await world.service.fetch(
        "SELECT table_schema AS s, table_name AS t FROM information_schema.tables WHERE table_schema IN ('public', 'chassis')"
    )
    for table in tables:
        rows = await world.service.fetch(
            f'SELECT to_jsonb(x)::text AS row FROM "{table["s"]}"."{table["t"]}" AS x'
        )
        assert not [r for r in rows if "Ada" in r["row"] or "07700" in r["row"]], table["t"]
    assert "Ada" not in caplog.text
    assert "07700" not in caplog.text
