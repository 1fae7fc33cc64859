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
    claimed_by: str | None
    claim_expires_at: datetime | None
    same_person_ids: tuple[UUID, ...]
    same_household_ids: tuple[UUID, ...]


# The households of some referrals, as far as intake has linked them.
HOUSEHOLDS = Statement(
    """
    SELECT DISTINCT unnest(same_household_ids) AS referral_id FROM assignment
    WHERE referral_id = ANY (:referral_ids) AND same_household_ids <> '{}'
    """
)

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

# The referral that must be decided first and that nobody else has claimed. Somebody who takes one at the same time gets another.
LOCK_NEXT_HELD = ASSIGNMENT.query(
    """
    SELECT {columns} FROM assignment
    WHERE state = 'held' AND (claim_expires_at IS NULL OR claim_expires_at <= :now::timestamptz OR claimed_by = :caller::text)
    ORDER BY triage_due_at, referral_id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
    """
)

# How many held referrals somebody decides about at present. One row more: so that none is 0.
COUNT_CLAIMED = Statement(
    """
    SELECT count(*) FILTER (WHERE claim_expires_at > :now::timestamptz) AS value FROM assignment
    WHERE state = 'held'
    """
)

# How many referrals there are, by state.
COUNT_BY_STATE = Statement("SELECT state, count(*) AS value FROM assignment GROUP BY state")

# How many open referrals each hub has; and every hub.
COUNT_BY_HUB = Statement(
    """
    SELECT hub_id AS hub, count(referral_id) AS value FROM (
        SELECT hub_id, referral_id FROM assignment WHERE state = 'assigned' AND hub_id IS NOT NULL
        UNION ALL SELECT hub_id, NULL FROM hub
    ) AS known GROUP BY hub_id
    """
)

# What was asked for in some wards lately, and what is open: all of it (code NULL), and by need.
COUNT_BY_WARD = Statement(
    """
    SELECT verdict -> 'ward' ->> 'gss' AS ward, need.code, count(DISTINCT referral_id)::integer AS requests,
        (count(DISTINCT referral_id) FILTER (WHERE state = 'assigned'))::integer AS open_referrals
    FROM assignment CROSS JOIN LATERAL (
        SELECT NULL AS code UNION ALL SELECT one ->> 'code' FROM jsonb_array_elements(facts -> 'needs') AS one
    ) AS need
    WHERE state IN ('assigned', 'ended') AND verdict -> 'ward' ->> 'gss' = ANY (:wards::text[])
        AND (state = 'assigned' OR changed_at > :since::timestamptz - make_interval(weeks => :weeks::integer))
    GROUP BY 1, 2
    """
)

# How many referrals wait for a person, by reason.
COUNT_HELD = Statement(
    """
    SELECT triage_reason AS reason, facts ->> 'priority' AS priority, count(*) AS value FROM assignment
    WHERE state = 'held' GROUP BY 1, 2
    """
)

# When a person must decide about each referral that waits for one; what was late stays late. One row more: so that none is 0.
PROMISED = Statement(
    """
    SELECT NULL::text AS hub, coalesce(late_since, triage_due_at) AS due_at FROM assignment WHERE state = 'held'
    UNION ALL SELECT NULL, NULL
    """
)

# How long the referral that has waited longest for a person has waited, by reason and priority.
OLDEST_HELD = Statement(
    """
    SELECT triage_reason AS reason, facts ->> 'priority' AS priority,
        extract(epoch FROM :now::timestamptz - min(held_at))::float8 AS value
    FROM assignment WHERE state = 'held' GROUP BY 1, 2
    """
)

# In how many seconds the most pressing of them must be decided: below 0, it is late.
NEXT_HELD = Statement(
    """
    SELECT triage_reason AS reason, facts ->> 'priority' AS priority,
        extract(epoch FROM min(coalesce(late_since, triage_due_at)) - :now::timestamptz)::float8 AS value
    FROM assignment WHERE state = 'held' GROUP BY 1, 2
    """
)
