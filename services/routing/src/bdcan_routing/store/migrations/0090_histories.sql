-- Rows of a history are added and never changed: the time of a row, and whom or what it is about.
COMMENT ON TABLE decision IS 'append-only: decided_at, referral_id';
