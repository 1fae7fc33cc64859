"""The call-backs that counted."""

from __future__ import annotations

from bdcan_chassis.table import Statement

# Remember a call-back; returns no row if its case had one with this event id before.
TAKE = Statement(
    """
    INSERT INTO call_back (case_id, event_id, escalation_id, said, content, heard_at)
    VALUES (:case_id, :event_id, :escalation_id, :said, :content, :heard_at)
    ON CONFLICT DO NOTHING RETURNING true
    """
)

# Whether the call-back that the case had with this event id says the same.
SAYS_THE_SAME = Statement(
    """
    SELECT CASE content WHEN '' THEN said = :said AND escalation_id = :escalation_id ELSE content = :content END
    FROM call_back WHERE case_id = :case_id AND event_id = :event_id
    """
)
