-- When a person should first have decided about a referral that still waits: each later look moves triage_due_at.
ALTER TABLE assignment ADD COLUMN late_since timestamptz;
