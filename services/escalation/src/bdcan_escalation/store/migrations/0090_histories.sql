-- Rows of a history are added and never changed: the time of a row, and whom or what it is about.
COMMENT ON TABLE call_back IS 'append-only: heard_at, escalation_id';
