"""SQL, and nothing but SQL. Lock order: referrals in the order of their ids, then residents. A referral's lock covers its needs."""

from bdcan_intake.store import (
    enquiries,
    erasures,
    imports,
    instructions,
    known_events,
    notes,
    referrals,
    residents,
    summary,
    tasks,
    timeline,
)

__all__ = [
    "enquiries",
    "erasures",
    "imports",
    "instructions",
    "known_events",
    "notes",
    "referrals",
    "residents",
    "summary",
    "tasks",
    "timeline",
]
