"""The food hub and its sister sites: what is short, and which parcels are late."""

from __future__ import annotations

from deploy.grafana.layout import Board
from deploy.grafana.panels import ALARM, WATCH, Query, bars, figure, lines, seconds


def board() -> Board:
    """The dashboard of those who pick, pack and order."""
    made = Board("bdcan-food", "Food", "Parcels by state, stock, and how long it lasts.")
    made.row(
        5,
        [
            figure(
                "Overdue",
                "Parcels that should be at the door by now and are not.",
                Query("max(bdcan_parcels_overdue)"),
            ),
            figure(
                "Short",
                "Parcels that wait for stock. A person of the hub decides whether they go without the missing item.",
                Query('sum(max by (site, state) (bdcan_parcels{state="short"}))'),
                thresholds=WATCH,
            ),
            figure(
                "To see to",
                "Parcels that are stopped, and warnings that were not passed on to the resident.",
                Query("sum by (kind) (max by (kind) (bdcan_parcel_notices))", "{{kind}}"),
                thresholds=ALARM,
            ),
            figure(
                "Items low",
                "Items of which a site has fewer free units than it should.",
                Query("max by (site) (bdcan_stock_low_items)", "{{site}}"),
                thresholds=WATCH,
            ),
            figure(
                "Items owed",
                "Parcels that missing items are to follow.",
                Query("max by (site) (bdcan_back_orders)", "{{site}}"),
                thresholds=WATCH,
            ),
        ],
    )
    made.row(
        9,
        [
            bars(
                "Parcels by state",
                "All parcels that have not ended.",
                Query(
                    'sum by (state) (max by (site, state) (bdcan_parcels{state!~"delivered|cancelled"}))',
                    "{{state}}",
                ),
            ),
            bars(
                "Oldest parcel by state",
                "How long the oldest parcel of a state has been wanted.",
                Query("max by (state) (bdcan_parcel_oldest_seconds)", "{{state}}"),
                Query(
                    '0 * (sum(max by (site, state) (bdcan_parcels{state!~"delivered|cancelled"})) == 0)',
                    "none is open",
                ),
                thresholds=seconds(86400, 172800),
                unit="dtdurations",
            ),
            bars(
                "Parcels that lack an item",
                "Parcels that wait for stock, by the item that they lack.",
                Query("max by (item) (bdcan_parcels_short) > 0", "{{item}}"),
                Query("sum(max by (item) (bdcan_parcels_short)) == 0", "none"),
                thresholds=WATCH,
            ),
            bars(
                "Days of cover",
                "For how many days the free stock lasts at the pace of the last seven. Red: less than a day.",
                Query("bottomk(15, min by (site, item) (bdcan_stock_days_of_cover))", "{{site}} {{item}}"),
                thresholds=((None, "red"), (1, "orange"), (3, "green")),
            ),
        ],
    )
    made.row(
        8,
        [
            lines(
                "Parcels over time",
                "By state and site.",
                Query(
                    'sum by (site, state) (max by (site, state) (bdcan_parcels{state!~"delivered|cancelled"}))',
                    "{{site}} {{state}}",
                ),
                stacked=True,
            ),
            lines(
                "Stock moved, per hour",
                "Units that came in, went out and were thrown away.",
                Query(
                    "sum by (move) (delta(max by (site, item, move) (bdcan_stock_moved)[1h:1m]))",
                    "{{move}}",
                ),
            ),
            bars(
                "Free stock, least first",
                "Free units of each item.",
                Query("bottomk(20, max by (site, item) (bdcan_stock_free))", "{{site}} {{item}}"),
                thresholds=((None, "red"), (1, "blue")),
            ),
        ],
    )
    return made
