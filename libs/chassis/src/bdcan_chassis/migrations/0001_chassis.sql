-- What the guarantees stand on; the same in every service's database.
CREATE SCHEMA IF NOT EXISTS chassis;

-- Each event that a consumer has taken over, for as long as any topic could deliver it again.
CREATE TABLE chassis.inbox (
    consumer text NOT NULL,
    event_key uuid NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer, event_key)
);
CREATE INDEX inbox_received_at ON chassis.inbox USING brin (received_at) WITH (autosummarize = on);

-- Events that are not yet on Kafka. A row goes when the broker has it; what is here is unsent.
CREATE TABLE chassis.outbox (
    traffic_class text NOT NULL,
    seq bigint GENERATED ALWAYS AS IDENTITY,
    id uuid NOT NULL,
    topic text NOT NULL,
    record_key bytea NOT NULL,
    headers bytea NOT NULL,
    body bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (traffic_class, seq)
) WITH (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 10000);

-- Promises with a time. One per kind and subject: setting it again moves it.
CREATE TABLE chassis.deadline (
    kind text NOT NULL,
    subject uuid NOT NULL,
    due_at timestamptz NOT NULL,
    failures int NOT NULL DEFAULT 0,
    last_error text,
    PRIMARY KEY (kind, subject)
) WITH (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 10000);
CREATE INDEX deadline_due_at ON chassis.deadline (due_at);

-- A key behind which later records wait, and the lock that replay and consumer share.
CREATE TABLE chassis.parked_key (
    consumer text NOT NULL,
    topic text NOT NULL,
    record_key bytea NOT NULL,
    parked_at timestamptz NOT NULL DEFAULT now(),
    replay_requested_at timestamptz,
    PRIMARY KEY (consumer, topic, record_key)
);

-- Records set aside, never dropped. state: parked (could not be handled), queued (waits behind one), replayed, discarded.
CREATE TABLE chassis.dead_letter (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id uuid NOT NULL UNIQUE,
    consumer text NOT NULL,
    topic text NOT NULL,
    record_partition int NOT NULL,
    record_offset bigint NOT NULL,
    record_time timestamptz NOT NULL,
    record_key bytea,
    headers bytea NOT NULL,
    body bytea,
    event_type text,
    state text NOT NULL CHECK (state IN ('parked', 'queued', 'replayed', 'discarded')),
    reason text NOT NULL,
    error text NOT NULL,
    taken boolean NOT NULL,
    parked_at timestamptz NOT NULL DEFAULT now(),
    settled_at timestamptz,
    replay_requested_at timestamptz,
    UNIQUE (consumer, topic, record_partition, record_offset, record_time)
);
CREATE INDEX dead_letter_open ON chassis.dead_letter (consumer, topic, record_key, seq)
    WHERE state IN ('parked', 'queued');
CREATE INDEX dead_letter_replay ON chassis.dead_letter (replay_requested_at)
    WHERE replay_requested_at IS NOT NULL AND state = 'parked';

-- Who looked at, replayed or discarded what, and why.
CREATE TABLE chassis.dead_letter_audit (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dead_letter_id uuid NOT NULL,
    act text NOT NULL CHECK (act IN ('shown', 'replay requested', 'replayed', 'discarded', 'failed again')),
    actor text NOT NULL,
    reason text NOT NULL,
    acted_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX dead_letter_audit_letter ON chassis.dead_letter_audit (dead_letter_id);

-- Replies that were given to requests with an Idempotency-Key.
CREATE TABLE chassis.idempotency_key (
    caller text NOT NULL,
    key text NOT NULL,
    request_hash bytea NOT NULL,
    status int NOT NULL,
    body bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (caller, key)
);
CREATE INDEX idempotency_key_created_at ON chassis.idempotency_key (created_at);
