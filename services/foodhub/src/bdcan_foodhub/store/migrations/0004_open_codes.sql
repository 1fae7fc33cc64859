-- The vocabulary names the codes, and a newer release may send others (docs/adr/0012).
-- squawk-ignore ban-drop-constraint
ALTER TABLE parcel DROP CONSTRAINT parcel_code_check;
