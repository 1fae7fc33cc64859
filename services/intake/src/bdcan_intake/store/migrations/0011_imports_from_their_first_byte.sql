-- An import is on record before its file has arrived; the figures grow with each transaction that takes rows on.
ALTER TABLE referral_import ADD COLUMN state text NOT NULL DEFAULT 'done';
-- Rows that were taken on with a detail that nobody could read.
ALTER TABLE referral_import ADD COLUMN kept int NOT NULL DEFAULT 0;
-- The rows that the file has. Null: it has not been read.
ALTER TABLE referral_import ADD COLUMN row_count int;
ALTER TABLE referral_import ADD COLUMN ended_at timestamptz;
