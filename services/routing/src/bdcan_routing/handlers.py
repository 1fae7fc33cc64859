"""Consumed events → assignments and what is published about them. Set-based: a batch costs a handful of statements."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from bdcan_chassis.subscription import Batch
from bdcan_chassis.transaction import Tx
from bdcan_contracts.envelope import Event
from bdcan_contracts.models import ReferralAmended, ReferralClosed, ReferralReceived, ReferralWithdrawn
from bdcan_routing.domain import assignment
from bdcan_routing.domain.assignment import Assignment, Published, State
from bdcan_routing.domain.gazetteer import lookup_keys
from bdcan_routing.domain.hubs import Hubs
from bdcan_routing.domain.placement import Placer
from bdcan_routing.seed import seed
from bdcan_routing.settings import Settings
from bdcan_routing.store import assignments, gazetteer, hubs

TRIAGE_DUE = "triage-due"
"""The deadline of a held referral: a person must have placed it."""


class Handlers:
    """The handlers of both lanes; what they publish goes out in the lane of the referral."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def on_received(self, batch: Batch[ReferralReceived], tx: Tx) -> None:
        """Place each referral, or hold it for a person."""
        known = await assignments.lock(tx.connection, (e.data.referral_id for e in batch))
        placer = await placer_for(tx, [*_postcodes(batch), *_waiting(known)], self._settings)
        changed: dict[UUID, Assignment] = {}
        for event in batch:
            referral_id = event.data.referral_id
            before = known.get(referral_id)
            after, events = assignment.received(
                before, event.data, placer, self._settings.triage_times, tx.now
            )
            known[referral_id] = changed[referral_id] = after
            publish(tx, before, after, events, cause=event)
        await assignments.save(tx.connection, changed.values(), tx.now)

    async def on_amended(self, batch: Batch[ReferralAmended], tx: Tx) -> None:
        """Take over what changed; place again what moved home."""
        known = await assignments.lock(tx.connection, (e.data.referral_id for e in batch))
        placer = await placer_for(tx, _postcodes(batch), self._settings)
        changed: dict[UUID, Assignment] = {}
        for event in batch:
            referral_id = event.data.referral_id
            before = known.get(referral_id)
            after, events = assignment.amended(
                before, event.data, placer, self._settings.triage_times, tx.now
            )
            known[referral_id] = changed[referral_id] = after
            publish(tx, before, after, events, cause=event)
        await assignments.save(tx.connection, changed.values(), tx.now)

    async def on_withdrawn(self, batch: Batch[ReferralWithdrawn], tx: Tx) -> None:
        """Nothing is left to place."""
        await _end(tx, [event.data.referral_id for event in batch])

    async def on_closed(self, batch: Batch[ReferralClosed], tx: Tx) -> None:
        """Nothing is left to place."""
        await _end(tx, [event.data.referral_id for event in batch])


async def _end(tx: Tx, ids: list[UUID]) -> None:
    known = await assignments.lock(tx.connection, ids)
    ended = {i: assignment.ended(known.get(i), i) for i in ids}
    for referral_id, after in ended.items():
        publish(tx, known.get(referral_id), after, [])
    await assignments.save(tx.connection, ended.values(), tx.now)


async def placer_for(tx: Tx, texts: Iterable[str | None], settings: Settings) -> Placer:
    """Everything that is needed to place homes with these postcodes: a few statements for any number of them."""
    units, prefixes = lookup_keys(texts)
    rows = await hubs.all_hubs(tx.connection)
    lookup = await gazetteer.ask(tx.connection, units, prefixes)
    if lookup is None or not rows:
        await seed(tx, settings)
        rows = await hubs.all_hubs(tx.connection)
        lookup = await gazetteer.ask(tx.connection, units, prefixes)
        assert lookup is not None  # noqa: S101 # seeding made it, under a lock
    return Placer(lookup, Hubs.of(row.hub for row in rows), settings.thresholds)


def publish(
    tx: Tx,
    before: Assignment | None,
    after: Assignment,
    events: Iterable[Published],
    cause: Event[ReferralReceived] | Event[ReferralAmended] | None = None,
) -> None:
    """Emit in the referral's lane, and keep its deadline in step with its state."""
    for event in events:
        tx.emit(event, cause=cause, lane="bulk" if after.outreach else None)
    if after.state is State.HELD and after.triage_due_at is not None:
        tx.set_deadline(TRIAGE_DUE, after.referral_id, after.triage_due_at)
    elif before is not None and before.state is State.HELD:
        tx.cancel_deadline(TRIAGE_DUE, after.referral_id)


def _postcodes(batch: Batch[ReferralReceived] | Batch[ReferralAmended]) -> list[str | None]:
    return [event.data.postcode for event in batch]


def _waiting(known: dict[UUID, Assignment]) -> list[str | None]:
    return [a.facts.postcode for a in known.values() if a.state is State.AWAITED and a.facts]
