-- What somebody is to hear, and what became of it. Ids, codes and times only: the name, the address and the text are looked up and made
-- when the message is sent, and are never kept.
CREATE TABLE chassis.message (
    message_id uuid PRIMARY KEY,
    kind text NOT NULL,
    recipient_kind text NOT NULL,
    recipient_id uuid NOT NULL,
    subject_id uuid NOT NULL,
    codes jsonb NOT NULL DEFAULT '{}',
    any_hour boolean NOT NULL DEFAULT false,
    told_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    next_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    state text NOT NULL CHECK (state IN ('queued', 'sending', 'sent', 'failed', 'given-up', 'dropped')),
    attempts int NOT NULL DEFAULT 0,
    in_doubt boolean NOT NULL DEFAULT false,
    channel text,
    refused text[] NOT NULL DEFAULT '{}',
    provider_id text,
    problem text,
    ended_at timestamptz
);
CREATE INDEX message_next_at ON chassis.message (next_at) WHERE state IN ('queued', 'sending');
CREATE INDEX message_recipient_id ON chassis.message (recipient_id);
CREATE INDEX message_subject_id ON chassis.message (subject_id);
CREATE INDEX message_ended_at ON chassis.message (ended_at) WHERE ended_at IS NOT NULL;
