"""What routing does when something happened to a referral. A batch costs a handful of statements."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from bdcan_chassis.fairness import in_turns
from bdcan_chassis.step import Step
from bdcan_chassis.subscription import Batch
from bdcan_chassis.transaction import Tx
from bdcan_contracts.models import (
    ReferralAmended,
    ReferralClosed,
    ReferralLinked,
    ReferralReceived,
    ReferralReopened,
    ReferralWithdrawn,
)
from bdcan_contracts.typed import read_postcode
from bdcan_routing import store
from bdcan_routing.books import Assignments
from bdcan_routing.domain.assignment import Assignment, State, TriageTimes, amend, end, link, receive, reopen
from bdcan_routing.domain.household import gather
from bdcan_routing.domain.hubs import Coverage
from bdcan_routing.domain.placement import Placer
from bdcan_routing.placing import placer_for
from bdcan_routing.settings import Settings

T = TypeVar("T", ReferralReceived, ReferralAmended)

Place = Callable[[Assignment | None, T, Placer, TriageTimes, datetime], Step[Assignment]]


async def on_received(settings: Settings, batch: Batch[ReferralReceived], tx: Tx) -> None:
    """Place each referral, or hold it for a person."""
    await _place(settings, batch, tx, receive)


async def on_amended(settings: Settings, batch: Batch[ReferralAmended], tx: Tx) -> None:
    """Take over what changed, and place residents who moved home."""
    await _place(settings, batch, tx, amend)


async def on_withdrawn(batch: Batch[ReferralWithdrawn], tx: Tx) -> None:
    """Nothing is left to place."""
    await Assignments(tx).handle(
        batch, lambda state, event, _now: end(state, event.data.referral_id, withdrawn=True)
    )


async def on_closed(batch: Batch[ReferralClosed], tx: Tx) -> None:
    """Nothing is left to place."""
    await Assignments(tx).handle(batch, lambda state, event, _now: end(state, event.data.referral_id))


async def on_linked(batch: Batch[ReferralLinked], tx: Tx) -> None:
    """Other referrals may be about the same person or household. One household stays with one hub."""
    assignments = Assignments(tx)
    ids = [event.data.referral_id for event in batch]
    linked = [other for event in batch for other in event.data.same_household_ids]
    await _lock_with_household(assignments, [*ids, *linked])
    for event in batch:
        assignments.put(link(assignments.get(event.data.referral_id), event.data), event)
    await _gather(assignments, [event.data.referral_id for event in batch])
    await assignments.save()


async def on_reopened(settings: Settings, batch: Batch[ReferralReopened], tx: Tx) -> None:
    """Somebody found a need after the end: the referral returns to where it was."""
    times = settings.triage_times
    await Assignments(tx).handle(batch, lambda state, event, now: reopen(state, event.data, times, now))


async def _place(settings: Settings, batch: Batch[T], tx: Tx, place: Place[T]) -> None:
    assignments = Assignments(tx)
    known = await _lock_with_household(assignments, [event.data.referral_id for event in batch])
    homes = [read_postcode(event.data.postcode) for event in batch]
    amended_first = [one.facts.home for one in known if one.state is State.AWAITED and one.facts]
    placer = await placer_for(settings, tx, [*homes, *amended_first])
    async for event in in_turns(batch):
        before = assignments.get(event.data.referral_id)
        after = assignments.put(place(before, event.data, placer, settings.triage_times, tx.now), event)
        got_hub = after.state is State.ASSIGNED and (before is None or before.hub_id != after.hub_id)
        if got_hub and after.hub_id:
            placer = placer.after(after.hub_id, after.wanted)
    await _gather(assignments, [event.data.referral_id for event in batch])
    await assignments.save()


async def _lock_with_household(assignments: Assignments, referral_ids: Collection[UUID]) -> list[Assignment]:
    """Lock them and the referrals of their households, in the order of their ids."""
    found = await store.assignments.HOUSEHOLDS.records(
        assignments.tx.connection, referral_ids=sorted(set(referral_ids))
    )
    return await assignments.lock_keys([*referral_ids, *(row["referral_id"] for row in found)])


async def _gather(assignments: Assignments, referral_ids: Iterable[UUID]) -> None:
    """Bring the households of these referrals together."""
    linked = [one for one in map(assignments.get, referral_ids) if one and one.same_household_ids]
    if not linked:
        return
    coverage = Coverage.of(await store.hubs.FIND.all(assignments.tx.connection))
    for referral_id in {one.referral_id: None for one in linked}:
        one = assignments[referral_id]
        household = (assignments.get(other) for other in (referral_id, *one.same_household_ids))
        for step in gather([found for found in household if found], coverage, assignments.tx.now):
            assignments.put(step)
