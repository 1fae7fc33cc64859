-- squawk-ignore-file ban-drop-constraint, constraint-missing-not-valid, require-concurrent-index-deletion, require-concurrent-index-creation
-- The council may take a case and name it later, or answer two escalations with one case.
ALTER TABLE escalation DROP CONSTRAINT escalation_check2;
ALTER TABLE escalation ADD CONSTRAINT escalation_named
    CHECK (state NOT IN ('acknowledged', 'accepted', 'declined') OR case_id IS NOT NULL);
DROP INDEX escalation_case;
CREATE INDEX escalation_case ON escalation (case_id) WHERE case_id IS NOT NULL;
