-- What a role may read that watches and must not see what strangers wrote: no bodies, keys or texts of errors.
CREATE VIEW chassis.watched_letter AS
SELECT seq, id, consumer, topic, state, reason, split_part(error, ':', 1) AS error, event_type,
    substring(encode(body, 'escape') FROM '"referral_id"\s*:\s*"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"') AS about
FROM chassis.dead_letter WHERE state IN ('parked', 'queued');

CREATE VIEW chassis.watched_deadline AS
SELECT kind, subject, due_at, failures, split_part(last_error, ':', 1) AS error FROM chassis.deadline;
