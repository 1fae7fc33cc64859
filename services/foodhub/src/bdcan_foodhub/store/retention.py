"""How long foodhub keeps what it holds about people. `docs/privacy.md` shows it."""

from __future__ import annotations

from datetime import timedelta

from bdcan_chassis.retention import Kept
from bdcan_chassis.table import Statement

_YEAR = timedelta(days=365)
_TASK = "public task: the council's help in an emergency (UK GDPR art. 6(1)(e))"

KEPT = (
    Kept(
        "households",
        "referral",
        "what the desk and callers said of household, diets and flags",
        "to pack what the household may eat",
        _TASK,
        _YEAR,
        "t.changed_at < :before AND (t.desk IS NOT NULL OR t.call IS NOT NULL) AND NOT EXISTS (SELECT FROM parcel AS p"
        " WHERE p.referral_id = t.referral_id AND p.state NOT IN ('delivered', 'cancelled'))",
        {"desk": "NULL", "call": "NULL"},
        of_subjects="t.referral_id = ANY (:subject_ids)",
    ),
    Kept(
        "parcels",
        "parcel",
        "for which household, diets and flags a parcel was packed",
        "to pack it, and to answer questions about it",
        _TASK,
        _YEAR,
        "t.state IN ('delivered', 'cancelled') AND t.owed_due_at IS NULL AND t.changed_at < :before"
        " AND (t.household IS NOT NULL OR t.diets <> '{}' OR t.flags <> '{}' OR t.notices <> '[]'"
        " OR t.decided <> '{}' OR t.added <> '{}' OR t.departure IS NOT NULL)",
        {
            "household": "NULL",
            "diets": "'{}'",
            "flags": "'{}'",
            "decided": "'{}'",
            "added": "'{}'",
            "departure": "NULL",
            "notices": "'[]'",
            "noticed": "false",
        },
        of_subjects="t.referral_id = ANY (:subject_ids)",
    ),
    Kept(
        "movements",
        "movement",
        "for which parcel goods went out of the store",
        "to account for the stock, and to find parcels when goods are recalled",
        _TASK,
        6 * _YEAR,
        "t.cause IS NOT NULL AND t.moved_at < :before",
        {"cause": "NULL"},
        stays_about="t.cause IN (SELECT parcel_id FROM parcel WHERE referral_id = ANY (:subject_ids))",
        history="moved_at",
    ),
)
"""In the order in which they end. The parcel stays with its contents and back-orders, because stock and recalls need them."""

# What is still under way for some referrals: a parcel that nobody can call back.
OPEN_WORK = Statement(
    """
    SELECT DISTINCT referral_id, 'parcel-on-its-way' FROM parcel
    WHERE referral_id = ANY (:subject_ids) AND state NOT IN ('delivered', 'cancelled')
    """
)
