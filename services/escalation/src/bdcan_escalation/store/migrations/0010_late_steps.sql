-- When the present step should have been done, while it is late: each later look moves due_at.
ALTER TABLE escalation ADD COLUMN late_since timestamptz;
