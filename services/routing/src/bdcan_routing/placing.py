"""What is needed to place referrals."""

from __future__ import annotations

from collections.abc import Iterable

from bdcan_chassis.transaction import Tx
from bdcan_contracts.typed import GivenPostcode
from bdcan_routing import store
from bdcan_routing.domain.gazetteer import lookup_keys
from bdcan_routing.domain.hubs import Coverage
from bdcan_routing.domain.load import Load
from bdcan_routing.domain.placement import Placer
from bdcan_routing.seed import seed
from bdcan_routing.settings import Settings


async def placer_for(settings: Settings, tx: Tx, postcodes: Iterable[GivenPostcode]) -> Placer:
    """A placer for homes with these postcodes: a few statements for any number of them."""
    units, prefixes = lookup_keys(postcodes)
    hubs = await store.hubs.FIND.all(tx.connection)
    lookup = await store.gazetteer.ask(tx.connection, units, prefixes)
    if lookup is None or not hubs:
        await seed(settings, tx)
        hubs = await store.hubs.FIND.all(tx.connection)
        lookup = await store.gazetteer.ask(tx.connection, units, prefixes)
        assert lookup is not None  # noqa: S101 # seeding made it, under a lock
    limited = any(hub.capacity for hub in hubs)
    given = await store.load.of_day(tx.connection, tx.calendar.local_date(tx.now)) if limited else {}
    return Placer(lookup, Coverage.of(hubs), settings.thresholds, Load(given))
