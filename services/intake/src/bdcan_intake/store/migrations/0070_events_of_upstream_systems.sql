-- What upstream systems have sent, by the id that they gave it, with the receipt. No personal data.
CREATE TABLE known_event (
    event_key uuid PRIMARY KEY,
    content uuid NOT NULL,
    receipt jsonb NOT NULL,
    referral_id uuid,
    taken_at timestamptz NOT NULL
);
CREATE INDEX known_event_taken_at ON known_event (taken_at);
CREATE INDEX known_event_referral ON known_event (referral_id) WHERE referral_id IS NOT NULL;
