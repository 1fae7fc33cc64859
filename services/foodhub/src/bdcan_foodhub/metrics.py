"""Gauges of the foodhub, read from the database."""

from __future__ import annotations

from prometheus_client import Gauge

from bdcan_chassis.housekeeping import Sample
from bdcan_foodhub import store

PARCELS = Gauge("bdcan_parcels", "Food parcels by state", ["state"])
PARCELS_OVERDUE = Gauge("bdcan_parcels_overdue", "Parcels that should be at the door by now and are not")
STOCK_LOW = Gauge("bdcan_stock_low_items", "Items that are low at a site, as last announced", ["site"])

SAMPLES = (
    Sample(PARCELS, ("state",), store.parcels.COUNT_BY_STATE.sql),
    Sample(PARCELS_OVERDUE, (), store.parcels.COUNT_OVERDUE.sql),
    Sample(STOCK_LOW, ("site",), store.stock.COUNT_LOW.sql),
)
"""What housekeeping reads."""
