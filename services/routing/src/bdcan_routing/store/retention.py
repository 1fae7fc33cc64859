"""How long routing keeps what it holds about people. `docs/privacy.md` shows it."""

from __future__ import annotations

from datetime import timedelta

from bdcan_chassis.retention import Kept

_TASK = "public task: the council's help in an emergency (UK GDPR art. 6(1)(e))"

_NO_FACTS = """facts || '{"postcode": null, "household": null, "diets": [], "flags": []}'"""
_NO_WORDS = """CASE WHEN verdict ? 'explanation' THEN verdict || '{"explanation": ""}' ELSE verdict END"""

KEPT = (
    Kept(
        "homes",
        "assignment",
        "postcode, household, diets and flags of a referral, and how it was placed",
        "to place the referral, and again if it is reopened",
        _TASK,
        timedelta(days=365),
        f"t.state IN ('ended', 'out-of-area') AND t.changed_at < :before AND (t.facts IS DISTINCT FROM {_NO_FACTS}"
        f" OR t.verdict IS DISTINCT FROM {_NO_WORDS} OR t.earlier IS NOT NULL OR t.decided_by IS NOT NULL)",
        {"facts": _NO_FACTS, "verdict": _NO_WORDS, "earlier": "NULL", "decided_by": "NULL"},
        of_subjects="t.referral_id = ANY (:subject_ids)",
    ),
    Kept(
        "decisions",
        "decision",
        "which account decided what about a referral, with a code",
        "to account for decisions",
        _TASK,
        timedelta(days=6 * 365),
        "t.decided_at < :before",
        stays_about="t.referral_id = ANY (:subject_ids)",
        history="decided_at",
    ),
    Kept(
        "hub changes",
        "hub_change",
        "which account changed what about a hub, with a code",
        "to account for decisions",
        _TASK,
        timedelta(days=6 * 365),
        "t.changed_at < :before",
        history="changed_at",
    ),
    Kept(
        "hand-overs",
        "hub_handover",
        "which account had a hub hand its open work over",
        "to account for decisions",
        _TASK,
        timedelta(days=6 * 365),
        "t.ended_at < :before",
    ),
)
"""In the order in which they end. The assignment stays with its hub and its times, for the borough's figures."""
