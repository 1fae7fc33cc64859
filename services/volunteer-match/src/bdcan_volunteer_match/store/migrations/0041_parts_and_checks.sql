-- What each hub has agreed with a volunteer. A row without parts is of the release before: its other columns hold for each hub.
ALTER TABLE volunteer ADD COLUMN parts jsonb NOT NULL DEFAULT '[]';
-- The hubs that look into a concern.
ALTER TABLE volunteer ADD COLUMN suspended_by text[] NOT NULL DEFAULT '{}';

-- What somebody saw of a volunteer's check, for a hub. Rows are only ever added, but for the reference of one who left.
CREATE TABLE volunteer_check (
    volunteer_id uuid NOT NULL,
    hub_id text NOT NULL,
    kind text NOT NULL,
    reference text,
    issued_on date,
    seen_on date,
    valid_until timestamptz,
    reason text,
    caller text NOT NULL,
    recorded_at timestamptz NOT NULL
);
CREATE INDEX volunteer_check_by_volunteer ON volunteer_check (volunteer_id, recorded_at);
