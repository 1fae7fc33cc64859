-- no transaction
-- Few parcels are owed anything.
CREATE INDEX CONCURRENTLY IF NOT EXISTS parcel_owed ON parcel (due_at, parcel_id) WHERE owed_due_at IS NOT NULL;
