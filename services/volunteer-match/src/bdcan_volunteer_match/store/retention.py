"""How long volunteer-match keeps what it holds about people. `docs/privacy.md` shows it."""

from __future__ import annotations

from datetime import timedelta

from bdcan_chassis.retention import Kept
from bdcan_chassis.table import Statement

_YEAR = timedelta(days=365)
_TASK = "public task: the council's help in an emergency (UK GDPR art. 6(1)(e))"
_CONSENT = "consent of the volunteer (UK GDPR art. 6(1)(a))"

_OVER = (
    "EXISTS (SELECT FROM welfare_call AS c WHERE c.referral_id = t.referral_id"
    " AND c.state IN ('answered', 'exhausted', 'cancelled') AND c.changed_at < :before)"
)

ENQUIRIES = Kept(
    "enquiries",
    "volunteer",
    "who wanted to volunteer, and was never welcomed",
    "to welcome them",
    _CONSENT,
    timedelta(days=180),
    "t.state = 'enquired' AND t.changed_at < :before",
    by_rule="the volunteer leaves, and everything that says who it was is erased here and at intake",
)
"""Ended by the planner `lapse`."""

KEPT = (
    ENQUIRIES,
    Kept(
        "calls",
        "welfare_call",
        "household, diets and flags that a caller must know, and what was last reported",
        "to ring, and to ring again if the referral is reopened",
        _TASK,
        _YEAR,
        "t.state IN ('answered', 'exhausted', 'cancelled') AND t.review IS NULL AND t.changed_at < :before"
        " AND (t.household IS NOT NULL OR t.diets <> '{}' OR t.flags <> '{}' OR t.last IS NOT NULL"
        " OR t.warnings <> '{}')",
        {"household": "NULL", "diets": "'{}'", "flags": "'{}'", "last": "NULL", "warnings": "'{}'"},
        of_subjects="t.referral_id = ANY (:subject_ids)",
    ),
    Kept(
        "tasks",
        "task",
        "which volunteer did what, and what had to be respected at the door",
        "to account for the help that was given, and to thank volunteers",
        _TASK,
        _YEAR,
        "t.state IN ('done', 'cancelled') AND t.settled_at < :before"
        " AND (t.last IS NOT NULL OR t.undecided <> '{}' OR t.decided <> '{}' OR t.respects <> '{}'"
        " OR t.warnings <> '{}')",
        {"last": "NULL", "undecided": "'{}'", "decided": "'{}'", "respects": "'{}'", "warnings": "'{}'"},
        of_subjects="t.referral_id = ANY (:subject_ids)",
    ),
    Kept(
        "call-attempts",
        "call_attempt",
        "which account rang when, and how it ended",
        "to account for the help that was given",
        _TASK,
        2 * _YEAR,
        _OVER,
        stays_about="t.referral_id = ANY (:subject_ids)",
    ),
    Kept(
        "uncounted-attempts",
        "uncounted_attempt",
        "which account rang when, outside the round",
        "to account for the help that was given",
        _TASK,
        2 * _YEAR,
        _OVER,
        stays_about="t.referral_id = ANY (:subject_ids)",
    ),
    Kept(
        "decisions",
        "decision",
        "which account decided what about a task or a call, with a code",
        "to account for decisions",
        _TASK,
        timedelta(days=6 * 365),
        "t.decided_at < :before",
    ),
)
"""In the order in which they end. Tasks and calls stay with their states and times, for the borough's figures."""

# What is still under way for some referrals: a volunteer has a task in hand, or somebody is on the telephone.
OPEN_WORK = Statement(
    """
    SELECT referral_id, 'task-in-hand' FROM task
    WHERE referral_id = ANY (:subject_ids) AND state IN ('offered', 'accepted')
    UNION ALL
    SELECT referral_id, 'call-claimed' FROM welfare_call
    WHERE referral_id = ANY (:subject_ids) AND state = 'claimed'
    """
)
