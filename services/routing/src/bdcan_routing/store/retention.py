"""How long routing keeps what it holds about people. `docs/privacy.md` shows it."""

from __future__ import annotations

from datetime import timedelta

from bdcan_chassis.retention import Kept

_TASK = "public task: the council's help in an emergency (UK GDPR art. 6(1)(e))"

KEPT = (
    Kept(
        "homes",
        "assignment",
        "postcode, household, diets and flags of a referral, and how it was placed",
        "to place the referral, and again if it is reopened",
        _TASK,
        timedelta(days=365),
        "t.state IN ('ended', 'out-of-area') AND t.changed_at < :before"
        " AND (t.facts IS NOT NULL OR t.verdict IS NOT NULL OR t.earlier IS NOT NULL)",
        {"facts": "NULL", "verdict": "NULL", "earlier": "NULL"},
    ),
    Kept(
        "decisions",
        "decision",
        "which account decided what about a referral, with a code",
        "to account for decisions",
        _TASK,
        timedelta(days=6 * 365),
        "t.decided_at < :before",
    ),
)
"""In the order in which they end. The assignment stays with its hub and its times, for the borough's figures."""
