-- no transaction
-- What comes in goes first to those who wait for it.
CREATE INDEX CONCURRENTLY IF NOT EXISTS parcel_owed_items ON parcel (site_id) WHERE owed_items <> '{}';
