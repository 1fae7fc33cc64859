"""What a reconciliation on a schedule tells Prometheus."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

CULPRITS = Gauge(
    "bdcan_reconcile_culprits",
    "Faults that the last good reconciliation found, by kind: somebody may be falling through a gap",
    ["kind"],
)
OPEN_DOUBTS = Gauge(
    "bdcan_reconcile_open_doubts",
    "What the last good reconciliation could not tell, because a service is behind or its rows move",
)
REFERRALS = Gauge("bdcan_reconcile_referrals", "Referrals that the last good reconciliation looked at")
SECONDS = Gauge("bdcan_reconcile_seconds", "How long the last good reconciliation took")
AT = Gauge("bdcan_reconcile_timestamp_seconds", "When the last good reconciliation ended (real time)")
FAILURES = Counter("bdcan_reconcile_failures", "Reconciliations that could not read a store or Kafka")
