-- Hubs as routing tells them.
CREATE TABLE hub (
    hub_id text PRIMARY KEY,
    version int NOT NULL,
    name text NOT NULL,
    paused boolean NOT NULL
);

-- One row a referral: what its callers know, and the round of calls that stands. `circumstances` holds needs,
-- household, diets and flags, which are read and written as a whole and never searched.
CREATE TABLE welfare_call (
    referral_id uuid PRIMARY KEY,
    call_id uuid NOT NULL,
    state text NOT NULL CHECK (
        state IN ('awaiting', 'due', 'claimed', 'unanswered', 'answered', 'exhausted', 'cancelled')
    ),
    revision int NOT NULL,
    hub_id text,
    assignment_version int NOT NULL,
    amendment_version int NOT NULL,
    priority text NOT NULL CHECK (priority IN ('urgent', 'standard', 'routine')),
    outreach boolean NOT NULL,
    confirm_at_call boolean NOT NULL,
    circumstances jsonb NOT NULL,
    attempts int NOT NULL CHECK (attempts >= 0),
    misses int NOT NULL CHECK (misses BETWEEN 0 AND attempts),
    not_before timestamptz,
    due_at timestamptz,
    claimed_by text,
    claim_expires_at timestamptz,
    ended boolean NOT NULL,
    CHECK (state IN ('awaiting', 'cancelled') OR (hub_id IS NOT NULL AND not_before IS NOT NULL AND due_at IS NOT NULL)),
    CHECK ((state = 'claimed') = (claimed_by IS NOT NULL)),
    CHECK ((state = 'claimed') = (claim_expires_at IS NOT NULL)),
    CHECK (NOT (ended AND state IN ('awaiting', 'due', 'claimed', 'unanswered')))
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX welfare_call_call_id ON welfare_call (call_id);
CREATE INDEX welfare_call_to_make ON welfare_call (hub_id, due_at, referral_id)
    WHERE state IN ('due', 'unanswered', 'claimed');

-- Each call that was made. `caller` is the name of an account, as the access log has it.
CREATE TABLE call_attempt (
    call_id uuid NOT NULL,
    attempt int NOT NULL,
    referral_id uuid NOT NULL,
    outcome text NOT NULL,
    caller text NOT NULL,
    made_at timestamptz NOT NULL,
    PRIMARY KEY (call_id, attempt)
);
CREATE INDEX call_attempt_referral ON call_attempt (referral_id);

-- One thing that one volunteer does. `asked`: volunteer ids, separated by commas, who let it go by.
CREATE TABLE task (
    task_id uuid PRIMARY KEY,
    referral_id uuid NOT NULL,
    need_id uuid,
    parcel_id uuid,
    kind text NOT NULL,
    hub_id text NOT NULL,
    priority text NOT NULL CHECK (priority IN ('urgent', 'standard', 'routine')),
    requires_dbs boolean NOT NULL,
    state text NOT NULL CHECK (state IN ('open', 'offered', 'accepted', 'done', 'cancelled')),
    revision int NOT NULL,
    volunteer_id uuid,
    due_at timestamptz NOT NULL,
    alarm_at timestamptz NOT NULL,
    opened_at timestamptz NOT NULL,
    offer_expires_at timestamptz,
    do_by timestamptz,
    settled_at timestamptz,
    offers_made int NOT NULL CHECK (offers_made >= 0),
    failures int NOT NULL CHECK (failures >= 0),
    unfilled boolean NOT NULL,
    asked text NOT NULL,
    CHECK ((state IN ('offered', 'accepted', 'done')) = (volunteer_id IS NOT NULL)),
    CHECK ((state = 'offered') = (offer_expires_at IS NOT NULL)),
    CHECK ((state = 'accepted') = (do_by IS NOT NULL)),
    CHECK ((state IN ('done', 'cancelled')) = (settled_at IS NOT NULL))
) WITH (fillfactor = 80);
CREATE INDEX task_referral ON task (referral_id);
CREATE INDEX task_to_offer ON task (hub_id, kind, requires_dbs, due_at, task_id) WHERE state = 'open';
CREATE INDEX task_in_hand ON task (volunteer_id) WHERE state IN ('offered', 'accepted');
CREATE INDEX task_live ON task (due_at, task_id) WHERE state IN ('open', 'offered', 'accepted');
CREATE INDEX task_by_due ON task (due_at, task_id);

CREATE TABLE concern (
    concern_id uuid PRIMARY KEY,
    task_id uuid NOT NULL REFERENCES task,
    code text NOT NULL,
    volunteer_id uuid,
    raised_at timestamptz NOT NULL
);
CREATE INDEX concern_task ON concern (task_id);

-- What offers are decided by; who it is stands in volunteer_person alone.
CREATE TABLE volunteer (
    volunteer_id uuid PRIMARY KEY,
    state text NOT NULL CHECK (state IN ('enquired', 'active', 'paused', 'left')),
    version int NOT NULL,
    hub_ids text[] NOT NULL,
    task_kinds text[] NOT NULL,
    dbs_cleared boolean NOT NULL,
    has_car boolean NOT NULL,
    welcome_by timestamptz,
    paused_until timestamptz,
    last_offered_at timestamptz,
    CHECK ((state = 'enquired') = (welcome_by IS NOT NULL)),
    CHECK (paused_until IS NULL OR state = 'paused')
);
CREATE INDEX volunteer_state ON volunteer (state, volunteer_id);

-- Personal data: read through a view that is written down, gone when the volunteer leaves.
CREATE TABLE volunteer_person (
    volunteer_id uuid PRIMARY KEY REFERENCES volunteer,
    name text,
    phone text
);
CREATE TABLE contact_view (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    volunteer_id uuid NOT NULL REFERENCES volunteer,
    caller text NOT NULL,
    reason text NOT NULL,
    viewed_at timestamptz NOT NULL
);
CREATE INDEX contact_view_volunteer ON contact_view (volunteer_id);
