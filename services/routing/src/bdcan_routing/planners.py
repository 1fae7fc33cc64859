"""Passes over many referrals at once: seeding at start, and placing held ones when hubs or postcodes have changed."""

from __future__ import annotations

from datetime import timedelta

from bdcan_chassis.passes import Planner
from bdcan_chassis.transaction import Tx
from bdcan_routing.domain import assignment
from bdcan_routing.placing import placer_for, publish
from bdcan_routing.seed import seed
from bdcan_routing.settings import Settings
from bdcan_routing.store import assignments

_PORTION = 500


def planners(settings: Settings) -> tuple[Planner, ...]:
    """The passes of the worker."""

    async def seed_once(tx: Tx) -> int:
        return await seed(tx, settings)

    async def place_held(tx: Tx) -> int:
        """Referrals held for want of a hub or of a known postcode; those that still cannot be placed stay held."""
        placed, after = 0, None
        while held := await assignments.lock_retriable(tx, after, _PORTION):
            placer = await placer_for(tx, [a.facts.home for a in held if a.facts], settings)
            changed = []
            for before in held:
                now_placed, events = assignment.tried_again(before, placer, settings.triage_times, tx.now)
                if events:
                    publish(tx, before, now_placed, events)
                    changed.append(now_placed)
            await assignments.save(tx.connection, changed, tx.now)
            placed += len(changed)
            after = held[-1].referral_id
        return placed

    # both are woken when there is something to do; the interval is only for a wake that was lost
    return (
        Planner("seed", seed_once, timedelta(hours=1)),
        Planner("place-held", place_held, timedelta(minutes=5)),
    )
