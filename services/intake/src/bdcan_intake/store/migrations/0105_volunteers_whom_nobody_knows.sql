-- Ids in a request to erase of which volunteer-match knows nobody.
ALTER TABLE erasure ADD COLUMN unknown_ids uuid[] NOT NULL DEFAULT '{}';
