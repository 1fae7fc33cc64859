ALTER TABLE assignment
    ADD COLUMN earlier jsonb,
    ADD COLUMN withdrawn boolean NOT NULL DEFAULT false;

-- What a person decided about a referral, when and why.
CREATE TABLE decision (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    referral_id uuid NOT NULL,
    decision text NOT NULL,
    caller text NOT NULL,
    reason text NOT NULL,
    decided_at timestamptz NOT NULL
);

CREATE INDEX decision_referral ON decision (referral_id);
