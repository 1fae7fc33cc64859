-- no transaction
CREATE INDEX CONCURRENTLY welfare_call_list ON welfare_call (hub_id, priority, due_at, referral_id)
WHERE state IN ('due', 'unanswered') AND review IS NULL;
