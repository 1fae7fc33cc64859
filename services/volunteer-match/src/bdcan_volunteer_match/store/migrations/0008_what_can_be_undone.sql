ALTER TABLE welfare_call ADD COLUMN last jsonb;

-- Calls that reached nobody and do not count: before their slot, or at an hour at which nobody may be rung.
CREATE TABLE uncounted_attempt (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    call_id uuid NOT NULL,
    referral_id uuid NOT NULL,
    outcome text NOT NULL,
    caller text NOT NULL,
    made_at timestamptz NOT NULL
);

CREATE INDEX uncounted_attempt_referral ON uncounted_attempt (referral_id);
