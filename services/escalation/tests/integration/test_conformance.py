"""The handlers of escalation under the chassis's conformance suite."""

from __future__ import annotations

from typing import Any

import pytest
from escalation_story import a_need, amended, assigned, called, concern, exhausted, said, withdrawn

from bdcan_chassis.ids import new_id
from bdcan_chassis.testing.conformance import Conformance
from bdcan_chassis.testing.harness import FakeRecord, Harness
from bdcan_contracts.vocabulary import NeedCode


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
        referral_id, danger, housing = new_id(), a_need(NeedCode.SAFEGUARDING_ADULT), a_need()
        events = (
            concern(referral_id, danger.need_id),
            assigned(referral_id, danger, housing),
            exhausted(referral_id, housing),
            amended(referral_id, housing.need_id),
            called(referral_id, said(housing)),
            withdrawn(referral_id),
        )
        return [given.record(event) for event in events]
