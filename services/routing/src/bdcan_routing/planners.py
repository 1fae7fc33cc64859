"""Passes over many things at once: seeding at start, and held referrals when hubs or postcodes have changed."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from bdcan_chassis.passes import Planner
from bdcan_chassis.transaction import Tx
from bdcan_routing import store
from bdcan_routing.books import PLACE_HELD, Assignments
from bdcan_routing.domain.assignment import CURABLE, place_again
from bdcan_routing.placing import placer_for
from bdcan_routing.seed import seed
from bdcan_routing.settings import Settings

_AT_ONCE = 500


async def place_held(settings: Settings, tx: Tx) -> int:
    """Place referrals that a rule can place now. Those that it still cannot place stay held."""
    assignments, placed, after = Assignments(tx), 0, None
    while held := await assignments.lock(
        store.assignments.LOCK_HELD, reasons=CURABLE, after=after, limit=_AT_ONCE
    ):
        placer = await placer_for(settings, tx, [one.facts.home for one in held if one.facts])
        for assignment in held:
            step = place_again(assignment, placer, settings.triage_times, tx.now)
            assignments.put(step)
            placed += len(step.events)
        await assignments.save()
        after = held[-1].referral_id
    return placed


def planners(settings: Settings) -> tuple[Planner, ...]:
    """What the worker runs. Something wakes both when there is work; the interval is for a wake that was lost."""
    return (
        Planner("seed", partial(seed, settings), timedelta(hours=1)),
        Planner(PLACE_HELD, partial(place_held, settings), timedelta(minutes=5)),
    )
