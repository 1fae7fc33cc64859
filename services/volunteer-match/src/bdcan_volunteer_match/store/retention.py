"""How long volunteer-match keeps what it holds about people. `docs/privacy.md` shows it."""

from __future__ import annotations

from datetime import timedelta

from bdcan_chassis.retention import Kept
from bdcan_chassis.table import Statement

_YEAR = timedelta(days=365)
_TASK = "public task: the council's help in an emergency (UK GDPR art. 6(1)(e))"
_CONSENT = "consent of the volunteer (UK GDPR art. 6(1)(a))"

_LAW = "legal obligation: safeguarding (Safeguarding Vulnerable Groups Act 2006), and public task (UK GDPR art. 6(1)(c) and (e))"
_OF_TASK = (
    "t.volunteer_id = ANY (:subject_ids) OR EXISTS (SELECT FROM task AS k WHERE k.task_id = t.task_id"
    " AND k.referral_id = ANY (:subject_ids))"
)

_OVER = (
    "EXISTS (SELECT FROM welfare_call AS c WHERE c.referral_id = t.referral_id"
    " AND c.state IN ('answered', 'exhausted', 'cancelled') AND c.changed_at < :before)"
)

_NO_PROFILE = {
    "sector": "NULL",
    "travels": "NULL",
    "radius_m": "NULL",
    "languages": "'{}'",
    "availability": "'[]'",
    "weekly_offers": "7",
    "cautions": "'{}'",
}
_PROFILE = (
    "(t.sector IS NOT NULL OR t.travels IS NOT NULL OR t.radius_m IS NOT NULL OR t.languages <> '{}'"
    " OR t.availability <> '[]' OR t.weekly_offers <> 7 OR t.cautions <> '{}')"
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
    stays_about="t.volunteer_id = ANY (:subject_ids)",
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
        " OR t.warnings <> '{}' OR t.cleared <> '{}' OR t.sector IS NOT NULL)",
        {
            "household": "NULL",
            "diets": "'{}'",
            "flags": "'{}'",
            "last": "NULL",
            "warnings": "'{}'",
            "cleared": "'{}'",
            "sector": "NULL",
        },
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
        " OR t.warnings <> '{}' OR t.sector IS NOT NULL)",
        {
            "sector": "NULL",
            "last": "NULL",
            "undecided": "'{}'",
            "decided": "'{}'",
            "respects": "'{}'",
            "warnings": "'{}'",
        },
        of_subjects="t.referral_id = ANY (:subject_ids)",
        stays_about="t.volunteer_id = ANY (:subject_ids)",
    ),
    Kept(
        "offers",
        "task_offer",
        "who was asked for which task, and why: the way in metres, and the day of an earlier visit",
        "to explain each choice, and to spread offers fairly",
        _TASK,
        _YEAR,
        "t.ended_at < :before",
        of_subjects=_OF_TASK,
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
        history="made_at",
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
        history="made_at",
    ),
    Kept(
        "decisions",
        "decision",
        "which account decided what about a task or a call, with a code",
        "to account for decisions",
        _TASK,
        timedelta(days=6 * 365),
        "t.decided_at < :before",
        stays_about="t.subject_id = ANY (:subject_ids) OR EXISTS (SELECT FROM task WHERE task_id = t.subject_id"
        " AND referral_id = ANY (:subject_ids)) OR EXISTS (SELECT FROM welfare_call WHERE call_id = t.subject_id"
        " AND referral_id = ANY (:subject_ids))",
        history="decided_at",
    ),
    Kept(
        "task-acts",
        "task_act",
        "which account said what about a task, for which volunteer",
        "to account for the help that was given",
        _TASK,
        2 * _YEAR,
        "t.acted_at < :before",
        stays_about=_OF_TASK,
        history="acted_at",
    ),
    Kept(
        "completions",
        "completion",
        "what a volunteer reported of a task: what was spent, to whom it went, how the resident was",
        "to account for money and medicines, and for the help that was given",
        _TASK,
        2 * _YEAR,
        "t.reported_at < :before",
        of_subjects="t.referral_id = ANY (:subject_ids)",
        stays_about="t.volunteer_id = ANY (:subject_ids)",
        history="reported_at",
    ),
    Kept(
        "concerns",
        "concern",
        "which volunteer raised which concern about a resident, as a code",
        "to prove that a concern was passed on",
        _LAW,
        6 * _YEAR,
        "t.raised_at < :before",
        stays_about=_OF_TASK,
        history="raised_at",
    ),
    Kept(
        "profiles",
        "volunteer",
        "where a volunteer lives, how they get about, their languages, free times and cautions",
        "to offer them tasks that suit them",
        _CONSENT,
        timedelta(days=1),
        f"t.state = 'left' AND t.changed_at < :before AND {_PROFILE}",
        _NO_PROFILE,
        of_subjects=f"{_PROFILE} AND t.volunteer_id = ANY (:subject_ids)",
    ),
    Kept(
        "rounds",
        "round",
        "which volunteer went to which tasks, in which order, and which account planned it",
        "to know who was where, and to plan better",
        _TASK,
        _YEAR,
        "t.back_by < :before",
        stays_about="t.volunteer_id = ANY (:subject_ids)",
    ),
    Kept(
        "persons",
        "volunteer_person",
        "name, telephone number and postcode of a volunteer",
        "to reach them",
        _CONSENT,
        timedelta(days=1),
        "EXISTS (SELECT FROM volunteer AS v WHERE v.volunteer_id = t.volunteer_id AND v.state = 'left'"
        " AND v.changed_at < :before)",
        of_subjects="t.volunteer_id = ANY (:subject_ids)",
    ),
    Kept(
        "check-numbers",
        "volunteer_check",
        "the number of a volunteer's DBS certificate",
        "to recognise the certificate when it is renewed",
        _CONSENT,
        timedelta(days=1),
        "t.reference IS NOT NULL AND EXISTS (SELECT FROM volunteer AS v WHERE v.volunteer_id = t.volunteer_id"
        " AND v.state = 'left' AND v.changed_at < :before)",
        {"reference": "NULL"},
        of_subjects="t.reference IS NOT NULL AND t.volunteer_id = ANY (:subject_ids)",
        history="recorded_at",
    ),
    Kept(
        "checks",
        "volunteer_check",
        "who saw which evidence of a volunteer's DBS check, and until when it is valid",
        "to prove that whoever met a resident had been checked",
        _LAW,
        6 * _YEAR,
        "t.recorded_at < :before",
        stays_about="t.volunteer_id = ANY (:subject_ids)",
        history="recorded_at",
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
