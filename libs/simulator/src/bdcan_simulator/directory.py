"""Which resident a referral is about: the one thing that the people whom the simulator plays know by themselves."""

from __future__ import annotations

from dataclasses import dataclass, field

from bdcan_simulator.client import Client
from bdcan_simulator.identity import person
from bdcan_simulator.ledger import Ledger, Submission

READER = person("front-desk", "referrals:read hubs:all")


@dataclass
class Directory:
    """Finds the submission behind a referral, in the books or by asking intake."""

    client: Client
    ledger: Ledger
    _strangers: set[str] = field(default_factory=set)

    async def submission_of(self, referral_id: str) -> Submission | None:
        """The submission, or None where the referral is of no resident of this run: it is left to others."""
        known = self.ledger.by_referral.get(referral_id)
        if known or referral_id in self._strangers:
            return known
        answer = await self.client.get(READER, "intake", f"/v1/referrals/{referral_id}")
        if not answer.ok:
            return None
        told = answer.json()
        found = self.ledger.learn(told.get("source", ""), told.get("reference"), referral_id)
        if found is None:
            self._strangers.add(referral_id)
        return found
