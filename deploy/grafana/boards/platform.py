"""What the services run on: their processes, Kafka and PostgreSQL as the services see them, and Prometheus."""

from __future__ import annotations

from deploy.grafana.layout import Board
from deploy.grafana.panels import ALIVE, WATCH, Query, figure, lines, runbook, seconds, states

_JOB = 'job="bdcan"'
_SILENT = {"1": ("answers", "green"), "0": ("silent", "red")}


def board() -> Board:
    """The dashboard of processes and connections."""
    made = Board("bdcan-platform", "Platform", "Processes, connections and what they use.", since="now-1h")
    made.row(
        6,
        [
            figure(
                "Processes",
                "Whether each process answers Prometheus.",
                Query(f"up{{{_JOB}}}", "{{process}}"),
                thresholds=ALIVE,
                says={"1": "up", "0": "DOWN"},
                leads=[runbook("Restart")],
            ),
        ],
    )
    made.row(
        8,
        [
            states(
                "PostgreSQL, as each process sees it",
                "Whether its database answers a heartbeat within three seconds.",
                Query("min by (process) (bdcan_database_connected)", "{{process}}"),
                _SILENT,
            ),
            states(
                "Kafka, as each worker sees it",
                "Whether Kafka answers a heartbeat within three seconds.",
                Query("min by (process) (bdcan_kafka_connected)", "{{process}}"),
                _SILENT,
            ),
            lines(
                "Restarts",
                "How often each process was started in the last 15 minutes.",
                Query(f"changes(process_start_time_seconds{{{_JOB}}}[15m])", "{{process}}"),
                thresholds=((None, "green"), (3, "red")),
            ),
        ],
    )
    made.row(
        8,
        [
            lines(
                "Processor",
                "Share of one core, by process.",
                Query(f"rate(process_cpu_seconds_total{{{_JOB}}}[$__rate_interval])", "{{process}}"),
                unit="percentunit",
                stacked=True,
            ),
            lines(
                "Memory",
                "Resident, by process.",
                Query(f"process_resident_memory_bytes{{{_JOB}}}", "{{process}}"),
                unit="bytes",
            ),
            lines(
                "Database connections in use",
                "Of each process's pool.",
                Query('sum by (process) (bdcan_database_pool_connections{state="busy"})', "{{process}}"),
            ),
        ],
    )
    made.row(
        8,
        [
            lines(
                "Records behind, all services",
                "On the broker and not read.",
                Query("sum by (service) (bdcan_consumer_lag_records)", "{{service}}"),
            ),
            lines(
                "Events sent, per second",
                "That Kafka has acknowledged, by service.",
                Query("sum by (service) (rate(bdcan_relay_events_total[$__rate_interval]))", "{{service}}"),
            ),
            lines(
                "Spans dropped, per second",
                "Spans of traces that no collector took; they delay nothing. None where nothing is traced.",
                Query(
                    "sum by (process, reason) (rate(bdcan_spans_dropped_total[$__rate_interval]))",
                    "{{process}} {{reason}}",
                ),
                thresholds=WATCH,
                leads=[runbook("Traces")],
            ),
            figure(
                "Clocks",
                "By how much an event of another process was ahead of this one's clock: one of the two is wrong.",
                Query("max by (process) (bdcan_consumer_clock_behind_seconds)", "{{process}}"),
                thresholds=WATCH,
                unit="s",
            ),
            figure(
                "Versions",
                "How many processes run which version.",
                Query("count by (version, commit) (bdcan_build_info)", "{{version}} {{commit}}"),
                thresholds=((None, "blue"),),
            ),
        ],
    )
    made.heading("PostgreSQL and Kafka, as their exporters see them: with docker compose alone")
    made.row(
        8,
        [
            lines(
                "Database connections, by database",
                "All that the server has, ours and others. At its limit it refuses every new one.",
                Query("sum by (datname) (pg_stat_activity_count)", "{{datname}}"),
                Query("max(pg_settings_max_connections)", "limit"),
                leads=[runbook("Machines that fail")],
            ),
            lines(
                "Oldest transaction",
                "How long the oldest one has been open, by database: nothing behind it is cleaned up.",
                Query("max by (datname) (pg_stat_activity_max_tx_duration)", "{{datname}}"),
                unit="s",
                thresholds=seconds(60, 600),
            ),
            lines(
                "Locks held, by database",
                "Many at once mean that something waits.",
                Query("sum by (datname) (pg_locks_count)", "{{datname}}"),
            ),
            lines(
                "Size on disk, by database",
                "What to compare with the disk that is left.",
                Query("max by (datname) (pg_database_size_bytes)", "{{datname}}"),
                unit="bytes",
                leads=[runbook("Machines that fail")],
            ),
        ],
    )
    made.row(
        8,
        [
            figure(
                "Servers",
                "Whether PostgreSQL's exporter can log in, and how many brokers Kafka has.",
                Query("max(pg_up)", "PostgreSQL"),
                Query("max(kafka_brokers)", "brokers"),
                thresholds=ALIVE,
                leads=[runbook("Machines that fail")],
            ),
            figure(
                "Partitions with too few copies",
                "Under-replicated: the loss of one more disk may lose events. Always 0 with one broker.",
                Query("sum(kafka_topic_partition_under_replicated_partition)"),
                leads=[runbook("Machines that fail")],
            ),
            lines(
                "Records behind, as Kafka sees it",
                "By group: also of one whose worker is away and says nothing itself.",
                Query("sum by (consumergroup) (kafka_consumergroup_lag)", "{{consumergroup}}"),
                leads=[runbook("Machines that fail")],
            ),
            lines(
                "Members of each group",
                "How many consumers share the partitions: none, and nobody reads.",
                Query("max by (consumergroup) (kafka_consumergroup_members)", "{{consumergroup}}"),
                leads=[runbook("Machines that fail")],
            ),
        ],
    )
    return made
