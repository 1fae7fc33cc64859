"""The handlers of escalation under the chassis's conformance suite."""

from __future__ import annotations

from typing import Any

import pytest

from bdcan_chassis.ids import new_id
from bdcan_chassis.testing.conformance import Conformance
from bdcan_chassis.testing.harness import START, FakeRecord, Harness
from bdcan_contracts.models import (
    AssignmentMethod,
    CalledNeed,
    CallNeedResult,
    Need,
    NeedCode,
    Priority,
    ReferralAssigned,
    ReferralWithdrawn,
    SafeguardingConcernRaised,
    WelfareCallCompleted,
    WelfareCallExhausted,
)


class TestConformance(Conformance):
    """A resident with a safeguarding concern and a complex need, who is rung, and who withdraws in the end."""

    @pytest.fixture
    def given(self, world: Any) -> Harness:
        return world.service

    async def settled(self, given: Harness, lives: Any) -> Any:
        """What the council is still to see to: a withdrawal that is heard first hands nothing complex over."""
        return await given.fetch(
            "SELECT escalation_id, kind, state FROM escalation WHERE state NOT IN ('declined', 'closed') ORDER BY 1"
        )

    def life(self, given: Harness) -> list[FakeRecord]:
        referral_id = new_id()
        danger = Need(need_id=new_id(), code=NeedCode.SAFEGUARDING_ADULT)
        housing = Need(need_id=new_id(), code=NeedCode.HOUSING)
        events = (
            SafeguardingConcernRaised(
                referral_id=referral_id,
                need_id=danger.need_id,
                code=danger.code,
                raised_at=START,
                respond_by=START,
            ),
            ReferralAssigned(
                referral_id=referral_id,
                version=1,
                hub_id="thames",
                method=AssignmentMethod.EXACT,
                confidence=1,
                confirm_at_call=False,
                explanation="",
                outreach=False,
                priority=Priority.URGENT,
                needs=(danger, housing),
                contact_due_at=START,
                assigned_at=START,
            ),
            WelfareCallExhausted(
                referral_id=referral_id,
                call_id=new_id(),
                hub_id="thames",
                attempts=4,
                needs=(housing,),
                exhausted_at=START,
            ),
            WelfareCallCompleted(
                referral_id=referral_id,
                call_id=new_id(),
                hub_id="thames",
                attempt=1,
                needs=(
                    CalledNeed(need_id=housing.need_id, code=housing.code, result=CallNeedResult.CONFIRMED),
                ),
                priority=Priority.URGENT,
                completed_at=START,
            ),
            ReferralWithdrawn(referral_id=referral_id, reason="changed-mind", withdrawn_at=START),
        )
        return [given.record(event) for event in events]
