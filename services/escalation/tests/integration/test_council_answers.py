"""Whatever the council's system answers, a case keeps an owner, a state and a deadline."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from uuid import UUID

import pytest
from escalation_story import a_need, call_back, called, given_concern, said, sent

from bdcan_chassis.ids import derived_id, new_id
from bdcan_chassis.testing.harness import START
from bdcan_contracts.models import EscalationAcknowledged, EscalationDeclined, EscalationForwarded
from bdcan_contracts.vocabulary import NeedCode
from bdcan_escalation.store.escalations import COUNT_BY_KIND_AND_STATE


async def given_need(world: Any) -> UUID:
    need = a_need(NeedCode.DEBT)
    await world.service.deliver(called(new_id(), said(need)))
    return derived_id(need.need_id, "escalation")


async def standing(world: Any, escalation_id: UUID) -> dict[str, Any]:
    return (await world.service.http.get(f"/v1/escalations/{escalation_id}")).json()


async def after(world: Any, status: int, body: Any = b"", **headers: str) -> tuple[UUID, dict[str, Any]]:
    """An escalation whose send the council answers with this."""
    escalation_id = await given_need(world)
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    world.faults.answer = (status, content, headers)
    await world.service.run("forward")
    now = await standing(world, escalation_id)
    assert now["due_at"], "it has a deadline"
    assert await world.service.deadlines()
    return escalation_id, now


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (202, b""),
        (202, b"Accepted"),
        (202, {"status": "queued"}),
        (200, b""),
        (201, b""),
        (201, b" "),
        (201, {"message": "created"}),
        (204, b""),
    ],
)
async def test_case_taken_without_an_id_waits_for_the_first_call_back(world, status: int, body: Any):
    escalation_id, now = await after(world, status, body)
    assert (now["state"], now["case_id"], now["problem"]) == ("forwarded", None, None)
    assert now["due_at"] == now["acknowledge_by"]
    assert await world.service.run("forward") == 0
    answer = await sent(world, call_back(escalation_id, "acknowledged", case_id=4711, reference=12))
    assert answer.status_code == 200
    now = await standing(world, escalation_id)
    assert (now["state"], now["case_id"], now["reference"]) == ("acknowledged", "4711", "12")
    assert len(await world.service.emitted(EscalationForwarded)) == 1


async def test_case_without_an_id_that_nobody_acknowledges_is_late(world):
    escalation_id, now = await after(world, 202)
    world.service.clock.advance(datetime.fromisoformat(now["acknowledge_by"]) - START + timedelta(minutes=1))
    assert await world.service.fire() == 1
    assert (await standing(world, escalation_id))["late"] == "acknowledge"


@pytest.mark.parametrize(
    ("status", "body", "case_id", "reference"),
    [
        (200, {"case_id": 4711, "reference": 12}, "4711", "12"),
        (201, b"\xef\xbb\xbf" + b'{"case_id": "A-1"}', "A-1", "A-1"),
        (202, {"case_id": "A-1", "reference": None}, "A-1", "A-1"),
        (201, {"case": {"case_id": 7, "reference": "R" * 101}}, "7", "7"),
        (409, {"error": "duplicate", "case_id": 4711}, "4711", "4711"),
        (409, {"title": "Conflict", "existing": {"case_id": "A-1", "reference": "CS-1"}}, "A-1", "CS-1"),
        (409, {"code": "DUPLICATE", "existing_case_id": "A-1"}, "A-1", "A-1"),
    ],
)
async def test_answer_that_names_the_case_is_success(
    world, status: int, body: Any, case_id: str, reference: str
):
    _, now = await after(world, status, body)
    assert (now["state"], now["case_id"], now["reference"]) == ("forwarded", case_id, reference)


@pytest.mark.parametrize(
    ("status", "body", "state", "problem"),
    [
        (200, b"<html>Please sign in</html>", "unverified", "council-unreadable"),
        (200, {"error": "try later"}, "unverified", "council-unreadable"),
        (201, {"case_id": True}, "forwarded", None),
        (200, {"case_id": ""}, "unverified", "council-unreadable"),
        (200, b"[" * 100_000, "unverified", "council-unreadable"),
        (409, {"error": "busy"}, "opened", "council-409"),
        (301, b"", "opened", "council-301"),
        (303, b"", "unverified", "council-303"),
        (308, b"", "opened", "council-308"),
        (503, b"", "unverified", "council-503"),
    ],
)
async def test_any_other_answer_keeps_its_reason(
    world, status: int, body: Any, state: str, problem: str | None
):
    escalation_id, now = await after(world, status, body, Location="http://127.0.0.1:1/elsewhere")
    assert (now["state"], now["problem"]) == (state, problem)
    if problem:
        world.faults.answer = None
        world.service.clock.advance(timedelta(hours=1))
        assert await world.service.run("forward") == 1
        assert set(world.faults.keys) == {str(escalation_id)}


def in_(span: timedelta) -> str:
    return format_datetime(datetime.now(UTC) + span, usegmt=True)


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("asked", "least", "most"),
    [
        ("120", 119, 120),
        (in_(timedelta(hours=-1)), 1, 2),
        ("0", 1, 2),
        ("soon", 1, 2),
        ("-5", 1, 2),
        ("999999999999999999999", 899, 900),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 899, 900),
    ],
)
async def test_council_may_ask_for_a_pause_up_to_a_limit(
    world, status: int, asked: str, least: int, most: int
):
    _, now = await after(world, status, b"", **{"Retry-After": asked})
    pause = (datetime.fromisoformat(now["next_attempt_at"]) - START).total_seconds()
    assert least <= pause <= most + 1


async def test_pause_may_be_a_date(world):
    _, now = await after(world, 503, b"", **{"Retry-After": in_(timedelta(seconds=300))})
    pause = (datetime.fromisoformat(now["next_attempt_at"]) - START).total_seconds()
    assert 290 <= pause <= 301


async def test_safeguarding_waits_a_minute_at_most_for_a_busy_council(world):
    escalation_id = await given_concern(world, START + timedelta(hours=4))
    world.faults.answer = (429, b"", {"Retry-After": "3600"})
    assert await world.service.run("forward-safeguarding") == 0
    now = await standing(world, escalation_id)
    assert datetime.fromisoformat(now["next_attempt_at"]) - START <= timedelta(minutes=1)


async def test_two_escalations_may_have_the_same_case(world):
    first, second = await given_need(world), await given_need(world)
    world.faults.answer = (409, b'{"case_id": "A-1"}', {})
    assert await world.service.run("forward") == 2
    await sent(world, call_back(first, "acknowledged", case_id="A-1"))
    assert len(await world.service.emitted(EscalationAcknowledged)) == 2
    answer = await sent(world, call_back(second, "declined", case_id="A-1", reason="not-eligible"))
    assert answer.status_code == 200
    assert {e.data.escalation_id for e in await world.service.emitted(EscalationDeclined)} == {first, second}
    assert await world.service.deadlines() == {}


async def test_details_that_nobody_could_read_reach_the_council(world):
    world.intake.fields = {"name": "Ada Example", "unclear": {"birth_date": "01-Mar-50"}}
    await given_need(world)
    assert await world.service.run("forward") == 1
    [case] = await world.cases()
    assert case["person_fields"] == ["name", "unclear"]


async def test_small_counts_of_escalations_are_no_metric(world):
    async def counted() -> set[tuple[str, int]]:
        return {(r["kind"], r["value"]) for r in await world.service.fetch(COUNT_BY_KIND_AND_STATE.sql)}

    for _ in range(4):
        await given_concern(world)
    await given_need(world)
    assert await counted() == set()
    await given_concern(world)
    assert await counted() == {("safeguarding", 5)}
