-- no transaction
CREATE INDEX CONCURRENTLY referral_past_reference_key ON referral (reference_key) WHERE past_reference IS NOT NULL;
