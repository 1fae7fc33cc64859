-- When the row was changed last, by the clock of whoever did: the next one's time goes on from there. Null: not since it came in.
ALTER TABLE referral ADD COLUMN changed_at timestamptz;
