"""What routing needs before it can place anybody: hubs, and a postcode table.

Run by `migrate`, again by each worker as it starts, and by a handler that finds nothing: nobody goes to triage
because of a step that was forgotten. What an operator has configured or imported is never touched.
"""

from __future__ import annotations

from bdcan_chassis.transaction import Tx
from bdcan_contracts.models import HubConfigured
from bdcan_routing.domain.hubs import Hub
from bdcan_routing.gazetteer import coarse
from bdcan_routing.hubs.configured import configured_hubs
from bdcan_routing.settings import Settings
from bdcan_routing.store import gazetteer, hubs


async def seed(tx: Tx, settings: Settings) -> int:
    """Configure the hubs if there are none, load the coarse gazetteer unless another is active; returns the changes."""
    await hubs.lock_setup(tx.connection)
    return await _seed_hubs(tx, settings) + await _seed_gazetteer(tx)


async def _seed_hubs(tx: Tx, settings: Settings) -> int:
    if await hubs.all_hubs(tx.connection):
        return 0
    wanted, illustrative = configured_hubs(settings.hubs_file)
    await hubs.save(tx.connection, [hubs.HubRow(hub, None, illustrative, tx.now) for hub in wanted])
    for hub in wanted:
        publish_hub(tx, hub)
    return len(wanted)


async def _seed_gazetteer(tx: Tx) -> int:
    active = await gazetteer.active(tx.connection)
    if active is not None and active.kind != gazetteer.COARSE:
        return 0
    shipped = coarse.load()
    if active is not None and active.digest == shipped.digest:
        return 0
    release = gazetteer.Release(
        coarse.NAME, gazetteer.COARSE, shipped.digest, shipped.vintage, 0, 0, imported_at=tx.now
    )
    await gazetteer.activate(tx.connection, release, (), shipped.shares)
    tx.wake("place-held")
    return 1


def publish_hub(tx: Tx, hub: Hub) -> None:
    """Tell everybody how the hub now stands."""
    tx.emit(
        HubConfigured(
            hub_id=hub.hub_id,
            version=hub.version,
            name=hub.name,
            wards=hub.wards,
            paused=hub.paused,
            configured_at=tx.now,
        )
    )
