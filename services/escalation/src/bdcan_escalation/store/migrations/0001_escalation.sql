-- What escalation knows of a referral: which hub has it, how urgent it is, and whether it was withdrawn.
CREATE TABLE referral (
    referral_id uuid PRIMARY KEY,
    hub_id text,
    assignment_version int NOT NULL DEFAULT 0,
    priority text NOT NULL DEFAULT 'standard' CHECK (priority IN ('urgent', 'standard', 'routine')),
    withdrawn_at timestamptz
);

-- Needs handed to Community Solutions. next_attempt_at: when the gateway may take it (the end of a lease, while
-- it is being forwarded). Never a name, an address or a word about the person: those pass through and are not kept.
CREATE TABLE escalation (
    escalation_id uuid PRIMARY KEY,
    referral_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('safeguarding', 'complex', 'welfare-concern')),
    needs jsonb NOT NULL,
    hub_id text,
    priority text NOT NULL CHECK (priority IN ('urgent', 'standard', 'routine')),
    state text NOT NULL CHECK (state IN ('opened', 'forwarding', 'unverified', 'forwarded', 'acknowledged',
        'accepted', 'declined', 'closed')),
    opened_at timestamptz NOT NULL,
    acknowledge_by timestamptz NOT NULL,
    due_at timestamptz,
    next_attempt_at timestamptz NOT NULL,
    attempts int NOT NULL CHECK (attempts >= 0),
    in_doubt boolean NOT NULL,
    problem text,
    late text CHECK (late IN ('forward', 'acknowledge', 'decide')),
    case_id text,
    reference text,
    forwarded_at timestamptz,
    acknowledged_at timestamptz,
    accepted_at timestamptz,
    ended_at timestamptz,
    reason text,
    outcome text,
    CHECK ((due_at IS NULL) = (state IN ('declined', 'closed'))),
    CHECK (state <> 'unverified' OR in_doubt),
    CHECK (state NOT IN ('forwarded', 'acknowledged', 'accepted', 'declined') OR case_id IS NOT NULL)
);
CREATE INDEX escalation_referral ON escalation (referral_id);
CREATE INDEX escalation_unsent ON escalation (next_attempt_at) WHERE state IN ('opened', 'forwarding', 'unverified');
CREATE INDEX escalation_by_state ON escalation (state, opened_at, escalation_id);
CREATE INDEX escalation_late ON escalation (escalation_id) WHERE late IS NOT NULL;
CREATE UNIQUE INDEX escalation_case ON escalation (case_id) WHERE case_id IS NOT NULL;

-- Call-backs that were taken: the same one again changes nothing.
CREATE TABLE call_back (
    event_id text PRIMARY KEY,
    escalation_id uuid NOT NULL,
    said text NOT NULL,
    heard_at timestamptz NOT NULL
);
