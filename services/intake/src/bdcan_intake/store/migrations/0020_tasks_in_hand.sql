-- Who has a task in hand: only they may read what it is about.
CREATE TABLE task_in_hand (
    task_id uuid PRIMARY KEY,
    referral_id uuid NOT NULL,
    kind text NOT NULL,
    told_at timestamptz NOT NULL,
    need_id uuid,
    volunteer_id uuid
);

ALTER TABLE note ADD COLUMN for_doer boolean NOT NULL DEFAULT false;
