-- When an alarm is raised because nobody has rung. Each call that must be made has a deadline for it.
ALTER TABLE welfare_call ADD COLUMN alarm_at timestamptz;

UPDATE welfare_call SET alarm_at = due_at
WHERE state IN ('due', 'unanswered', 'claimed') AND review IS NULL AND hub_id IS NOT NULL;

INSERT INTO chassis.deadline (kind, subject, due_at)
SELECT 'call', referral_id, alarm_at FROM welfare_call WHERE alarm_at IS NOT NULL;
