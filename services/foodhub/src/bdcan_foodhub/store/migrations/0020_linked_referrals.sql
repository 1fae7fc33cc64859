ALTER TABLE referral
    ADD COLUMN same_person_ids uuid[] NOT NULL DEFAULT '{}',
    ADD COLUMN same_household_ids uuid[] NOT NULL DEFAULT '{}',
    ADD COLUMN linked_at timestamptz;
