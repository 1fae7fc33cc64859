"""What routing does when something happened to a referral. A batch costs a handful of statements."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

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
from bdcan_routing.books import Assignments
from bdcan_routing.domain.assignment import Assignment, State, TriageTimes, amend, end, link, receive, reopen
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
    """Other referrals may be about the same person or household."""
    await Assignments(tx).handle(batch, lambda state, event, _now: link(state, event.data))


async def on_reopened(settings: Settings, batch: Batch[ReferralReopened], tx: Tx) -> None:
    """Somebody found a need after the end: the referral returns to where it was."""
    times = settings.triage_times
    await Assignments(tx).handle(batch, lambda state, event, now: reopen(state, event.data, times, now))


async def _place(settings: Settings, batch: Batch[T], tx: Tx, place: Place[T]) -> None:
    assignments = Assignments(tx)
    known = await assignments.lock_keys(event.data.referral_id for event in batch)
    homes = [read_postcode(event.data.postcode) for event in batch]
    amended_first = [one.facts.home for one in known if one.state is State.AWAITED and one.facts]
    placer = await placer_for(settings, tx, [*homes, *amended_first])
    async for event in in_turns(batch):
        before = assignments.get(event.data.referral_id)
        assignments.put(place(before, event.data, placer, settings.triage_times, tx.now), event)
    await assignments.save()
