-- Closed referrals that may be about the same person: the newest first.
ALTER TABLE referral ADD COLUMN earlier_referral_ids uuid[] NOT NULL DEFAULT '{}';
