"""What the process that makes backups on a schedule tells Prometheus."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

AT = Gauge(
    "bdcan_backup_timestamp_seconds",
    "The moment of the newest good backup (real time); 0: there is none",
)
KEPT = Gauge("bdcan_backups", "Good backups in the directory")
LOG_BEHIND = Gauge(
    "bdcan_backup_log_behind_bytes",
    "What PostgreSQL has written to its log and the backups do not have: lost if its disk is lost now",
)
LOG_AT = Gauge(
    "bdcan_backup_log_timestamp_seconds",
    "When all of PostgreSQL's log was last with the backups (real time)",
)
FAILURES = Counter("bdcan_backup_failures", "Backups that could not be made")
