"""How long intake keeps what it holds about people. `docs/privacy.md` shows it."""

from __future__ import annotations

from datetime import timedelta

from bdcan_chassis.retention import Kept
from bdcan_chassis.table import Statement

_YEAR = timedelta(days=365)
_TASK = "public task: the council's help in an emergency (UK GDPR art. 6(1)(e))"
_SENDER = "legitimate interest: the sender corrects its list"

_CLOSED = "EXISTS (SELECT FROM referral AS r WHERE r.id = t.referral_id AND r.closed_at < :before)"

KEPT = (
    Kept(
        "import-problems",
        "referral_import_error",
        "what was wrong with the rows of a list, with the sender's references where they name nobody",
        "so that the sender can correct the list",
        _SENDER,
        timedelta(days=90),
        "EXISTS (SELECT FROM referral_import AS i WHERE i.id = t.import_id AND i.imported_at < :before)",
        of_subjects="EXISTS (SELECT FROM referral AS r JOIN referral_import AS i ON i.source = r.source"
        " WHERE r.id = ANY (:subject_ids) AND i.id = t.import_id"
        " AND (t.reference = r.told_reference OR reference_digest(i.source, t.reference) = r.reference_key))",
    ),
    Kept(
        "import-duplicates",
        "referral_import_duplicate",
        "which rows of a list were known already, with the sender's references where they name nobody",
        "so that the sender can correct the list",
        _SENDER,
        timedelta(days=90),
        "EXISTS (SELECT FROM referral_import AS i WHERE i.id = t.import_id AND i.imported_at < :before)",
        of_subjects="t.referral_id = ANY (:subject_ids)",
    ),
    Kept(
        "events-of-upstream-systems",
        "known_event",
        "what upstream systems sent, as a hash, with the receipt: the sender's reference where it names nobody, and the referral's id",
        "so that the same event again gets the same receipt",
        _SENDER,
        timedelta(days=30),
        "t.taken_at < :before",
        of_subjects="t.referral_id = ANY (:subject_ids)",
    ),
    Kept(
        "residents",
        "resident",
        "who a referral is about: name, telephone, e-mail, address, birth date, NHS number, first notes",
        "to help, to answer questions about it, and to know somebody who asks again",
        _TASK,
        _YEAR,
        f"t.content_hash <> ''::bytea AND {_CLOSED}",
        {
            **dict.fromkeys(
                (
                    "name",
                    "phone",
                    "phone_e164",
                    "email",
                    "birth_date",
                    "nhs_number",
                    "address",
                    "postcode",
                    "notes",
                    "consent",
                ),
                "NULL",
            ),
            "unclear": "'{}'",
            "likeness_keys": "'{}'",
            "content_hash": "''",
            "compared": "true",
        },
        of_subjects="t.referral_id = ANY (:subject_ids)",
    ),
    Kept(
        "references",
        "referral",
        "the sender's own reference as a hash, and in clear where it names nobody; household, diets and flags",
        "to answer the sender, and to help",
        _TASK,
        _YEAR,
        "t.closed_at < :before AND (t.reference_key IS NOT NULL"
        " OR t.told_reference IS NOT NULL OR t.adults IS NOT NULL OR t.diets <> '{}' OR t.flags <> '{}')",
        {
            **dict.fromkeys(
                (
                    "reference",
                    "past_reference",
                    "reference_key",
                    "told_reference",
                    "adults",
                    "children",
                    "infants",
                ),
                "NULL",
            ),
            "diets": "'{}'",
            "flags": "'{}'",
        },
        of_subjects="t.id = ANY (:subject_ids)",
    ),
    Kept(
        "notes",
        "note",
        "what people wrote down about a resident",
        "to help, and to answer questions about it",
        _TASK,
        _YEAR,
        _CLOSED,
        of_subjects="t.referral_id = ANY (:subject_ids)",
        history="noted_at",
    ),
    Kept(
        "instructions",
        "instruction",
        "what a doer must know: what to buy or fetch, how to get in, what to say at the door",
        "to tell only the doer",
        _TASK,
        timedelta(days=30),
        _CLOSED,
        of_subjects="t.referral_id = ANY (:subject_ids)",
    ),
    Kept(
        "tasks-in-hand",
        "task_in_hand",
        "which volunteer had which task of a referral",
        "to tell only the doer where to go",
        _TASK,
        _YEAR,
        _CLOSED,
        of_subjects="t.referral_id = ANY (:subject_ids)",
        stays_about="t.volunteer_id = ANY (:subject_ids)",
    ),
    Kept(
        "timelines",
        "timeline",
        "what happened to a referral and when, in codes and ids, with the accounts of staff",
        "to account for the help that was given",
        _TASK,
        2 * _YEAR,
        _CLOSED,
        of_subjects="t.referral_id = ANY (:subject_ids)",
        history="at",
    ),
    Kept(
        "imports",
        "referral_import",
        "which account handed in a list",
        "to answer the sender",
        _SENDER,
        2 * _YEAR,
        "t.caller <> '' AND t.imported_at < :before",
        {"caller": "''"},
    ),
    Kept(
        "requests-to-erase",
        "erasure",
        "which account asked for an erasure, by ids, and what each service answered",
        "to prove that a request was met",
        "legal obligation: accountability (UK GDPR art. 5(2))",
        6 * _YEAR,
        "t.ended_at < :before",
    ),
    Kept(
        "enquiries",
        "volunteer_enquiry",
        "what somebody said who wants to volunteer: name, telephone, e-mail, postcode, notes, what they offer",
        "to welcome them",
        "consent of the volunteer (UK GDPR art. 6(1)(a))",
        timedelta(days=180),
        "false AND t.received_at < :before",
        by_rule="emptied when the volunteer leaves; who was never welcomed leaves after this time",
        stays_about="t.id = ANY (:subject_ids) OR t.volunteer_id = ANY (:subject_ids)",
    ),
)
"""In the order in which they end. The referral with its codes and times stays, for the borough's figures."""

# What is still under way for some referrals: it is open, or a volunteer has a task of it in hand.
OPEN_WORK = Statement(
    """
    SELECT id, 'referral-open' FROM referral WHERE id = ANY (:subject_ids) AND state <> 'closed'
    UNION ALL
    SELECT DISTINCT referral_id, 'task-in-hand' FROM task_in_hand
    WHERE referral_id = ANY (:subject_ids) AND volunteer_id IS NOT NULL
    """
)
