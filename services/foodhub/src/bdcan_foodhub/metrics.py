"""Gauges of the foodhub, read from the database."""

from __future__ import annotations

from prometheus_client import Gauge

from bdcan_chassis.housekeeping import Sample
from bdcan_foodhub.store.parcels import COUNT_BY_STATE, COUNT_OVERDUE

PARCELS = Gauge("bdcan_parcels", "Food parcels by state", ["state"])
PARCELS_OVERDUE = Gauge("bdcan_parcels_overdue", "Parcels that should be at the door by now and are not")
STOCK_LOW = Gauge("bdcan_stock_low_items", "Items that are low at a site, as last announced", ["site"])
SAMPLES = (
    Sample(PARCELS, ("state",), COUNT_BY_STATE),
    Sample(PARCELS_OVERDUE, (), COUNT_OVERDUE),
    Sample(
        STOCK_LOW,
        ("site",),
        "SELECT site_id AS site, count(*) FILTER (WHERE low) AS value FROM stock GROUP BY site_id",
    ),
)
"""What housekeeping reads."""
