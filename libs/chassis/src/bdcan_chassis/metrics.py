"""Every metric of the chassis, in one list. Times are seconds of real time unless the text says otherwise."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

_FAST = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
_SLOW = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1800.0, 7200.0)

# The consumers
RECORDS = Counter(
    "bdcan_consumer_records_total",
    "Records read, by outcome: handled, duplicate, parked, queued (behind a parked one), skipped (not for this consumer)",
    ["consumer", "outcome"],
)
BATCH_SECONDS = Histogram(
    "bdcan_consumer_batch_seconds", "Time from poll to committed transaction", ["consumer"], buckets=_FAST
)
EVENT_DELAY = Histogram(
    "bdcan_consumer_delay_seconds",
    "Age of the newest record of a batch when the batch has been committed",
    ["consumer"],
    buckets=_SLOW,
)
LAG = Gauge(
    "bdcan_consumer_lag_records", "Records on the broker that the consumer has not read", ["consumer"]
)
RETRIES = Counter("bdcan_consumer_retries_total", "Batches retried after a transient failure", ["consumer"])
BLOCKED = Gauge(
    "bdcan_consumer_blocked", "1 while a consumer waits for a transient failure to end", ["consumer"]
)
STOPPED = Gauge(
    "bdcan_consumer_stopped",
    "1 when a consumer has stopped because too many records were parked",
    ["consumer"],
)
CLOCK_BEHIND = Gauge(
    "bdcan_consumer_clock_behind_seconds",
    "Domain time by which the last batch's newest event was ahead of this process's clock: one of the two clocks is wrong",
    ["consumer"],
)
REBALANCES = Counter(
    "bdcan_consumer_rebalances_total", "Partition assignments that a consumer has received", ["consumer"]
)

# The outbox and its relay
OUTBOX_PENDING = Gauge(
    "bdcan_outbox_pending_rows", "Events that are committed but not yet on Kafka", ["traffic_class"]
)
OUTBOX_OLDEST = Gauge(
    "bdcan_outbox_oldest_seconds", "Age of the oldest event that is not yet on Kafka", ["traffic_class"]
)
RELAYED = Counter("bdcan_relay_events_total", "Events that the broker has acknowledged", ["traffic_class"])
RELAY_FAILURES = Counter(
    "bdcan_relay_failures_total", "Rounds of the relay that failed and were retried", ["traffic_class"]
)
RELAY_LEADER = Gauge("bdcan_relay_leader", "1 in the process whose relay sends", ["traffic_class"])

# Deadlines, planners and gateways
DEADLINES_FIRED = Counter("bdcan_deadlines_fired_total", "Deadlines that came due and were handled", ["kind"])
DEADLINE_LATENESS = Histogram(
    "bdcan_deadline_lateness_seconds", "Domain time between due and handled", ["kind"], buckets=_SLOW
)
DEADLINES_OVERDUE = Gauge(
    "bdcan_deadlines_overdue", "Deadlines past due by more than a minute of domain time", ["kind"]
)
DEADLINES_FAILING = Gauge(
    "bdcan_deadlines_failing", "Deadlines whose handler failed and that wait for a retry", ["kind"]
)
PASS_SECONDS = Histogram(
    "bdcan_pass_seconds", "Duration of one pass of a planner or gateway", ["name"], buckets=_SLOW
)
PASS_CHANGES = Counter(
    "bdcan_pass_changes_total", "Changes that passes of a planner or gateway have made", ["name"]
)
PASS_FAILURES = Counter("bdcan_pass_failures_total", "Passes that failed and were rolled back", ["name"])

# Dead letters
DEAD_LETTERS = Gauge(
    "bdcan_dead_letters", "Open dead letters, by state: parked or queued", ["consumer", "state"]
)

# The API
REQUESTS = Counter("bdcan_http_requests_total", "HTTP requests answered", ["method", "route", "status"])
REQUEST_SECONDS = Histogram(
    "bdcan_http_request_seconds", "Time to answer an HTTP request", ["method", "route"], buckets=_FAST
)
LIMITED = Counter(
    "bdcan_http_limited_total",
    "Requests refused and connections closed by a limit: of a rate, a size, a time, or the number of connections",
    ["reason"],
)

# Credentials
SIGN_INS_REFUSED = Counter(
    "bdcan_sign_ins_refused_total",
    "Requests whose sender is not known, by what they showed: token, api-key, nothing",
    ["shown"],
)
API_KEY_EXPIRES = Gauge(
    "bdcan_api_key_expires_timestamp_seconds",
    "When the last live API key of a name expires; a name with a key that never expires has none",
    ["name"],
)
CREDENTIALS_UNREADABLE = Gauge(
    "bdcan_credentials_unreadable",
    "1 while a changed file of credentials cannot be read: what it said before is still in force",
    ["setting"],
)

# The audit
AUDIT_HEAD = Gauge(
    "bdcan_audit_head_seq", "Number of the newest row of the service's audit: it never goes down"
)
AUDIT_BUSY = Gauge(
    "bdcan_audit_busy_accounts",
    "Accounts that were shown more people in the last hour of domain time than BDCAN_SHOWN_PER_HOUR; the log names them",
)

# The process
SAMPLE_FAILURES = Counter(
    "bdcan_sample_failures_total", "Rounds in which the gauges read from the database could not be read"
)

# Retention
RETENTION_PAST = Gauge(
    "bdcan_retention_past_rows", "Rows that are past their time and still held, by kind of record", ["kind"]
)
RETENTION_RUN = Gauge(
    "bdcan_retention_run_timestamp_seconds", "When housekeeping last ended what was past its time"
)
