"""What each column of escalation's tables says about people. `docs/privacy.md` shows it; a test misses no column."""

from __future__ import annotations

from bdcan_chassis.columns import Columns

COLUMNS = (
    Columns("call_back", ids="escalation_id", person="case_id content", plain="event_id said heard_at"),
    Columns(
        "escalation",
        person="case_id reference",
        ids="escalation_id referral_id call_ids",
        plain="kind needs hub_id priority state opened_at acknowledge_by due_at next_attempt_at attempts in_doubt problem late forwarded_at acknowledged_at accepted_at ended_at reason outcome overdue_at spoken_of_until changed_at late_since",
    ),
    Columns(
        "referral",
        ids="referral_id",
        plain="hub_id assignment_version priority withdrawn_at withdrawn_needs changed_at out_of_area",
    ),
)
