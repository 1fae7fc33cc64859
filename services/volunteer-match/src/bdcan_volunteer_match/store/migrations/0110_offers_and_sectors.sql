ALTER TABLE welfare_call ADD COLUMN sector text;
ALTER TABLE task ADD COLUMN sector text;

CREATE TABLE task_offer (
    task_id uuid NOT NULL,
    number integer NOT NULL,
    volunteer_id uuid NOT NULL,
    offered_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    state text NOT NULL CHECK (state IN ('offered', 'accepted', 'refused', 'expired', 'withdrawn')),
    ended_at timestamptz,
    ring text,
    metres integer,
    because text[] NOT NULL DEFAULT '{}',
    not_asked jsonb NOT NULL DEFAULT '{}',
    caller text,
    reason text,
    PRIMARY KEY (task_id, number),
    CHECK ((state = 'offered') = (ended_at IS NULL))
);
CREATE INDEX task_offer_week ON task_offer (offered_at, volunteer_id);
CREATE INDEX task_offer_volunteer ON task_offer (volunteer_id);
-- a task has one live offer at most
CREATE UNIQUE INDEX task_offer_live ON task_offer (task_id) WHERE state = 'offered';

INSERT INTO task_offer (task_id, number, volunteer_id, offered_at, expires_at, state)
SELECT t.task_id, t.offers_made, t.volunteer_id, coalesce(v.last_offered_at, now()), t.offer_expires_at, 'offered'
FROM task AS t LEFT JOIN volunteer AS v USING (volunteer_id)
WHERE t.state = 'offered';
