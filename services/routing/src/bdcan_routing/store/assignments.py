"""Assignments: what routing decided about each referral."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from bdcan_chassis.table import Query, Statement, Table
from bdcan_routing.domain.assignment import Assignment, Facts
from bdcan_routing.domain.placement import Hold

ASSIGNMENT = Table("assignment", Assignment, key="referral_id", derived=("hub_id", "triage_reason"))


class Held(Struct, frozen=True):
    """A referral that waits for a person."""

    referral_id: UUID
    facts: Facts
    verdict: Hold
    held_at: datetime
    triage_due_at: datetime
    same_person_ids: tuple[UUID, ...]
    same_household_ids: tuple[UUID, ...]


# A page of the referrals that wait for a person, those due first.
FIND_HELD = Query(
    """
    SELECT {columns} FROM assignment
    WHERE state = 'held' AND (NOT :linked::boolean OR same_person_ids <> '{}' OR same_household_ids <> '{}')
        AND (:due_at::timestamptz IS NULL OR (triage_due_at, referral_id) > (:due_at, :referral_id::uuid))
    ORDER BY triage_due_at, referral_id LIMIT :limit
    """,
    Held,
)

# Referrals that are held for one of these reasons, behind a given one, locked in the order of their ids.
LOCK_HELD = ASSIGNMENT.query(
    """
    SELECT {columns} FROM assignment
    WHERE state = 'held' AND triage_reason = ANY (:reasons) AND (:after::uuid IS NULL OR referral_id > :after)
    ORDER BY referral_id LIMIT :limit FOR NO KEY UPDATE
    """
)

# How many referrals there are, by state.
COUNT_BY_STATE = Statement("SELECT state, count(*) AS value FROM assignment GROUP BY state")

# How many open referrals each hub has.
COUNT_BY_HUB = Statement(
    """
    SELECT hub_id, count(*) AS value FROM assignment
    WHERE state = 'assigned' AND hub_id IS NOT NULL GROUP BY hub_id
    """
)

# How many referrals wait for a person, by reason.
COUNT_HELD = Statement(
    "SELECT triage_reason, count(*) AS value FROM assignment WHERE state = 'held' GROUP BY triage_reason"
)
