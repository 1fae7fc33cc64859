"""Gauges of the foodhub, read from the database. Ages and spans are seconds of domain time."""

from __future__ import annotations

from bdcan_chassis.housekeeping import Sample, promised
from bdcan_chassis.sampled import Sampled
from bdcan_foodhub import store
from bdcan_foodhub.domain.items import ITEMS
from bdcan_foodhub.domain.parcel import State
from bdcan_foodhub.settings import Settings

PARCELS = Sampled("bdcan_parcels", "Food parcels by site and state", ["site", "state"], {"state": State})
OLDEST = Sampled(
    "bdcan_parcel_oldest_seconds",
    "How long the oldest parcel in a state has been wanted; absent where none is",
    ["state"],
)
PARCELS_OVERDUE = Sampled("bdcan_parcels_overdue", "Parcels that should be at the door by now and are not")
SHORT = Sampled(
    "bdcan_parcels_short",
    "Parcels that wait for stock, by the item that they lack",
    ["item"],
    {"item": ITEMS},
)
NOTICES = Sampled(
    "bdcan_parcel_notices",
    "What people must see to: parcels that are stopped, and warnings not passed on",
    ["kind"],
    {"kind": ("stop", "warning")},
)
NOTICE_DUE = Sampled(
    "bdcan_parcel_notice_due_seconds",
    "In how many seconds the first notice of a kind must have been seen to: below 0, it is late; absent where none waits",
    ["kind"],
)
OWED = Sampled("bdcan_back_orders", "Parcels that missing items are to follow", ["site"], {})
OWED_DUE = Sampled(
    "bdcan_back_order_due_seconds",
    "In how many seconds the first missing items must have followed their parcel: below 0, late; absent where none is owed",
    ["site"],
)
STOCK_LOW = Sampled(
    "bdcan_stock_low_items",
    "Items of which a site has fewer free units than it should; those that it never had are low, too",
    ["site"],
)
_PLACE, _ITEMS = ["site", "item"], {"item": tuple(ITEMS)}
STOCK_FREE = Sampled("bdcan_stock_free", "Free units of each item of the catalogue, by site", _PLACE, _ITEMS)
STOCK_RESERVED = Sampled("bdcan_stock_reserved", "Units that are promised to parcels", _PLACE, _ITEMS)
STOCK_MOVED = Sampled(
    "bdcan_stock_moved",
    "Units that have come in (net), gone out (net of what came back) and been thrown away since the beginning",
    [*_PLACE, "move"],
)
STOCK_COVER = Sampled(
    "bdcan_stock_days_of_cover",
    "For how many days the free stock lasts at the pace of the last seven; absent where nothing went out",
    _PLACE,
)


def samples(settings: Settings) -> tuple[Sample, ...]:
    """What housekeeping reads. A site that serves a hub should have stock of every item."""
    used = {settings.central_site, *settings.hub_sites.values()}
    for site in sorted(used):
        for gauge in (PARCELS, OWED, STOCK_FREE, STOCK_RESERVED):
            gauge.expect(site=site)
    low = store.stock.count_low(used, {item_id: item.low_below for item_id, item in ITEMS.items()})
    return (
        *promised("parcels", store.parcels.PROMISED),
        Sample(PARCELS, store.parcels.COUNT_BY_STATE),
        Sample(OLDEST, store.parcels.OLDEST),
        Sample(PARCELS_OVERDUE, store.parcels.COUNT_OVERDUE),
        Sample(SHORT, store.parcels.COUNT_SHORT),
        Sample(NOTICES, store.parcels.COUNT_NOTICES),
        Sample(NOTICE_DUE, store.parcels.FIRST_NOTICE),
        Sample(OWED, store.parcels.COUNT_OWED),
        Sample(OWED_DUE, store.parcels.FIRST_OWED),
        Sample(STOCK_LOW, low),
        Sample(STOCK_FREE, store.stock.FREE),
        Sample(STOCK_RESERVED, store.stock.RESERVED),
        Sample(STOCK_MOVED, store.stock.MOVED),
        Sample(STOCK_COVER, store.stock.COVER, every=60.0),
    )
