ALTER TABLE volunteer ADD COLUMN dbs_expires_at timestamptz;

ALTER TABLE task
    ADD COLUMN returned_because text,
    ADD COLUMN stopped_by text,
    ADD COLUMN undecided text[] NOT NULL DEFAULT '{}',
    ADD COLUMN decided text[] NOT NULL DEFAULT '{}',
    ADD COLUMN respects text[] NOT NULL DEFAULT '{}',
    ADD COLUMN warnings text[] NOT NULL DEFAULT '{}';

ALTER TABLE welfare_call
    ADD COLUMN review text,
    ADD COLUMN review_by timestamptz,
    ADD COLUMN review_overdue boolean NOT NULL DEFAULT false,
    ADD COLUMN cleared text[] NOT NULL DEFAULT '{}',
    ADD COLUMN warnings text[] NOT NULL DEFAULT '{}';

CREATE INDEX welfare_call_review ON welfare_call (review_by, referral_id) WHERE review IS NOT NULL;

CREATE INDEX task_attention ON task (due_at, task_id)
    WHERE state IN ('open', 'offered', 'accepted') AND (
        unfilled OR stopped_by IS NOT NULL OR returned_because IS NOT NULL OR undecided <> '{}' OR warnings <> '{}'
    );

-- What a person decided, when and why: about the flags of a task, or about a call.
CREATE TABLE decision (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subject_id uuid NOT NULL,
    decision text NOT NULL,
    caller text NOT NULL,
    reason text NOT NULL,
    decided_at timestamptz NOT NULL
);

CREATE INDEX decision_subject ON decision (subject_id);
