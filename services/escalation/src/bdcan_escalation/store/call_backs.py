"""The call-backs that counted."""

from __future__ import annotations

from bdcan_chassis.table import Statement

# Remember a call-back; returns no row if it counted before.
TAKE = Statement(
    """
    INSERT INTO call_back (event_id, escalation_id, said, heard_at)
    VALUES (:event_id, :escalation_id, :said, :heard_at)
    ON CONFLICT DO NOTHING RETURNING true
    """
)
