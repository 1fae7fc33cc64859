"""The foodhub's handlers under the chassis's conformance suite."""

from __future__ import annotations

from typing import Any

import pytest

from bdcan_chassis.ids import derived_id, new_id
from bdcan_chassis.testing.conformance import Conformance
from bdcan_chassis.testing.harness import FakeRecord, Harness
from bdcan_contracts.models import (
    TaskAccepted,
    TaskFailed,
)


class TestConformance(Conformance):
    """A parcel that is asked for, whose hub changes, whose home is elsewhere, whose delivery comes to nothing, and that nobody wants any more."""

    @pytest.fixture
    def given(self, foodhub: Harness, tell: Any) -> Harness:
        self.tell = tell
        return foodhub

    async def settled(self, given: Harness, lives: Any) -> Any:
        """Which parcels somebody still has to see to: a withdrawal that is heard first asks for none."""
        return await given.fetch(
            "SELECT parcel_id, state FROM parcel WHERE state NOT IN ('delivered', 'cancelled') ORDER BY 1"
        )

    def life(self, given: Harness) -> list[FakeRecord]:
        referral_id, task_id = new_id(), new_id()
        call, need_id = self.tell.call_completed(referral_id=referral_id)
        parcel_id = derived_id(need_id, "parcel")
        events = (
            call,
            self.tell.reassigned(referral_id, "thames"),
            self.tell.delivery_task(TaskAccepted, parcel_id, task_id),
            self.tell.delivery_task(TaskFailed, parcel_id, task_id),
            self.tell.out_of_area(referral_id, 3),
            self.tell.amended(referral_id, need_id),
            self.tell.withdrawn(referral_id),
        )
        return [given.record(event) for event in events]
