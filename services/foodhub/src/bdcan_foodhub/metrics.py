"""Gauges of the foodhub, read from the database."""

from __future__ import annotations

from prometheus_client import Gauge

from bdcan_chassis.housekeeping import Sample
from bdcan_foodhub import store

PARCELS = Gauge("bdcan_parcels", "Food parcels by state", ["state"])
PARCELS_OVERDUE = Gauge("bdcan_parcels_overdue", "Parcels that should be at the door by now and are not")
NOTICES = Gauge(
    "bdcan_parcel_notices",
    "What people must see to: parcels that are stopped, and warnings not passed on",
    ["kind"],
)
NOTICE_DUE = Gauge(
    "bdcan_parcel_notice_due_timestamp_seconds",
    "When the first notice of a kind must have been seen to: a time in the past is late",
    ["kind"],
)
OWED = Gauge("bdcan_back_orders", "Parcels that missing items are to follow", ["site"])
OWED_DUE = Gauge(
    "bdcan_back_order_due_timestamp_seconds",
    "When the first missing items must have followed their parcel: a time in the past is late",
    ["site"],
)
STOCK_LOW = Gauge("bdcan_stock_low_items", "Items that are low at a site, as last announced", ["site"])

SAMPLES = (
    Sample(PARCELS, ("state",), store.parcels.COUNT_BY_STATE.sql),
    Sample(PARCELS_OVERDUE, (), store.parcels.COUNT_OVERDUE.sql),
    Sample(NOTICES, ("kind",), store.parcels.COUNT_NOTICES.sql),
    Sample(NOTICE_DUE, ("kind",), store.parcels.FIRST_NOTICE.sql),
    Sample(OWED, ("site",), store.parcels.COUNT_OWED.sql),
    Sample(OWED_DUE, ("site",), store.parcels.FIRST_OWED.sql),
    Sample(STOCK_LOW, ("site",), store.stock.COUNT_LOW.sql),
)
"""What housekeeping reads."""
