"""What routing needs before it can place anybody: hubs, and a postcode table.

`migrate` seeds, each worker seeds as it starts, and so does a handler that finds nothing. No referral goes to triage
because somebody forgot a step. Routing keeps what an operator has configured or imported.
"""

from __future__ import annotations

from bdcan_chassis.transaction import Tx
from bdcan_routing import store
from bdcan_routing.books import Hubs, use_release
from bdcan_routing.domain.hubs import establish, meet_neighbours
from bdcan_routing.gazetteer import coarse
from bdcan_routing.hubs.configured import configured_hubs
from bdcan_routing.settings import Settings
from bdcan_routing.store.gazetteer import COARSE, Release


async def seed(settings: Settings, tx: Tx) -> int:
    """Set up the hubs if there are none, load the coarse gazetteer unless another is active; returns the changes."""
    hubs = Hubs(tx)
    await hubs.lock_all()
    met = [meet_neighbours(hub, tx.now) for hub in hubs if hub.neighbours is None]
    for step in met:
        hubs.put(step)
    plans = [] if list(hubs) else configured_hubs(settings.hubs_file)
    for plan in plans:
        hubs.put(establish(plan, tx.now))
    await hubs.save()
    return len(plans) + len(met) + await _seed_gazetteer(tx)


async def _seed_gazetteer(tx: Tx) -> int:
    active = await store.gazetteer.ACTIVE.first(tx.connection)
    if active is not None and active.kind != COARSE:
        return 0
    shipped = coarse.load()
    if active is not None and active.digest == shipped.digest:
        return 0
    release = Release(coarse.NAME, COARSE, shipped.digest, shipped.vintage, 0, 0, tx.now, 0, {})
    await use_release(tx, release, (), shipped.shares)
    return 1
