"""Cases for the council: each lane with its clocks, and how the council answers."""

from __future__ import annotations

from deploy.grafana.layout import Board
from deploy.grafana.panels import ALARM, WATCH, Query, bars, figure, lines, runbook, seconds


def board() -> Board:
    """The dashboard of the officers, and of whoever is on call for safeguarding."""
    made = Board(
        "bdcan-escalations", "Escalations", "What is with Community Solutions, and what is not there yet."
    )
    made.row(
        5,
        [
            figure(
                "Safeguarding waits",
                "For how long the first safeguarding concern has not been with the council. Fifteen minutes are promised; ring the council's single point of contact when it is red.",
                Query("max(bdcan_safeguarding_waiting_seconds) or 0 * max(bdcan_safeguarding_waiting == 0)"),
                thresholds=((None, "green"), (1, "orange"), (600, "red")),
                unit="s",
                leads=[runbook("What is wrong?")],
            ),
            figure(
                "Late by step",
                "Escalations whose step is late: to forward, to acknowledge, to decide.",
                Query("max by (stage) (bdcan_escalations_late)", "{{stage}}"),
            ),
            figure(
                "Cannot be sent",
                "Cases that are not sent yet, by the problem of the last attempt.",
                Query(
                    "sum(max by (problem) (bdcan_escalation_forward_problems)) or 0 * max(bdcan_escalations_late)"
                ),
                thresholds=WATCH,
            ),
            figure(
                "Council answers",
                "Share of attempts of the last five minutes that the council took.",
                Query(
                    'sum(rate(bdcan_council_requests_total{result="taken"}[5m])) / (sum(rate(bdcan_council_requests_total[5m])) > 0)'
                ),
                thresholds=((None, "red"), (0.9, "orange"), (0.99, "green")),
                unit="percentunit",
            ),
        ],
    )
    made.row(
        9,
        [
            bars(
                "Open by lane and state",
                "Counts of five and more; fewer are not shown, because they could point to a person.",
                Query(
                    'sum by (kind, state) (max by (kind, state, late) (bdcan_escalations{state!~"closed|declined"}))',
                    "{{kind}} {{state}}",
                ),
            ),
            bars(
                "Oldest by lane and state",
                "Age of the oldest that has not ended.",
                Query("max by (kind, state) (bdcan_escalation_oldest_seconds)", "{{kind}} {{state}}"),
                thresholds=seconds(86400, 432000),
                unit="dtdurations",
            ),
            bars(
                "Clocks: late when red",
                "Time left until the first step of each lane must be done; below zero it is late.",
                Query("min by (kind, stage) (bdcan_escalation_due_seconds)", "{{kind}} {{stage}}"),
                thresholds=((None, "red"), (0, "orange"), (3600, "green")),
                unit="dtdurations",
            ),
        ],
    )
    made.row(
        8,
        [
            lines(
                "Attempts by result, per minute",
                "What the council's system said to our attempts to send a case.",
                Query(
                    "sum by (result) (rate(bdcan_council_requests_total[$__rate_interval])) * 60 > 0",
                    "{{result}}",
                ),
            ),
            lines(
                "Time of an attempt (p95)",
                "How long the council's system takes.",
                Query(
                    "histogram_quantile(0.95, sum by (le, lane) (rate(bdcan_council_request_seconds_bucket[$__rate_interval])))",
                    "{{lane}}",
                ),
                unit="s",
            ),
            lines(
                "Call-backs, per minute",
                "What the council tells us, and how it was answered.",
                Query(
                    "sum by (event, answer) (rate(bdcan_call_backs_total[$__rate_interval])) * 60 > 0",
                    "{{event}} {{answer}}",
                ),
            ),
            lines(
                "Late over time",
                "Escalations with a late step.",
                Query("max by (stage) (bdcan_escalations_late)", "{{stage}}"),
                thresholds=ALARM,
            ),
        ],
    )
    return made
