-- no transaction
-- The list of what a person must see to.
CREATE INDEX CONCURRENTLY IF NOT EXISTS parcel_noticed ON parcel (due_at, parcel_id) WHERE noticed;
