"""One service from the inside: its API, its consumers, relay, deadlines, passes and its process."""

from __future__ import annotations

from deploy.grafana.layout import Board
from deploy.grafana.panels import (
    ALARM,
    ALIVE,
    WATCH,
    Query,
    bars,
    figure,
    lines,
    link,
    runbook,
    seconds,
    states,
)

_S = 'service="$service"'
_API = 'service="$service", route!~"/metrics|/livez|/readyz"'


def board() -> Board:
    """The dashboard of one service."""
    made = Board("bdcan-service", "One service", "For whoever repairs it.", since="now-1h").variable(
        "service", "Service", 'label_values(up{job="bdcan"}, service)'
    )
    made.row(
        4,
        [
            figure(
                "Workers that answer",
                "At least one must.",
                Query(f'sum(up{{{_S}, process=~".+-worker"}})'),
                thresholds=ALIVE,
                leads=[runbook("Restart")],
            ),
            figure(
                "Database",
                "Whether the database answers a heartbeat: a hang is no answer.",
                Query(f"min(bdcan_database_connected{{{_S}}})"),
                thresholds=ALIVE,
                says={"1": "answers", "0": "SILENT"},
            ),
            figure(
                "Kafka",
                "Whether Kafka answers a heartbeat: a hang is no answer.",
                Query(f"min(bdcan_kafka_connected{{{_S}}})"),
                thresholds=ALIVE,
                says={"1": "answers", "0": "SILENT"},
            ),
            figure(
                "Figures are",
                "Age of the figures that are read from the database.",
                Query(f"max(time() - bdcan_sample_timestamp_seconds{{{_S}}})"),
                thresholds=seconds(20, 30),
                unit="s",
            ),
            figure(
                "Consumers stopped",
                "Consumers that stopped because too much could not be handled.",
                Query(f"sum(bdcan_consumer_stopped{{{_S}}})"),
                leads=[runbook("A consumer that stopped")],
            ),
            figure(
                "Set aside",
                "Records that could not be handled.",
                Query(f"sum(max by (consumer, state, reason) (bdcan_dead_letters{{{_S}}}))"),
                leads=[runbook("Dead letters")],
            ),
            figure(
                "Deadlines failing",
                "Deadlines whose handler failed.",
                Query(f"sum(max by (kind) (bdcan_deadlines_failing{{{_S}}}))"),
            ),
            figure(
                "Not looked at",
                "Deadlines that have been due for more than a minute.",
                Query(f"sum(max by (kind) (bdcan_deadlines_overdue{{{_S}}}))"),
            ),
        ],
    )
    made.heading("API")
    made.row(
        8,
        [
            lines(
                "Requests by route",
                "Per second.",
                Query(
                    f"sum by (method, route) (rate(bdcan_http_requests_total{{{_API}}}[$__rate_interval]))",
                    "{{method}} {{route}}",
                ),
                unit="reqps",
            ),
            lines(
                "Answers by status",
                "Per second.",
                Query(
                    f"sum by (status) (rate(bdcan_http_requests_total{{{_API}}}[$__rate_interval]))",
                    "{{status}}",
                ),
                unit="reqps",
            ),
            lines(
                "Time to answer (p99)",
                "By route.",
                Query(
                    f"histogram_quantile(0.99, sum by (le, route) (rate(bdcan_http_request_seconds_bucket{{{_API}}}[$__rate_interval])))",
                    "{{route}}",
                ),
                unit="s",
                thresholds=((None, "green"), (1, "red")),
            ),
            lines(
                "Refused",
                "Requests refused by a limit, and sign-ins that failed, per minute.",
                Query(
                    f"sum by (reason) (rate(bdcan_http_limited_total{{{_S}}}[$__rate_interval])) * 60",
                    "{{reason}}",
                ),
                Query(
                    f"sum by (shown) (rate(bdcan_sign_ins_refused_total{{{_S}}}[$__rate_interval])) * 60",
                    "not known: {{shown}}",
                ),
                leads=[runbook("Callers who are refused")],
            ),
        ],
    )
    made.heading("Consumers and relay")
    made.row(
        8,
        [
            lines(
                "Records behind",
                "On the broker and not read.",
                Query(f"sum by (consumer) (bdcan_consumer_lag_records{{{_S}}})", "{{consumer}}"),
            ),
            lines(
                "Records by outcome",
                "Per second.",
                Query(
                    f"sum by (consumer, outcome) (rate(bdcan_consumer_records_total{{{_S}}}[$__rate_interval])) > 0",
                    "{{consumer}} {{outcome}}",
                ),
            ),
            lines(
                "Age when done (p50, p99)",
                "Age of the newest record of a batch when it has been committed.",
                Query(
                    f"histogram_quantile(0.5, sum by (le, consumer) (rate(bdcan_consumer_delay_seconds_bucket{{{_S}}}[$__rate_interval])))",
                    "{{consumer}} p50",
                ),
                Query(
                    f"histogram_quantile(0.99, sum by (le, consumer) (rate(bdcan_consumer_delay_seconds_bucket{{{_S}}}[$__rate_interval])))",
                    "{{consumer}} p99",
                ),
                unit="s",
                thresholds=((None, "green"), (5, "red")),
            ),
            states(
                "Blocked",
                "When a consumer waited for its database or Kafka.",
                Query(f"max by (consumer) (bdcan_consumer_blocked{{{_S}}})", "{{consumer}}"),
                {"0": ("runs", "green"), "1": ("waits", "red")},
            ),
        ],
    )
    made.row(
        8,
        [
            states(
                "Relay has a leader",
                "Whether somebody sends the events of a traffic class.",
                Query(f"max by (traffic_class) (bdcan_relay_leader{{{_S}}})", "{{traffic_class}}"),
                {"1": ("sends", "green"), "0": ("nobody", "red")},
            ),
            lines(
                "Events not on Kafka",
                "Committed and not sent.",
                Query(f"max by (traffic_class) (bdcan_outbox_pending_rows{{{_S}}})", "{{traffic_class}}"),
            ),
            lines(
                "Oldest of them",
                "Its age.",
                Query(f"max by (traffic_class) (bdcan_outbox_oldest_seconds{{{_S}}})", "{{traffic_class}}"),
                unit="s",
                thresholds=((None, "green"), (60, "red")),
            ),
            bars(
                "Set aside by reason",
                "Open dead letters.",
                Query(
                    f"sum by (consumer, reason) (max by (consumer, state, reason) (bdcan_dead_letters{{{_S}}})) > 0",
                    "{{consumer}} {{reason}}",
                ),
                thresholds=ALARM,
                leads=[runbook("Dead letters")],
            ),
        ],
    )
    made.heading("Deadlines and passes")
    made.row(
        8,
        [
            lines(
                "Deadlines handled, per minute",
                "By kind.",
                Query(
                    f"sum by (kind) (rate(bdcan_deadlines_fired_total{{{_S}}}[$__rate_interval])) * 60 > 0",
                    "{{kind}}",
                ),
            ),
            lines(
                "Late by (p99)",
                "Domain time between due and handled.",
                Query(
                    f"histogram_quantile(0.99, sum by (le, kind) (rate(bdcan_deadline_lateness_seconds_bucket{{{_S}}}[$__rate_interval])))",
                    "{{kind}}",
                ),
                unit="s",
            ),
            lines(
                "Time of a pass (mean)",
                "Planners and gateways.",
                Query(
                    f"sum by (name) (rate(bdcan_pass_seconds_sum{{{_S}}}[$__rate_interval])) / sum by (name) (rate(bdcan_pass_seconds_count{{{_S}}}[$__rate_interval]))",
                    "{{name}}",
                ),
                unit="s",
            ),
            lines(
                "Passes that failed",
                "Each was rolled back and is tried again.",
                Query(f"sum by (name) (increase(bdcan_pass_failures_total{{{_S}}}[5m]))", "{{name}}"),
                thresholds=WATCH,
            ),
        ],
    )
    made.heading("Process")
    made.row(
        8,
        [
            lines(
                "Processor",
                "Share of one core.",
                Query(f"rate(process_cpu_seconds_total{{{_S}}}[$__rate_interval])", "{{process}}"),
                unit="percentunit",
            ),
            lines(
                "Memory",
                "Resident.",
                Query(f"process_resident_memory_bytes{{{_S}}}", "{{process}}"),
                unit="bytes",
            ),
            lines("Open files", "Of each process.", Query(f"process_open_fds{{{_S}}}", "{{process}}")),
            lines(
                "Event loop late (p99)",
                "By how much a waiter is woken too late.",
                Query(
                    f"histogram_quantile(0.99, sum by (le, process) (rate(bdcan_event_loop_lag_seconds_bucket{{{_S}}}[$__rate_interval])))",
                    "{{process}}",
                ),
                unit="s",
                thresholds=((None, "green"), (0.5, "red")),
            ),
            lines(
                "Database connections",
                "Of the pool.",
                Query(
                    f"sum by (process, state) (bdcan_database_pool_connections{{{_S}}})",
                    "{{process}} {{state}}",
                ),
                leads=[link("platform", "bdcan-platform")],
            ),
        ],
    )
    return made
