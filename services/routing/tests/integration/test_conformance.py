"""Routing's handlers under the chassis's conformance suite."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bdcan_chassis.testing.conformance import Conformance
from bdcan_chassis.testing.harness import START, FakeRecord, Harness
from bdcan_contracts.models import ReferralClosed, ReferralReopened, ReferralWithdrawn
from bdcan_contracts.vocabulary import ReferralOutcome


class TestConformance(Conformance):
    """A referral that is placed, moves house, is withdrawn, opened again and closed."""

    @pytest.fixture
    def given(self, bare: Harness, referral: Callable[..., Any], amendment: Callable[..., Any]) -> Harness:
        self.referral, self.amendment = referral, amendment
        return bare

    async def prepare(self, given: Harness) -> None:
        await given.run("seed")

    def life(self, given: Harness) -> list[FakeRecord]:
        received = self.referral("IG11 7NB")
        withdrawn = ReferralWithdrawn(
            referral_id=received.referral_id, reason="changed-mind", withdrawn_at=START
        )
        moved = self.amendment(received, postcode="RM10 7XX")
        again = ReferralReopened(
            referral_id=received.referral_id,
            priority=received.priority,
            needs=received.needs,
            reopened_at=START,
        )
        closed = ReferralClosed(
            referral_id=received.referral_id, outcome=ReferralOutcome.HELPED, needs=(), closed_at=START
        )
        return [given.record(event) for event in (received, moved, withdrawn, again, closed)]
