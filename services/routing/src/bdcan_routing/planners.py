"""Passes over many things at once: seeding at start, and held referrals when hubs or postcodes have changed."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from bdcan_chassis.passes import Planner
from bdcan_chassis.transaction import Tx
from bdcan_routing import store
from bdcan_routing.books import HAND_OVER, PLACE_HELD, Assignments, Handovers
from bdcan_routing.domain.assignment import CURABLE, hand_over, place_again
from bdcan_routing.domain.handover import progress, taker
from bdcan_routing.domain.hubs import Coverage
from bdcan_routing.placing import placer_for
from bdcan_routing.seed import seed
from bdcan_routing.settings import Settings

_AT_ONCE = 500
_MOVED_AT_ONCE = 200


async def place_held(settings: Settings, tx: Tx) -> int:
    """Place referrals that a rule can place now. Those that it still cannot place stay held."""
    assignments, placed, after = Assignments(tx), 0, None
    while held := await assignments.lock(
        store.assignments.LOCK_HELD, reasons=CURABLE, after=after, limit=_AT_ONCE
    ):
        placer = await placer_for(settings, tx, [one.facts.home for one in held if one.facts])
        for assignment in held:
            step = place_again(assignment, placer, settings.triage_times, tx.now)
            after_it = assignments.put(step)
            if step.events and after_it.hub_id:
                placer = placer.after(after_it.hub_id, after_it.wanted)
            placed += len(step.events)
        await assignments.save()
        after = held[-1].referral_id
    return placed


async def hand_over_work(tx: Tx) -> int:
    """Move a portion of the open work of hubs that hand theirs over, the most urgent first."""
    handovers, assignments, moved = Handovers(tx), Assignments(tx), 0
    begun = await handovers.lock(store.handovers.LOCK_OPEN, hub_id=None)
    if not begun:
        return 0
    coverage = Coverage.of(await store.hubs.FIND.all(tx.connection))
    for handover in begun:
        own, to = coverage.by_id[handover.hub_id], taker(coverage, handover)
        if to is None:  # its cover has paused since: the next pass looks again
            continue
        ids = [
            row["referral_id"]
            for row in await store.handovers.NEXT.records(
                tx.connection, hub_id=handover.hub_id, limit=_MOVED_AT_ONCE
            )
        ]
        steps = [hand_over(one, own, to, tx.now) for one in await assignments.lock_keys(ids)]
        for step in steps:
            assignments.put(step)
        count = sum(bool(step.events) for step in steps)
        handovers.put(progress(handover, count, tx.now, ended=not ids))
        moved += count
    await assignments.save()
    await handovers.save()
    return moved


def planners(settings: Settings) -> tuple[Planner, ...]:
    """What the worker runs. Something wakes both when there is work; the interval is for a wake that was lost."""
    return (
        Planner("seed", partial(seed, settings), timedelta(hours=1)),
        Planner(HAND_OVER, hand_over_work, timedelta(seconds=30)),
        Planner(PLACE_HELD, partial(place_held, settings), timedelta(minutes=5)),
    )
