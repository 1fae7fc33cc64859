-- When it was last said to be late: what happens next is not earlier, whatever the next process's clock says.
ALTER TABLE escalation ADD COLUMN overdue_at timestamptz;
-- Behind the last call that spoke of the needs: a refusal is later than that, so that the hub calls again.
ALTER TABLE escalation ADD COLUMN spoken_of_until timestamptz;
