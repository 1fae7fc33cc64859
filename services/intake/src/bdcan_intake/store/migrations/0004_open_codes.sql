-- The vocabulary names the outcomes (docs/adr/0012).
-- squawk-ignore ban-drop-constraint
ALTER TABLE referral DROP CONSTRAINT referral_outcome_check;
