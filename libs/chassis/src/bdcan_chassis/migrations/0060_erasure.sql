-- Subjects that are to be erased, and the tombstones of those that were. Ids and times only.
CREATE TABLE chassis.erasure (
    subject_id uuid PRIMARY KEY,
    erasure_id uuid NOT NULL,
    requested_at timestamptz NOT NULL,
    erase_by timestamptz NOT NULL,
    waits_for text[] NOT NULL DEFAULT '{}',
    erased_at timestamptz
);
