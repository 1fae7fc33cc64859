"""Cases that the council gives back, and what its system may say."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from escalation_story import (
    a_need,
    assigned,
    call_back,
    called,
    exhausted,
    given_concern,
    said,
    sent,
)

from bdcan_chassis.ids import derived_id, new_id
from bdcan_contracts.models import (
    EscalationAccepted,
    EscalationAcknowledged,
    EscalationClosed,
    EscalationDeclined,
    EscalationOpened,
    Priority,
)
from bdcan_contracts.vocabulary import HELPED, EscalationOutcome

NOT_HELPED = [*sorted({*EscalationOutcome} - HELPED), "moved-to-kent", "NOT_REACHED"]
"""What the council may say without having helped. One of them is unknown to this release."""


async def opened_ids(world) -> list:
    return [e.data.escalation_id for e in await world.service.emitted(EscalationOpened)]


@pytest.mark.parametrize("outcome", NOT_HELPED)
async def test_need_that_nobody_helped_with_returns_to_the_hub(world, outcome: str):
    referral_id, need = new_id(), a_need()
    call = called(referral_id, said(need))
    await world.service.deliver(call)
    first = derived_id(need.need_id, "escalation")
    await sent(world, call_back(first, "accepted"))
    answer = await sent(world, call_back(first, "closed", outcome=outcome))
    assert (answer.status_code, answer.json()["state"]) == (200, "closed")
    [given_back] = await world.service.emitted(EscalationDeclined, EscalationClosed)
    assert given_back.data.reason == outcome.lower().replace("_", "-")
    assert given_back.data.call_ids == (call.call_id,)
    assert await world.service.deadlines() == {}


async def test_next_call_escalates_a_returned_need_anew(world):
    referral_id, need = new_id(), a_need()
    call = called(referral_id, said(need))
    await world.service.deliver(assigned(referral_id, need, priority=Priority.URGENT), call)
    first, second, third = (derived_id(need.need_id, f"escalation{n}") for n in ("", "-2", "-3"))
    await sent(world, call_back(first, "closed", outcome="not-reached"))
    await world.service.deliver(call)  # a second event of a call that the council has answered
    await world.service.deliver(assigned(referral_id, need, version=2))
    assert await opened_ids(world) == [first]
    await world.service.deliver(called(referral_id, said(need)))
    await sent(world, call_back(second, "closed", outcome="no-capacity") | {"case_id": "case-2"})
    await world.service.deliver(called(referral_id, said(need)))
    assert await opened_ids(world) == [second, third]


@pytest.mark.parametrize("outcome", sorted(HELPED))
async def test_need_that_somebody_helped_with_ends(world, outcome: str):
    referral_id, need = new_id(), a_need()
    await world.service.deliver(called(referral_id, said(need)))
    await sent(world, call_back(derived_id(need.need_id, "escalation"), "closed", outcome=outcome))
    await world.service.deliver(called(referral_id, said(need)))
    [_, closed] = await world.service.emitted(EscalationOpened, EscalationClosed)
    assert closed.data.outcome == outcome


async def test_welfare_concern_that_reached_nobody_returns_its_needs(world):
    referral_id, needs = new_id(), [a_need(), a_need()]
    ladder = exhausted(referral_id, *needs)
    await world.service.deliver(ladder)
    await sent(world, call_back(derived_id(ladder.call_id, "escalation"), "closed", outcome="not-reached"))
    [given_back] = await world.service.emitted(EscalationDeclined)
    assert set(given_back.data.need_ids) == {need.need_id for need in needs}
    await world.service.deliver(exhausted(referral_id, *needs))
    assert len(await opened_ids(world)) == 1, "the next ladder is the next concern"


async def test_council_that_changes_its_mind_is_told_so(world):
    escalation_id = await given_concern(world)
    await sent(world, call_back(escalation_id, "closed", outcome="not-reached"))
    answer = await sent(world, call_back(escalation_id, "closed", outcome="helped"))
    assert answer.status_code == 409
    assert "not-reached" in answer.json()["detail"]
    again = await sent(world, call_back(escalation_id, "closed", outcome="not-reached"))
    assert again.status_code == 200


async def test_christmas_eve_is_acknowledged_after_the_holidays(world):
    world.service.clock.instant = datetime(2020, 12, 24, 16, 0, tzinfo=UTC)
    await world.service.deliver(called(new_id(), said(a_need())))
    [event] = await world.service.emitted(EscalationOpened)
    assert event.data.acknowledge_by == datetime(2020, 12, 29, 16, 0, tzinfo=UTC)


async def test_acceptance_says_by_when_the_council_is_done(world):
    escalation_id = await given_concern(world)
    await sent(world, call_back(escalation_id, "accepted"))
    [event] = await world.service.emitted(EscalationAccepted)
    assert event.data.close_by == datetime(2020, 4, 22, 8, 0, tzinfo=UTC), "20 working days, Easter left out"


async def test_same_event_id_of_two_cases_is_two_call_backs(world):
    for case_id in ("case-1", "case-2"):
        escalation_id = await given_concern(world)
        body = call_back(escalation_id, "acknowledged") | {"event_id": "1", "case_id": case_id}
        answer = await sent(world, body)
        assert (answer.status_code, answer.json()["repeated"]) == (200, False)
    assert len(await world.service.emitted(EscalationAcknowledged)) == 2


async def test_same_event_id_with_other_content_is_a_conflict(world):
    first = call_back(await given_concern(world), "acknowledged") | {"event_id": "1"}
    assert (await sent(world, first)).status_code == 200
    for change in (
        {"event": "accepted"},
        {"reference": "CS-2"},
        {"event": "closed", "outcome": "helped"},
        {"escalation_id": str(await given_concern(world))},
    ):
        answer = await sent(world, first | change)
        assert answer.status_code == 409, change
        assert "event_id" in answer.json()["detail"]
    assert (await sent(world, first | {"sent_again_at": "now"})).json()["repeated"] is True
    assert (await sent(world, first | {"event_id": "2", "event": "accepted"})).json()["state"] == "accepted"


async def test_conflict_leaves_the_escalation_as_it_was(world):
    escalation_id = await given_concern(world)
    body = call_back(escalation_id, "acknowledged")
    await sent(world, body)
    await sent(world, body | {"event": "accepted"})
    now = (await world.service.http.get(f"/v1/escalations/{escalation_id}")).json()
    assert now["state"] == "acknowledged"
    assert await world.service.emitted(EscalationAccepted) == []


async def test_numbers_are_read_as_ids(world):
    escalation_id = await given_concern(world)
    body = call_back(escalation_id, "acknowledged") | {"case_id": 4711, "reference": 12, "event_id": 1}
    assert (await sent(world, body)).status_code == 200
    assert (await sent(world, body | {"case_id": "4711"})).json()["repeated"] is True
    now = (await world.service.http.get(f"/v1/escalations/{escalation_id}")).json()
    assert (now["case_id"], now["reference"]) == ("4711", "12")
    for odd in (True, 1.5, [1], {"id": 1}, "", None):
        assert (await sent(world, body | {"case_id": odd, "event_id": "3"})).status_code == 422, odd


async def test_byte_order_mark_before_a_call_back_is_ignored(world):

    body = json.dumps(call_back(await given_concern(world), "acknowledged")).encode()
    assert (await sent(world, b"\xef\xbb\xbf" + body)).status_code == 200


async def test_repeated_key_of_a_call_back_is_refused_in_words(world):

    text = json.dumps(call_back(await given_concern(world), "acknowledged"))
    answer = await sent(world, text.replace('"event":', '"event": "declined", "event":').encode())
    assert answer.status_code == 422
    assert "event" in str(answer.json()["errors"])
    assert "twice" in str(answer.json()["errors"])


async def test_summary_of_a_hub_counts_its_own_escalations(world):
    await world.service.deliver(
        assigned(new_id(), a_need(), hub_id="thames"), assigned(new_id(), a_need(), hub_id="heath")
    )
    hub = world.service.client(["escalations:read"], ["thames"])
    assert (await hub.get("/v1/summary")).json()["escalations"] == 1
    assert (await world.service.http.get("/v1/summary")).json()["escalations"] == 2
