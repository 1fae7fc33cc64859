"""Call-backs and routes: what they do, and what they refuse."""

from __future__ import annotations

import time

from escalation_story import call_back, concern, given_concern, sent

from bdcan_chassis.ids import derived_id, new_id
from bdcan_chassis.testing.harness import START
from bdcan_contracts.models import (
    EscalationAcknowledged,
    EscalationDeclined,
    EscalationForwarded,
)


async def test_repeated_call_back_counts_once(world):
    body = call_back(await given_concern(world), "acknowledged")
    first, again = await sent(world, body), await sent(world, body)
    assert (first.status_code, first.json()["state"], first.json()["repeated"]) == (
        200,
        "acknowledged",
        False,
    )
    assert (again.status_code, again.json()["repeated"]) == (200, True)
    assert len(await world.service.emitted(EscalationAcknowledged)) == 1


async def test_decline_before_the_send_is_answered_is_told_in_order(
    world,
):
    escalation_id = await given_concern(world)
    answer = await sent(world, call_back(escalation_id, "declined", reason="not-eligible"))
    assert answer.json()["state"] == "declined"
    kinds = [type(e.data) for e in await world.service.emitted(EscalationForwarded, EscalationDeclined)]
    assert kinds == [EscalationForwarded, EscalationDeclined]
    assert await world.service.deadlines() == {}
    assert await world.service.run("forward-safeguarding") == 0


async def test_call_back_without_the_right_signature_changes_nothing(world):
    body = call_back(await given_concern(world), "accepted")
    answers = [
        await sent(world, body, secret="guessed"),
        await sent(world, body, at=time.time() - 301),
        await sent(world, body, at=time.time() + 360),
        await world.service.http.post("/v1/call-backs", json=body),
    ]
    assert {a.status_code for a in answers} == {401}
    assert {a.headers["content-type"] for a in answers} == {"application/problem+json"}
    assert (await world.service.http.get("/v1/summary")).json()["by_state"] == {"opened": 1}


async def test_faulty_call_back_names_every_field(world):
    answer = await sent(world, {"event_id": "", "escalation_id": "x", "event": "lost", "case_id": "c"})
    assert answer.status_code == 422
    assert {e["field"] for e in answer.json()["errors"]} == {
        "event_id",
        "escalation_id",
        "event",
        "reference",
    }
    no_reason = await sent(world, call_back(new_id(), "declined"))
    no_outcome = await sent(world, call_back(new_id(), "closed"))
    not_json = await sent(world, b"{")
    assert [a.status_code for a in (no_reason, no_outcome, not_json)] == [422, 422, 422]


async def test_call_back_for_an_unknown_escalation_may_be_retried(
    world,
):
    need_id = new_id()
    body = call_back(derived_id(need_id, "escalation"), "acknowledged")
    assert (await sent(world, body)).status_code == 404
    await world.service.deliver(concern(new_id(), need_id))
    assert (await sent(world, body)).json()["repeated"] is False


async def test_contradicting_call_back_is_a_conflict(world):
    escalation_id = await given_concern(world)
    await sent(world, call_back(escalation_id, "declined", reason="not-eligible"))
    contradiction = call_back(escalation_id, "accepted")
    answer = await sent(world, contradiction)
    assert (answer.status_code, answer.json()["detail"]) == (409, "The escalation is declined.")
    other_case = call_back(escalation_id, "acknowledged") | {"case_id": "case-2"}
    assert (await sent(world, other_case)).status_code == 409


async def test_escalations_are_paged_in_order_of_opening(world):
    wanted = []
    for _ in range(3):
        wanted.append(str(await given_concern(world)))
        world.service.clock.advance(START - START.replace(hour=8))
    first = (await world.service.http.get("/v1/escalations", params={"limit": 2, "state": "opened"})).json()
    second = (
        await world.service.http.get("/v1/escalations", params={"limit": 2, "after": first["next"]})
    ).json()
    assert [e["escalation_id"] for e in first["items"] + second["items"]] == wanted
    assert second.get("next") is None


async def test_wrong_keys_and_ids_are_named(world):
    http = world.service.http
    stranger = world.service.client(["parcels:read"], [])
    assert (await http.get("/v1/escalations", headers={"X-API-Key": "wrong"})).status_code == 401
    assert (await stranger.get("/v1/escalations")).status_code == 403
    assert (await stranger.get("/v1/summary")).status_code == 403
    assert (await http.get(f"/v1/escalations/{new_id()}")).status_code == 404
    assert (await http.get("/v1/escalations", params={"state": "lost", "limit": 0})).status_code == 422
