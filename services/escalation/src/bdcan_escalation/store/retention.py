"""How long escalation keeps what it holds about people. `docs/privacy.md` shows it."""

from __future__ import annotations

from datetime import timedelta

from bdcan_chassis.retention import Kept
from bdcan_chassis.table import Statement

_LAW = "legal obligation: safeguarding (Care Act 2014, s. 42), and public task (UK GDPR art. 6(1)(c) and (e))"

KEPT = (
    Kept(
        "call-backs",
        "call_back",
        "what the council's system said about a case, in codes and its own case numbers",
        "to prove what was handed over and how it ended",
        _LAW,
        timedelta(days=6 * 365),
        "EXISTS (SELECT FROM escalation AS e WHERE e.escalation_id = t.escalation_id AND e.ended_at < :before)",
        stays_about="EXISTS (SELECT FROM escalation AS e WHERE e.escalation_id = t.escalation_id"
        " AND e.referral_id = ANY (:subject_ids))",
        history="heard_at",
    ),
    Kept(
        "case-numbers",
        "escalation",
        "the council's number and reference of a case",
        "to prove what was handed over and how it ended",
        _LAW,
        timedelta(days=6 * 365),
        "t.ended_at < :before AND (t.reference IS NOT NULL OR t.case_id <> '')",
        {"reference": "NULL", "case_id": "CASE WHEN case_id IS NULL THEN NULL ELSE '' END"},
        stays_about="t.referral_id = ANY (:subject_ids)",
    ),
)
"""In the order in which they end. Escalations hold ids and codes; the person is at intake and at the council."""

# What is still under way for some referrals: the council has not ended a case.
OPEN_WORK = Statement(
    """
    SELECT DISTINCT referral_id, 'case-open' FROM escalation
    WHERE referral_id = ANY (:subject_ids) AND state NOT IN ('declined', 'closed')
    """
)
