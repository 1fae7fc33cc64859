-- no transaction
CREATE INDEX CONCURRENTLY resident_to_compare ON resident (referral_id) WHERE NOT compared;
