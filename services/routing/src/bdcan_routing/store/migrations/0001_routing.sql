-- Hubs as they now stand; a borough configures its own, the first nine are illustrative.
CREATE TABLE hub (
    hub_id text PRIMARY KEY CHECK (hub_id ~ '^[a-z0-9]+(-[a-z0-9]+)*$'),
    name text NOT NULL,
    cover text[] NOT NULL DEFAULT '{}',
    paused boolean NOT NULL DEFAULT false,
    pause_reason text,
    illustrative boolean NOT NULL DEFAULT false,
    version int NOT NULL CHECK (version >= 1),
    configured_at timestamptz NOT NULL,
    CHECK (paused = (pause_reason IS NOT NULL))
);

-- A ward has one hub at most. Its code says its vintage; both are kept because events carry both.
CREATE TABLE hub_ward (
    ward_gss text PRIMARY KEY CHECK (ward_gss ~ '^E05[0-9]{6}$'),
    vintage int NOT NULL,
    hub_id text NOT NULL REFERENCES hub (hub_id)
);
CREATE INDEX hub_ward_hub ON hub_ward (hub_id);

-- Postcode tables that were loaded. One is active; the one before it keeps its rows, to go back to.
CREATE TABLE gazetteer_release (
    release_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('coarse', 'code-point-open')),
    digest text NOT NULL,
    vintage int NOT NULL,
    unit_count int NOT NULL,
    borough_count int NOT NULL,
    active boolean NOT NULL DEFAULT false,
    imported_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX gazetteer_release_active ON gazetteer_release (active) WHERE active;

-- Exact postcodes. ward_gss is empty outside the borough.
CREATE TABLE gazetteer_unit (
    release_id bigint NOT NULL REFERENCES gazetteer_release (release_id) ON DELETE CASCADE,
    postcode text NOT NULL,
    easting int,
    northing int,
    district_gss text NOT NULL,
    ward_gss text,
    PRIMARY KEY (release_id, postcode)
);

-- How many postcodes of a prefix (sector and letter, sector, outcode) lie in which place: a ward, or a district outside.
CREATE TABLE gazetteer_share (
    release_id bigint NOT NULL REFERENCES gazetteer_release (release_id) ON DELETE CASCADE,
    prefix text NOT NULL,
    place_gss text NOT NULL,
    postcodes int NOT NULL CHECK (postcodes > 0),
    PRIMARY KEY (release_id, prefix, place_gss)
);

-- One row for each referral. `amendment` is the referral's version last seen, `version` counts what was published.
CREATE TABLE assignment (
    referral_id uuid PRIMARY KEY,
    state text NOT NULL CHECK (state IN ('awaited', 'held', 'assigned', 'out-of-area', 'ended')),
    version int NOT NULL,
    amendment int NOT NULL,
    outreach boolean NOT NULL,
    contact_due_at timestamptz,
    facts jsonb,
    verdict jsonb,
    hub_id text,
    triage_reason text,
    triage_due_at timestamptz,
    held_at timestamptz,
    decided_by text,
    updated_at timestamptz NOT NULL,
    CHECK (state <> 'held' OR (triage_due_at IS NOT NULL AND triage_reason IS NOT NULL)),
    CHECK (state <> 'assigned' OR hub_id IS NOT NULL)
);
CREATE INDEX assignment_held ON assignment (triage_due_at, referral_id) WHERE state = 'held';
CREATE INDEX assignment_hub ON assignment (hub_id, state) WHERE hub_id IS NOT NULL;
