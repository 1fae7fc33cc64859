-- Who goes where, in which order: a row for each person's round. The stops are in the row, because they change together.
CREATE TABLE round (
    round_id uuid PRIMARY KEY,
    plan_id uuid NOT NULL,
    hub_id text NOT NULL,
    volunteer_id uuid NOT NULL,
    means text NOT NULL CHECK (means IN ('car', 'bicycle', 'foot')),
    room integer NOT NULL CHECK (room >= 1),
    start text NOT NULL,
    start_name text,
    leaves_at timestamptz NOT NULL,
    back_by timestamptz NOT NULL,
    back_at timestamptz NOT NULL,
    metres integer NOT NULL,
    stops jsonb NOT NULL,
    left_out jsonb NOT NULL DEFAULT '[]',
    state text NOT NULL DEFAULT 'proposed' CHECK (state IN ('proposed', 'confirmed', 'cancelled')),
    version integer NOT NULL DEFAULT 1,
    planned_by text NOT NULL,
    proposed_at timestamptz NOT NULL,
    settled_at timestamptz,
    changed_at timestamptz NOT NULL,
    CHECK (back_by > leaves_at)
);

CREATE INDEX round_by_start ON round (leaves_at, round_id);
CREATE INDEX round_of_volunteer ON round (volunteer_id);
