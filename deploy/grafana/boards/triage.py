"""Triage and wards: what no rule could place, and where requests come from."""

from __future__ import annotations

from deploy.grafana.layout import Board
from deploy.grafana.panels import ALARM, WATCH, Query, bars, figure, lines, runbook, seconds

_NOBODY = "0 * (sum(max by (reason, priority) (bdcan_triage_held)) == 0)"
"""Zero where nobody waits, and nothing where routing does not say."""


def board() -> Board:
    """The dashboard of those who place referrals."""
    made = Board(
        "bdcan-triage",
        "Triage and wards",
        "Referrals that wait for a person to place them, and demand by ward.",
    )
    made.row(
        5,
        [
            figure(
                "Late",
                "Referrals that nobody has placed by their deadline: their residents have had no call.",
                Query('sum(max by (hub) (bdcan_promises_late{promise="triage"}))'),
                leads=[runbook("What is wrong?")],
            ),
            figure(
                "Waiting",
                "Referrals that wait for a person, by reason.",
                Query(
                    "sum by (reason) (max by (reason, priority) (bdcan_triage_held)) > 0 or sum(max by (reason, priority) (bdcan_triage_held)) == 0",
                    "{{reason}}",
                ),
                thresholds=((None, "green"), (1, "blue"), (20, "orange")),
            ),
            figure(
                "Longest wait",
                "How long the referral that has waited longest has waited.",
                Query(f"max(bdcan_triage_oldest_seconds) or {_NOBODY}"),
                thresholds=seconds(3600, 14400),
                unit="dtdurations",
            ),
            figure(
                "Next due in",
                "In how much time the most pressing of them must be placed. Below zero it is late; a day where none waits.",
                Query(f"min(bdcan_triage_next_due_seconds) or 86400 + {_NOBODY}"),
                thresholds=((None, "red"), (0, "orange"), (3600, "green")),
                unit="dtdurations",
            ),
            figure(
                "Hubs paused",
                "Hubs that take no new referrals: their wards' requests come here.",
                Query("max(bdcan_hubs_paused)"),
                thresholds=WATCH,
            ),
        ],
    )
    made.row(
        8,
        [
            lines(
                "Waiting by reason",
                "Referrals that wait for a person, over time.",
                Query("sum by (reason) (max by (reason, priority) (bdcan_triage_held))", "{{reason}}"),
                stacked=True,
            ),
            lines(
                "Waiting by priority",
                "The same by how soon help must come.",
                Query("sum by (priority) (max by (reason, priority) (bdcan_triage_held))", "{{priority}}"),
                stacked=True,
            ),
            lines(
                "Deadlines missed, per hour",
                "How often a triage deadline passed with nobody having placed the referral.",
                Query("sum(increase(bdcan_triage_late_total[1h]))", "missed"),
                thresholds=ALARM,
            ),
        ],
    )
    made.heading("Where requests come from")
    made.row(
        10,
        [
            bars(
                "Requests by ward, last 24 hours",
                "Referrals that got a hub in the last day, by the ward of the home; none: a person placed them.",
                Query("sort_desc(sum by (ward) (increase(bdcan_requests_by_ward_total[24h])))", "{{ward}}"),
            ),
            bars(
                "Requests by hub, last 24 hours",
                "The same by hub.",
                Query("sort_desc(sum by (hub) (increase(bdcan_requests_by_ward_total[24h])))", "{{hub}}"),
            ),
            lines(
                "Needs counted by the pulse, per hour",
                "What the early warning counts, by hub. A purple mark is a surge that it has announced.",
                Query(
                    'sum by (place) (rate(bdcan_pulse_requests_total{scope="hub"}[$__rate_interval])) * 3600',
                    "{{place}}",
                ),
            ),
        ],
    )
    return made
