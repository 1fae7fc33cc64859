"""Every metric of the chassis, in one list. Times are seconds of real time unless the text says otherwise."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics

from bdcan_chassis.sampled import Sampled

disable_created_metrics()  # one more series for each counter and histogram, which nobody reads

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
    "bdcan_consumer_lag_records",
    "Records on the broker that the consumer has not read; absent while Kafka does not say",
    ["consumer"],
)
RETRIES = Counter("bdcan_consumer_retries_total", "Batches retried after a transient failure", ["consumer"])
BLOCKED = Gauge(
    "bdcan_consumer_blocked",
    "1 while a consumer waits for a transient failure to end, or its database or Kafka does not answer",
    ["consumer"],
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
OUTBOX_PENDING = Sampled(
    "bdcan_outbox_pending_rows", "Events that are committed but not yet on Kafka", ["traffic_class"], known={}
)
OUTBOX_OLDEST = Sampled(
    "bdcan_outbox_oldest_seconds",
    "Age of the oldest event that is not yet on Kafka; 0 where none waits",
    ["traffic_class"],
    known={},
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
DEADLINES_OVERDUE = Sampled(
    "bdcan_deadlines_overdue",
    "Deadlines that have been due for more than a minute and that the worker has not looked at; broken promises are in"
    " bdcan_promises_late",
    ["kind"],
    known={},
)
DEADLINES_FAILING = Sampled(
    "bdcan_deadlines_failing", "Deadlines whose handler failed and that wait for a retry", ["kind"], known={}
)
PASS_SECONDS = Histogram(
    "bdcan_pass_seconds", "Duration of one pass of a planner or gateway", ["name"], buckets=_SLOW
)
PASS_CHANGES = Counter(
    "bdcan_pass_changes_total", "Changes that passes of a planner or gateway have made", ["name"]
)
PASS_FAILURES = Counter("bdcan_pass_failures_total", "Passes that failed and were rolled back", ["name"])
PASS_INTERVAL = Gauge(
    "bdcan_pass_interval_seconds", "Seconds between two passes at most, where nobody wakes it", ["name"]
)
PASS_ENDED = Gauge(
    "bdcan_pass_ended_timestamp_seconds",
    "When a pass of a planner or gateway last ended well, epoch seconds of real time",
    ["name"],
)

LOOP_PAUSED = Sampled(
    "bdcan_loop_paused",
    "1 while an operator has the loop stand still; urgent is yes where the safety of people depends on it",
    ["loop", "urgent"],
    known={},
)

# Dead letters
DEAD_LETTER_REASONS = (
    "bad-envelope",
    "bad-header",
    "unknown-type",
    "unknown-version",
    "misplaced",
    "bad-body",
    "bad-record",
    "handler-failed",
    "behind-parked",
)
"""Classes of reasons. `bad-record`: a handler found that it can never handle the record."""

DEAD_LETTERS = Sampled(
    "bdcan_dead_letters",
    "Open dead letters, by state: parked or queued; and by class of reason",
    ["consumer", "state", "reason"],
    known={"state": ("parked", "queued"), "reason": DEAD_LETTER_REASONS},
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
for _shown in ("token", "api-key", "nothing"):
    SIGN_INS_REFUSED.labels(_shown)
API_KEY_EXPIRES = Sampled(
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
AUDIT_HEAD = Sampled(
    "bdcan_audit_head_seq",
    "Number of the newest row of the service's audit: it never goes down, but by a restore, which `restored` tells of",
    ["restored"],
)
AUDIT_BUSY = Sampled(
    "bdcan_audit_busy_accounts",
    "Accounts that were shown more people in the last hour of domain time than BDCAN_SHOWN_PER_HOUR; the log names them",
)

# Promises to residents, volunteers and hubs. Each service counts its own.
NO_HUB = "none"
"""The label of what no hub owns, or of what must not be shown by hub."""

PROMISES = Counter(
    "bdcan_promises_total",
    "Promises that were kept or missed, by outcome: calls, triage, tasks, parcels, escalations, welcome",
    ["promise", "hub", "outcome"],
)
PROMISES_LATE = Sampled(
    "bdcan_promises_late",
    "Promises that are broken now: their time is past and they are not done; hub is none where no hub owns them",
    ["promise", "hub"],
    known={},
)
PROMISES_DUE_SOON = Sampled(
    "bdcan_promises_due_soon",
    "Promises that must be kept within the next hour or four hours of domain time, and are not done",
    ["promise", "hub", "within"],
    known={"within": ("1h", "4h")},
)
PROMISES_LATEST = Sampled(
    "bdcan_promise_latest_seconds",
    "By how much domain time the latest of the promises that are broken now is late; absent where none is",
    ["promise", "hub"],
)

# Messages to people
MESSAGES = Counter(
    "bdcan_messages_total",
    "Messages to people that ended, by result: sent, failed (each channel refused the recipient), given-up (too many attempts);"
    " or why they were dropped: expired, opted-out, no-address, gone, outdated, erased",
    ["kind", "channel", "result"],
)
MESSAGES_WAITING = Sampled(
    "bdcan_messages_waiting",
    "Messages to people that could be sent now and have not been, by kind; in quiet hours those that wait for the morning are none",
    ["kind"],
    known={},
)
MESSAGES_OLDEST = Sampled(
    "bdcan_messages_oldest_seconds", "For how long the first of the waiting messages could have been sent"
)
MESSAGE_PROBLEMS = Sampled(
    "bdcan_message_problems",
    "Messages to people that wait after a failed attempt, by the problem; no-way-to-send: no server is configured",
    ["problem"],
)

# The process
BUILD_INFO = Gauge("bdcan_build_info", "1, with the version and the commit that run", ["version", "commit"])
DOMAIN_TIME = Sampled(
    "bdcan_domain_time_seconds", "Domain time of this process, epoch seconds: a demo's clock runs faster"
)
DISK_USED = Sampled(
    "bdcan_disk_used_ratio", "Used share, 0 to 1, of the disk that this process runs on, as of the scrape"
)
EVENT_LOOP_LAG = Histogram(
    "bdcan_event_loop_lag_seconds",
    "By how much the event loop wakes a waiter too late, looked at once a second",
    buckets=(0.005, 0.02, 0.1, 0.5, 2.0, 10.0),
)
DATABASE_CONNECTED = Sampled(
    "bdcan_database_connected",
    "1 while the database answers a heartbeat within three seconds: a hang is no answer",
)
KAFKA_CONNECTED = Sampled(
    "bdcan_kafka_connected",
    "1 while Kafka answers a heartbeat within three seconds: a hang is no answer; absent in an API",
)
LAST_POLL = Sampled(
    "bdcan_kafka_last_poll_timestamp_seconds",
    "When a consumer last polled, epoch seconds of real time",
    ["consumer"],
)
POOL_CONNECTIONS = Sampled(
    "bdcan_database_pool_connections",
    "Connections of the pool, by state",
    ["state"],
    known={"state": ("busy", "idle")},
)
SAMPLE_FAILURES = Counter(
    "bdcan_sample_failures_total", "Rounds in which the gauges read from the database could not be read"
)
SAMPLE_TIME = Sampled(
    "bdcan_sample_timestamp_seconds",
    "When the gauges were last read from the database, epoch seconds of real time: older than 30 s, they are not live",
)
SAMPLE_SECONDS = Gauge("bdcan_sample_seconds", "How long the last reading of the gauges took")

# Traces
SPANS_EXPORTED = Counter("bdcan_spans_exported_total", "Spans that the collector of traces has taken")
SPANS_DROPPED = Counter(
    "bdcan_spans_dropped_total",
    "Spans that were dropped, by reason: no-collector (it refused them or did not answer), too-many (too many waited)",
    ["reason"],
)

# Retention
RETENTION_PAST = Sampled(
    "bdcan_retention_past_rows", "Rows that are past their time and still held, by kind of record", ["kind"]
)
RETENTION_RUN = Sampled(
    "bdcan_retention_run_timestamp_seconds",
    "When housekeeping last ended what was past its time, epoch seconds of real time",
)
