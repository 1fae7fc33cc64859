-- A referral that follows a closed one, and referrals that may be about the same people.
ALTER TABLE referral ADD COLUMN previous_referral_id uuid;
ALTER TABLE referral ADD COLUMN next_referral_id uuid;
ALTER TABLE referral ADD COLUMN past_reference text;
ALTER TABLE referral ADD COLUMN same_person_ids uuid [] NOT NULL DEFAULT '{}';
ALTER TABLE referral ADD COLUMN same_household_ids uuid [] NOT NULL DEFAULT '{}';
ALTER TABLE resident ADD COLUMN compared boolean NOT NULL DEFAULT FALSE;
ALTER TABLE resident ADD COLUMN likeness_keys text [] NOT NULL DEFAULT '{}';

-- Notes are added, never changed.
CREATE TABLE note (
    id uuid PRIMARY KEY,
    referral_id uuid NOT NULL,
    text text NOT NULL,
    author text NOT NULL,
    noted_at timestamptz NOT NULL,
    call_id uuid
);
CREATE INDEX note_referral ON note (referral_id, id);

-- The volunteer that an enquiry became, and when that volunteer left.
ALTER TABLE volunteer_enquiry ADD COLUMN volunteer_id uuid;
ALTER TABLE volunteer_enquiry ADD COLUMN erased_at timestamptz;
