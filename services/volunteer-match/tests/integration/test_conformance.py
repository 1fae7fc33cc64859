"""The handlers of volunteer-match under the chassis's conformance suite."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from volunteer_match_story import (
    amended,
    assigned,
    declined,
    enquiry,
    linked,
    need,
    packed,
    parcel_cancelled,
    reassigned,
    withdrawn,
)

from bdcan_chassis.testing.conformance import Conformance
from bdcan_chassis.testing.harness import FakeRecord, Harness


class TestConformance(Conformance):
    """A referral with a call to make, a parcel to bring and an escalation that comes back, until it is withdrawn."""

    async def settled(self, given: Harness, lives: Any) -> Any:
        """Which calls and tasks somebody still has to do: how often a volunteer was troubled is a matter of timing."""
        return await given.fetch(
            """
            SELECT referral_id, state FROM welfare_call
            UNION ALL SELECT task_id, state FROM task WHERE state IN ('open', 'offered', 'accepted') ORDER BY 1
            """
        )

    def life(self, given: Harness) -> list[FakeRecord]:
        first = assigned()
        referral_id, parcel = first.referral_id, packed(first.referral_id)
        events = (
            first,
            amended(referral_id, (*first.needs, need())),
            reassigned(first, "heath"),
            linked(referral_id, uuid4())[0],
            parcel,
            enquiry(),
            declined(referral_id),
            parcel_cancelled(parcel),
            amended(referral_id, (), 3, tuple(n.need_id for n in first.needs)),
            withdrawn(referral_id),
        )
        return [given.record(event) for event in events]
