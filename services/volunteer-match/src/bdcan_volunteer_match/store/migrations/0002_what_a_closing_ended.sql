-- A referral that was closed goes on if a need turns up that the closing did not list; one that was withdrawn does not.
ALTER TABLE welfare_call ADD COLUMN closed_needs uuid[] NOT NULL DEFAULT '{}';
ALTER TABLE welfare_call ADD COLUMN withdrawn boolean NOT NULL DEFAULT false;

-- When a row was changed last, by the clock of whoever did: the next one's time goes on from there. Null: before this column.
ALTER TABLE welfare_call ADD COLUMN changed_at timestamptz;
ALTER TABLE task ADD COLUMN changed_at timestamptz;
