"""Escalation forwards a need to Community Solutions, which answers."""

from __future__ import annotations

from uuid import UUID

from escalation_story import concern

from bdcan_chassis.ids import derived_id, new_id
from bdcan_contracts.models import (
    EscalationAccepted,
    EscalationAcknowledged,
    EscalationClosed,
    EscalationForwarded,
    EscalationOpened,
)
from bdcan_contracts.vocabulary import NeedCode


async def test_concern_reaches_the_council_and_its_answers_become_events(world, eventually):
    need_id, referral_id = UUID(int=5), new_id()  # the stand-in draws the outcome from it: helped
    raised = concern(referral_id, need_id, NeedCode.DOMESTIC_ABUSE)
    escalation_id = derived_id(need_id, "escalation")

    await world.service.deliver(raised)
    assert await world.service.run("forward-safeguarding") == 1

    async def closed() -> bool:
        answer = await world.service.http.get(f"/v1/escalations/{escalation_id}")
        return answer.json()["state"] == "closed"

    await eventually(closed)
    told = [type(e.data) for e in await world.service.emitted()]
    assert told == [
        EscalationOpened,
        EscalationForwarded,
        EscalationAcknowledged,
        EscalationAccepted,
        EscalationClosed,
    ]
    (case,) = await world.cases()
    assert case["escalation_id"] == str(escalation_id)
    assert case["person_fields"] == ["name", "phone"]
    assert world.intake.asked == [
        {"referral_id": str(referral_id), "purpose": "escalation", "reason": "escalation: safeguarding"}
    ]
    assert await world.service.deadlines() == {}
    assert (await world.service.http.get("/v1/summary")).json()["by_state"] == {"closed": 1}
