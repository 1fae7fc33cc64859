-- How many problems of a file are in no list, because a list has an end.
ALTER TABLE referral_import ADD COLUMN unlisted integer NOT NULL DEFAULT 0;
