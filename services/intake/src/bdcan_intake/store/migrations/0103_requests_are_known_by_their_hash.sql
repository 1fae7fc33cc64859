-- no transaction
CREATE UNIQUE INDEX CONCURRENTLY referral_reference_key ON referral (reference_key) WHERE reference IS NOT NULL;
