-- One request for help. Says nothing about whose it is: that is in resident.
CREATE TABLE referral (
    id uuid PRIMARY KEY,
    source text NOT NULL,
    reference text,
    import_id uuid,
    channel text NOT NULL,
    priority text NOT NULL CHECK (priority IN ('urgent', 'standard', 'routine')),
    outreach boolean NOT NULL,
    state text NOT NULL CHECK (state IN ('received', 'assigned', 'in-contact', 'being-helped', 'closed')),
    version int NOT NULL,
    hub_id text,
    assignment_version int NOT NULL,
    called boolean NOT NULL,
    out_of_area boolean NOT NULL,
    withdrawn_reason text,
    outcome text CHECK (outcome IN (
        'helped', 'partly-helped', 'declined', 'referred-on', 'out-of-area', 'withdrawn', 'merged'
    )),
    owner text,
    due_at timestamptz,
    received_at timestamptz NOT NULL,
    contact_due_at timestamptz NOT NULL,
    closed_at timestamptz,
    adults smallint,
    children smallint,
    infants smallint,
    diets text[] NOT NULL,
    flags text[] NOT NULL,
    CONSTRAINT nobody_falls_through CHECK (state = 'closed' OR (owner IS NOT NULL AND due_at IS NOT NULL)),
    CONSTRAINT closed_has_outcome CHECK ((state = 'closed') = (outcome IS NOT NULL))
) WITH (fillfactor = 70);  -- every event rewrites rows: room on the page keeps the indexes out of it
-- The sender's own reference: the same source and reference is the same request.
CREATE UNIQUE INDEX referral_reference ON referral (source, reference) WHERE reference IS NOT NULL;
CREATE INDEX referral_hub ON referral (hub_id, id) WHERE hub_id IS NOT NULL;

-- One thing that a referral asks for. No foreign key, here and in resident: they are only ever written beside their
-- referral, in its transaction, and the check would plan a query per row: half of what taking on a need costs.
CREATE TABLE need (
    referral_id uuid NOT NULL,
    id uuid NOT NULL,
    code text NOT NULL,
    lane text NOT NULL CHECK (lane IN ('food', 'community', 'complex', 'safeguarding')),
    state text NOT NULL CHECK (state IN ('open', 'in-hand', 'met', 'unmet', 'referred-on', 'withdrawn')),
    reason text,
    owner text,
    due_at timestamptz,
    fact_at timestamptz NOT NULL,
    fact_rank smallint NOT NULL,
    PRIMARY KEY (referral_id, id),
    CONSTRAINT owned_and_due CHECK (
        state IN ('met', 'unmet', 'referred-on', 'withdrawn') OR (owner IS NOT NULL AND due_at IS NOT NULL)
    )
) WITH (fillfactor = 70);

-- The story of a referral, an entry per event; kept in one place per referral, told in the order of time.
CREATE TABLE timeline (
    referral_id uuid NOT NULL,
    event_key uuid NOT NULL,
    at timestamptz NOT NULL,
    kind text NOT NULL,
    need_id uuid,
    detail jsonb NOT NULL,
    PRIMARY KEY (referral_id, event_key)
);

-- PERSONAL: who asked for help. The only place where it stands.
CREATE TABLE resident (
    referral_id uuid PRIMARY KEY,
    name text,
    phone text,
    email text,
    birth_date date,
    nhs_number text,
    address text,
    postcode text,
    notes text,
    consent boolean,
    content_hash bytea NOT NULL
);

-- PERSONAL: who wants to volunteer, as typed; volunteer-match asks for it once, by disclosure.
CREATE TABLE volunteer_enquiry (
    id uuid PRIMARY KEY,
    name text,
    phone text,
    email text,
    postcode text,
    notes text,
    task_kinds text[] NOT NULL,
    has_car boolean,
    received_at timestamptz NOT NULL
);

-- Who was told what about whom, and why. The subject is a referral or a volunteer's enquiry.
CREATE TABLE disclosure (
    id uuid PRIMARY KEY,
    subject_id uuid NOT NULL,
    purpose text NOT NULL,
    fields text[] NOT NULL,
    caller text NOT NULL,
    reason text NOT NULL,
    disclosed_at timestamptz NOT NULL
);
CREATE INDEX disclosure_subject ON disclosure (subject_id, id);

-- A file that was handed in, and what became of its rows.
CREATE TABLE referral_import (
    id uuid PRIMARY KEY,
    source text NOT NULL,
    caller text NOT NULL,
    sha256 text NOT NULL,
    accepted int NOT NULL,
    duplicates int NOT NULL,
    refused int NOT NULL,
    imported_at timestamptz NOT NULL
);

-- What is wrong with which row; never what the row said.
CREATE TABLE referral_import_error (
    import_id uuid NOT NULL REFERENCES referral_import (id),
    place int NOT NULL,
    line int NOT NULL,
    reference text,
    field text NOT NULL,
    code text NOT NULL,
    message text NOT NULL,
    PRIMARY KEY (import_id, place)
);
