"""The conformance suite on the toy service: it must pass here before it can judge a service."""

from __future__ import annotations

from uuid import uuid4

from ledger import Added, Struck

from bdcan_chassis.testing.conformance import Conformance
from bdcan_chassis.testing.harness import FakeRecord, Harness


class TestConformance(Conformance):
    def life(self, given: Harness) -> list[FakeRecord]:
        account = uuid4()
        numbers = [Added(account_id=account, number=n) for n in (1, 2)]
        return [given.record(n) for n in (*numbers, Struck(account_id=account, number=3))]
