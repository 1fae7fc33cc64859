-- The resident's home lies outside the borough: another council must help.
ALTER TABLE referral ADD COLUMN out_of_area boolean NOT NULL DEFAULT false;
