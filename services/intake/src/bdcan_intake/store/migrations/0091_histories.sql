-- Rows of a history are added and never changed: the time of a row, and whom or what it is about.
COMMENT ON TABLE timeline IS 'append-only: at, referral_id';
COMMENT ON TABLE note IS 'append-only: noted_at, referral_id';
COMMENT ON TABLE erased_reference IS 'append-only';
COMMENT ON TABLE erased_reference_secret IS 'append-only';
