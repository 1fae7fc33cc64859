-- no transaction
CREATE INDEX CONCURRENTLY task_in_hand_by_referral ON task_in_hand (referral_id) WHERE volunteer_id IS NOT NULL;
