-- The welfare calls that have reported an escalation's needs: a refusal answers these, and no later one.
ALTER TABLE escalation ADD COLUMN call_ids uuid[] NOT NULL DEFAULT '{}';
