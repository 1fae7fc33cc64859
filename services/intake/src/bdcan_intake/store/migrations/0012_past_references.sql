-- no transaction
CREATE INDEX CONCURRENTLY referral_past_reference ON referral (source, past_reference)
WHERE past_reference IS NOT NULL;
