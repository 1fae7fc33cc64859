"""Events of other services, shared by all tests of escalation."""

from __future__ import annotations

import json
import time
from datetime import datetime
from typing import Any
from uuid import UUID

from bdcan_chassis.ids import derived_id, new_id
from bdcan_chassis.testing.harness import START
from bdcan_contracts.models import (
    AssignmentMethod,
    CalledNeed,
    CallNeedResult,
    Need,
    Priority,
    ReferralAmended,
    ReferralAssigned,
    ReferralWithdrawn,
    SafeguardingConcernRaised,
    WelfareCallCompleted,
    WelfareCallExhausted,
)
from bdcan_contracts.vocabulary import NEEDS, NeedCode
from bdcan_simulator.council import sign

SECRET = "call-back-secret"
"""What a harness's escalation believes call-backs by."""


def assigned(
    referral_id: UUID,
    *needs: Need,
    priority: Priority = Priority.URGENT,
    hub_id: str = "thames",
    version: int = 1,
) -> ReferralAssigned:
    return ReferralAssigned(
        referral_id=referral_id,
        version=version,
        hub_id=hub_id,
        method=AssignmentMethod.EXACT,
        confidence=1,
        confirm_at_call=False,
        explanation="",
        outreach=False,
        priority=priority,
        needs=needs,
        contact_due_at=START,
        assigned_at=START,
    )


def called(referral_id: UUID, *needs: CalledNeed) -> WelfareCallCompleted:
    return WelfareCallCompleted(
        referral_id=referral_id,
        call_id=new_id(),
        hub_id="thames",
        attempt=1,
        needs=needs,
        priority=Priority.STANDARD,
        completed_at=START,
    )


def exhausted(referral_id: UUID, *needs: Need) -> WelfareCallExhausted:
    return WelfareCallExhausted(
        referral_id=referral_id,
        call_id=new_id(),
        hub_id="thames",
        attempts=4,
        needs=needs,
        exhausted_at=START,
    )


def concern(
    referral_id: UUID,
    need_id: UUID,
    code: NeedCode = NeedCode.SAFEGUARDING_ADULT,
    respond_by: datetime = START,
) -> SafeguardingConcernRaised:
    return SafeguardingConcernRaised(
        referral_id=referral_id,
        need_id=need_id,
        code=code,
        lane=NEEDS[code].lane,
        raised_at=START,
        respond_by=respond_by,
    )


def withdrawn(referral_id: UUID) -> ReferralWithdrawn:
    return ReferralWithdrawn(referral_id=referral_id, reason="changed-mind", withdrawn_at=START)


def amended(referral_id: UUID, *withdrawn_need_ids: UUID) -> ReferralAmended:
    return ReferralAmended(
        referral_id=referral_id,
        version=2,
        priority=Priority.STANDARD,
        needs=(),
        withdrawn_need_ids=withdrawn_need_ids,
        amended_at=START,
    )


def a_need(code: NeedCode = NeedCode.HOUSING) -> Need:
    return Need(need_id=new_id(), code=code, lane=NEEDS[code].lane)


def said(need: Need, result: CallNeedResult = CallNeedResult.CONFIRMED) -> CalledNeed:
    return CalledNeed(need_id=need.need_id, code=need.code, lane=need.lane, result=result)


async def given_concern(world: Any, respond_by: datetime = START) -> UUID:
    """An escalation that intake's concern for a child opened."""
    need_id = new_id()
    await world.service.deliver(concern(new_id(), need_id, NeedCode.SAFEGUARDING_CHILD, respond_by))
    return derived_id(need_id, "escalation")


def call_back(escalation_id: UUID, event: str, **more: Any) -> dict[str, Any]:
    return {
        "event_id": str(new_id()),
        "escalation_id": str(escalation_id),
        "case_id": "case-1",
        "reference": "CS-1",
        "event": event,
        **more,
    }


async def sent(
    world: Any, body: dict[str, Any] | bytes, *, at: float | None = None, secret: str = SECRET
) -> Any:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"X-Signature": sign(secret, raw, at or time.time()), "X-API-Key": ""}
    return await world.service.http.post("/v1/call-backs", content=raw, headers=headers)
