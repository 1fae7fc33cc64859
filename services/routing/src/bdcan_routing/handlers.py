"""Consumed events → assignments and what is published about them. Set-based: a batch costs a handful of statements."""

from __future__ import annotations

from uuid import UUID

from bdcan_chassis.fairness import in_turns
from bdcan_chassis.subscription import Batch
from bdcan_chassis.transaction import Tx
from bdcan_contracts.models import (
    ReferralAmended,
    ReferralClosed,
    ReferralReceived,
    ReferralReopened,
    ReferralWithdrawn,
)
from bdcan_contracts.typed import GivenPostcode, read_postcode
from bdcan_routing.domain import assignment
from bdcan_routing.domain.assignment import Assignment, State
from bdcan_routing.placing import placer_for, publish
from bdcan_routing.settings import Settings
from bdcan_routing.store import assignments


class Handlers:
    """The handlers of both lanes; what they publish goes out in the lane of the referral."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def on_received(self, batch: Batch[ReferralReceived], tx: Tx) -> None:
        """Place each referral, or hold it for a person."""
        known = await assignments.lock(tx, (e.data.referral_id for e in batch))
        placer = await placer_for(tx, [*_postcodes(batch), *_waiting(known)], self._settings)
        changed: dict[UUID, Assignment] = {}
        async for event in in_turns(batch):
            referral_id = event.data.referral_id
            before = changed.get(referral_id) or known.get(referral_id)
            after, events = assignment.received(
                before, event.data, placer, self._settings.triage_times, tx.now
            )
            changed[referral_id] = after
            publish(tx, before, after, events, cause=event)
        await _save(tx, known, changed)

    async def on_amended(self, batch: Batch[ReferralAmended], tx: Tx) -> None:
        """Take over what changed; place again what moved home."""
        known = await assignments.lock(tx, (e.data.referral_id for e in batch))
        placer = await placer_for(tx, _postcodes(batch), self._settings)
        changed: dict[UUID, Assignment] = {}
        for event in batch:
            referral_id = event.data.referral_id
            before = changed.get(referral_id) or known.get(referral_id)
            after, events = assignment.amended(
                before, event.data, placer, self._settings.triage_times, tx.now
            )
            changed[referral_id] = after
            publish(tx, before, after, events, cause=event)
        await _save(tx, known, changed)

    async def on_withdrawn(self, batch: Batch[ReferralWithdrawn], tx: Tx) -> None:
        """Nothing is left to place."""
        await _end(tx, [event.data.referral_id for event in batch])

    async def on_closed(self, batch: Batch[ReferralClosed], tx: Tx) -> None:
        """Nothing is left to place."""
        await _end(tx, [event.data.referral_id for event in batch])

    async def on_reopened(self, batch: Batch[ReferralReopened], tx: Tx) -> None:
        """A need turned up after the end: whoever had it has it again."""
        known = await assignments.lock(tx, (e.data.referral_id for e in batch))
        changed: dict[UUID, Assignment] = {}
        for event in batch:
            referral_id = event.data.referral_id
            before = changed.get(referral_id) or known.get(referral_id)
            if before is None:
                continue
            after, events = assignment.reopened(before, event.data, self._settings.triage_times, tx.now)
            changed[referral_id] = after
            publish(tx, before, after, events, cause=event)
        await _save(tx, known, changed)


async def _end(tx: Tx, ids: list[UUID]) -> None:
    known = await assignments.lock(tx, ids)
    ended = {i: assignment.ended(known.get(i), i) for i in ids}
    for referral_id, after in ended.items():
        publish(tx, known.get(referral_id), after, [])
    await _save(tx, known, ended)


async def _save(tx: Tx, known: dict[UUID, Assignment], changed: dict[UUID, Assignment]) -> None:
    new = [a for i, a in changed.items() if i not in known]
    await assignments.save(tx.connection, [a for i, a in changed.items() if i in known], tx.now, new)


def _postcodes(batch: Batch[ReferralReceived] | Batch[ReferralAmended]) -> list[GivenPostcode]:
    return [read_postcode(event.data.postcode) for event in batch]


def _waiting(known: dict[UUID, Assignment]) -> list[GivenPostcode]:
    return [a.facts.home for a in known.values() if a.state is State.AWAITED and a.facts]
