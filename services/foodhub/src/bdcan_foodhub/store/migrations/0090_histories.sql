-- Rows of a history are added and never changed: the time of a row, and whom or what it is about.
COMMENT ON TABLE movement IS 'append-only: moved_at, cause; forgets cause';
-- The ledger has to add up for ever, but after some years nobody need know for which parcel something went out.
-- No release reads the column as a value of its own: it only compares it.
-- squawk-ignore ban-drop-not-null
ALTER TABLE movement ALTER COLUMN cause DROP NOT NULL;
