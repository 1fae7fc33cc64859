-- Rows of a history are added and never changed: the time of a row, and whom or what it is about.
COMMENT ON TABLE decision IS 'append-only: decided_at, subject_id';
COMMENT ON TABLE task_act IS 'append-only: acted_at, task_id';
COMMENT ON TABLE call_attempt IS 'append-only: made_at, referral_id';
COMMENT ON TABLE uncounted_attempt IS 'append-only: made_at, referral_id';
COMMENT ON TABLE concern IS 'append-only: raised_at, task_id';
COMMENT ON TABLE volunteer_check IS 'append-only: recorded_at, volunteer_id; forgets reference';
