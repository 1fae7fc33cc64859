"""One hub: what its coordinators have to do, by how long people have waited."""

from __future__ import annotations

from deploy.grafana.layout import Board
from deploy.grafana.panels import ALARM, PLAIN, WATCH, Query, bars, figure, lines, link, seconds

_H = 'hub=~"$hub"'


def board() -> Board:
    """The dashboard of one hub, or of several."""
    made = Board("bdcan-hub", "One hub", "Calls, tasks, volunteers and promises of a hub.").variable(
        "hub", "Hub", "label_values(bdcan_welfare_calls, hub)", everything=True
    )
    made.row(
        4,
        [
            figure(
                "Late",
                "Promises of this hub that are broken now, by kind.",
                Query(
                    f"sum by (promise) (max by (promise, hub) (bdcan_promises_late{{{_H}}}))", "{{promise}}"
                ),
                leads=[link("overview", "bdcan-overview")],
            ),
            figure(
                "Due within an hour",
                "Promises that must be kept within the next hour, by kind.",
                Query(
                    f'sum by (promise) (max by (promise, hub) (bdcan_promises_due_soon{{{_H}, within="1h"}}))',
                    "{{promise}}",
                ),
                thresholds=WATCH,
            ),
        ],
        [12, 12],
    )
    made.heading("Calls")
    made.row(
        8,
        [
            bars(
                "Calls by state",
                "Welfare calls that are still to be made, and how the others ended.",
                Query(f"sum by (state) (max by (hub, state) (bdcan_welfare_calls{{{_H}}}))", "{{state}}"),
            ),
            bars(
                "The ladder",
                "Residents still to be reached, by how many calls nobody answered. The last step is a concern for their welfare.",
                Query(
                    f"sum by (attempt) (max by (hub, attempt, state) (bdcan_welfare_call_attempts{{{_H}}}))",
                    "{{attempt}} tries",
                ),
            ),
            figure(
                "Longest wait for a call",
                "How long the resident who has waited longest has waited for a call that may be made now.",
                Query(f"max by (hub) (bdcan_welfare_call_oldest_seconds{{{_H}}})", "{{hub}}"),
                Query(
                    f'0 * (sum(max by (hub, state) (bdcan_welfare_calls{{{_H}, state=~"due|unanswered|claimed"}})) == 0)',
                    "nobody",
                ),
                thresholds=seconds(86400, 172800),
                unit="dtdurations",
            ),
            figure(
                "To look at",
                "Residents whom nobody reached or nobody may ring: a person of the hub decides. Overdue ones are late.",
                Query(
                    f"sum by (overdue) (max by (hub, overdue) (bdcan_welfare_call_reviews{{{_H}}}))",
                    "overdue: {{overdue}}",
                ),
                thresholds=WATCH,
            ),
        ],
    )
    made.row(
        7,
        [
            lines(
                "Calls to make over time",
                "Welfare calls that are due, claimed, or wait for their next try (unanswered).",
                Query(
                    f'sum by (state) (max by (hub, state) (bdcan_welfare_calls{{{_H}, state=~"due|unanswered|claimed"}}))',
                    "{{state}}",
                ),
                stacked=True,
            ),
            lines(
                "Promises kept and missed, per hour",
                "What the hub did in time and what it did not.",
                Query(
                    f"sum by (promise, outcome) (rate(bdcan_promises_total{{{_H}}}[$__rate_interval])) * 3600",
                    "{{promise}} {{outcome}}",
                ),
            ),
        ],
    )
    made.heading("Tasks and volunteers")
    made.row(
        8,
        [
            bars(
                "Tasks by kind, open",
                "Tasks that nobody has accepted yet.",
                Query(
                    f'sum by (kind) (max by (hub, kind, state) (bdcan_tasks{{{_H}, state="open"}}))',
                    "{{kind}}",
                ),
            ),
            bars(
                "Oldest open task",
                "How long the oldest task of each kind has had no volunteer.",
                Query(f"max by (kind) (bdcan_task_oldest_seconds{{{_H}}})", "{{kind}}"),
                Query(
                    f'0 * (sum(max by (hub, kind, state) (bdcan_tasks{{{_H}, state="open"}})) == 0)',
                    "none is open",
                ),
                thresholds=seconds(14400, 86400),
                unit="dtdurations",
            ),
            figure(
                "Nobody found in time",
                "Tasks for which no volunteer was found by the time they should be done. A coordinator rings somebody.",
                Query(f"sum(max by (hub) (bdcan_tasks_unfilled{{{_H}}}))"),
                thresholds=ALARM,
            ),
            bars(
                "Active volunteers",
                "Volunteers of this hub by the kind of task that they do; one who does two kinds counts twice.",
                Query(f"sum by (kind) (max by (hub, kind) (bdcan_volunteers_active{{{_H}}}))", "{{kind}}"),
                thresholds=((None, "red"), (1, "orange"), (5, "green")),
            ),
            bars(
                "Room for more",
                "How many more tasks the active volunteers could take, by kind. Red: a new task of that kind finds nobody.",
                Query(
                    f"sum by (kind) (max by (hub, kind, dbs) (bdcan_volunteer_places_free{{{_H}}}))",
                    "{{kind}}",
                ),
                thresholds=((None, "red"), (1, "orange"), (10, "green")),
            ),
        ],
    )
    made.row(
        7,
        [
            lines(
                "Matching, seven days",
                "Shares from 0 to 1. Matched: tasks that somebody accepted. Done: of those that are due. Asked: volunteers who got an offer. Gini: 0 is even.",
                Query(f"max by (hub) (bdcan_tasks_matched_share{{{_H}}})", "matched"),
                Query(f"max by (hub) (bdcan_tasks_done_share{{{_H}}})", "done"),
                Query(f"max by (hub) (bdcan_volunteers_asked_share{{{_H}}})", "asked"),
                Query(f"max by (hub) (bdcan_tasks_gini{{{_H}}})", "Gini"),
            ),
            figure(
                "Offers a volunteer and week",
                "Offers of the last seven days for each active volunteer.",
                Query(f"max by (hub) (bdcan_offers_per_volunteer_week{{{_H}}})"),
            ),
            figure(
                "Way of an offer, metres",
                "The median way from volunteer to resident, of the offers of the last seven days.",
                Query(f"max by (hub) (bdcan_offer_median_metres{{{_H}}})"),
            ),
        ],
    )
    made.row(
        7,
        [
            lines(
                "Open referrals",
                "Referrals of the hub that have not ended.",
                Query(f"max by (hub) (bdcan_hub_open_referrals{{{_H}}})", "{{hub}}"),
                thresholds=PLAIN,
            ),
            lines(
                "Tasks by state",
                "All tasks of the hub.",
                Query(f"sum by (state) (max by (hub, kind, state) (bdcan_tasks{{{_H}}}))", "{{state}}"),
                stacked=True,
            ),
        ],
    )
    return made
