"""What we promise to residents and to senders, and how much of each promise's budget is left."""

from __future__ import annotations

from deploy.grafana.layout import Board
from deploy.grafana.panels import Query, figure, lines, runbook

_API = 'route!~"/metrics|/livez|/readyz"'
_LEFT = ((None, "red"), (0.0, "orange"), (0.25, "green"))


def _budget(good: float, bad_ratio: str) -> str:
    """The share of a budget that is left: 1 is untouched, below 0 it is overspent."""
    return f"1 - ({bad_ratio}) / {1 - good:.4g}"


def board() -> Board:
    """The dashboard of service levels."""
    answers = f"sum by (service) (rate(bdcan_http_requests_total{{{_API}}}[$__rate_interval]))"
    errors = f'sum(rate(bdcan_http_requests_total{{{_API}, status=~"5.."}}[$__range])) or 0 * sum(rate(bdcan_http_requests_total{{{_API}}}[$__range]))'
    requests = f"(sum(rate(bdcan_http_requests_total{{{_API}}}[$__range])) > 0)"
    slow = '1 - sum(rate(bdcan_consumer_delay_seconds_bucket{le="5.0"}[$__range])) / (sum(rate(bdcan_consumer_delay_seconds_count[$__range])) > 0)'
    made = Board(
        "bdcan-slo",
        "Promises and speed",
        "Service levels over the span of time that is chosen above; 30 days is what they are stated for.",
        since="now-24h",
    )
    made.row(
        5,
        [
            figure(
                "Budget: the door is open",
                "99.9 % of requests are answered without a fault of ours. Share of the budget that is left.",
                Query(_budget(0.999, f"({errors}) / {requests}")),
                thresholds=_LEFT,
                unit="percentunit",
                leads=[runbook("What is wrong?")],
            ),
            figure(
                "Budget: records in 5 s",
                "99 % of records are handled within five seconds of being written.",
                Query(_budget(0.99, slow)),
                thresholds=_LEFT,
                unit="percentunit",
            ),
            *(
                figure(
                    f"Kept: {promise}",
                    f"Share of promises that were kept; {goal:.0%} is the goal.",
                    Query(
                        f'sum(increase(bdcan_promises_total{{promise="{promise}", outcome="kept"}}[$__range]))'
                        f' / (sum(increase(bdcan_promises_total{{promise="{promise}"}}[$__range])) > 0)'
                    ),
                    thresholds=((None, "red"), (goal - 0.02, "orange"), (goal, "green")),
                    unit="percentunit",
                )
                for promise, goal in (
                    ("calls", 0.95),
                    ("triage", 0.99),
                    ("tasks", 0.99),
                    ("parcels", 0.98),
                    ("escalations", 0.99),
                )
            ),
        ],
    )
    made.row(
        9,
        [
            lines(
                "Promises missed, per hour",
                "By kind.",
                Query(
                    'sum by (promise) (increase(bdcan_promises_total{outcome="missed"}[1h]))', "{{promise}}"
                ),
            ),
            lines(
                "Answers with a fault of ours",
                "Share of requests with a status of 500 or more, by service.",
                Query(
                    f'(sum by (service) (rate(bdcan_http_requests_total{{{_API}, status=~"5.."}}[$__rate_interval])) or 0 * {answers}) / {answers}',
                    "{{service}}",
                ),
                unit="percentunit",
            ),
            lines(
                "Time to accept a referral (p99)",
                "How long POST /v1/referrals takes.",
                Query(
                    'histogram_quantile(0.99, sum by (le) (rate(bdcan_http_request_seconds_bucket{method="POST", route="/v1/referrals"}[$__rate_interval])))',
                    "p99",
                ),
                unit="s",
                thresholds=((None, "green"), (1, "red")),
            ),
        ],
    )
    made.row(
        9,
        [
            lines(
                "From record to commit (p99)",
                "Age of the newest record of a batch when it is done, by service.",
                Query(
                    "histogram_quantile(0.99, sum by (le, service) (rate(bdcan_consumer_delay_seconds_bucket[$__rate_interval])))",
                    "{{service}}",
                ),
                unit="s",
                thresholds=((None, "green"), (5, "red")),
            ),
            lines(
                "Oldest event that waits for Kafka",
                "By traffic class; urgent ones have five seconds.",
                Query("max by (traffic_class) (bdcan_outbox_oldest_seconds)", "{{traffic_class}}"),
                unit="s",
                thresholds=((None, "green"), (60, "red")),
            ),
            lines(
                "Deadlines looked at late (p99)",
                "Domain time between a deadline and when it was handled.",
                Query(
                    "histogram_quantile(0.99, sum by (le, kind) (rate(bdcan_deadline_lateness_seconds_bucket[$__rate_interval])))",
                    "{{kind}}",
                ),
                unit="s",
                thresholds=((None, "green"), (60, "red")),
            ),
        ],
    )
    return made
