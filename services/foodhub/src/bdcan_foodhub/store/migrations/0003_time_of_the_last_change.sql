-- When a row was changed last: times go on from there, whichever process goes on with it.
ALTER TABLE referral ADD COLUMN changed_at timestamptz;
ALTER TABLE stock ADD COLUMN changed_at timestamptz;
