-- What a volunteer reported of a task that was done, wholly or in part. Rows are only ever added.
CREATE TABLE completion (
    task_id uuid NOT NULL,
    referral_id uuid NOT NULL,
    volunteer_id uuid NOT NULL,
    caller text NOT NULL,
    kind text NOT NULL,
    missing text[] NOT NULL DEFAULT '{}',
    spent_pence integer,
    receipt boolean,
    change_pence integer,
    handed text,
    bags integer,
    arrived boolean,
    seen text,
    homes integer,
    reported_at timestamptz NOT NULL
);
CREATE INDEX completion_by_task ON completion (task_id, reported_at);
COMMENT ON TABLE completion IS 'append-only: reported_at, referral_id';
