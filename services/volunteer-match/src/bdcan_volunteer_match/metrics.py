"""The service's gauges, read from its database. Due times are epoch seconds of domain time: compare them with a clock."""

from __future__ import annotations

from prometheus_client import Gauge

from bdcan_chassis.housekeeping import Sample

SAMPLES = (
    Sample(
        Gauge("bdcan_welfare_calls", "Welfare calls by state", ["state"]),
        ("state",),
        "SELECT state, count(*) AS value FROM welfare_call GROUP BY state",
    ),
    Sample(
        Gauge(
            "bdcan_welfare_call_due_timestamp_seconds",
            "When the most pressing welfare call of a hub is due",
            ["hub"],
        ),
        ("hub",),
        """
        SELECT hub_id AS hub, extract(epoch FROM min(due_at))::float8 AS value FROM welfare_call
        WHERE state IN ('due', 'unanswered', 'claimed') GROUP BY hub_id
        """,
    ),
    Sample(
        Gauge("bdcan_tasks", "Tasks by kind and state", ["kind", "state"]),
        ("kind", "state"),
        "SELECT kind, state, count(*) AS value FROM task GROUP BY kind, state",
    ),
    Sample(
        Gauge("bdcan_tasks_unfilled", "Tasks for which nobody was found in time", ["hub"]),
        ("hub",),
        "SELECT hub_id AS hub, count(*) AS value FROM task WHERE unfilled GROUP BY hub_id",
    ),
    Sample(
        Gauge("bdcan_volunteers", "Volunteers by state", ["state"]),
        ("state",),
        "SELECT state, count(*) AS value FROM volunteer GROUP BY state",
    ),
    Sample(
        Gauge(
            "bdcan_volunteer_welcome_due_timestamp_seconds",
            "When the enquiry that has waited longest must be answered; absent where none waits",
        ),
        (),
        """
        SELECT extract(epoch FROM min(welcome_by))::float8 AS value FROM volunteer WHERE state = 'enquired'
        HAVING count(*) > 0
        """,
    ),
)
"""Every gauge of the service."""
