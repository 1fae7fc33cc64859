"""Escalations in the database."""

from __future__ import annotations

from bdcan_chassis.table import Statement, Table
from bdcan_escalation.domain.escalation import Escalation

ESCALATION = Table("escalation", Escalation, key="escalation_id")

# All escalations of some referrals, locked in the order of their ids.
LOCK_OF_REFERRALS = ESCALATION.query(
    """
    SELECT {columns} FROM escalation WHERE referral_id = ANY (:referral_ids)
    ORDER BY escalation_id FOR NO KEY UPDATE
    """
)

# One escalation, and the others that the council answers with the same case, locked in the order of their ids.
LOCK_OF_CASE = ESCALATION.query(
    """
    SELECT {columns} FROM escalation WHERE escalation_id = :escalation_id OR case_id = :case_id
    ORDER BY escalation_id FOR NO KEY UPDATE
    """
)

# Escalations that a gateway may claim now, the most urgent first. Skips those that another process has locked.
LOCK_TO_FORWARD = ESCALATION.query(
    """
    SELECT {columns} FROM escalation
    WHERE state IN ('opened', 'forwarding', 'unverified') AND next_attempt_at <= :now
        AND (kind = 'safeguarding') = :safeguarding
    ORDER BY array_position(ARRAY['urgent', 'standard', 'routine'], priority), opened_at, escalation_id
    LIMIT :limit FOR NO KEY UPDATE SKIP LOCKED
    """
)

# A page of escalations in the order in which they were opened, of these hubs (NULL: of all).
FIND = ESCALATION.query(
    """
    SELECT {columns} FROM escalation
    WHERE (:state::text IS NULL OR state = :state) AND (:hubs::text[] IS NULL OR hub_id = ANY (:hubs))
        AND (:opened_at::timestamptz IS NULL OR (opened_at, escalation_id) > (:opened_at, :escalation_id::uuid))
    ORDER BY opened_at, escalation_id LIMIT :limit
    """
)

# For the metrics: how many escalations there are, by kind and state. A small count is left out: it may be about
# somebody whom the reader knows.
COUNT_BY_KIND_AND_STATE = Statement(
    """
    SELECT kind, state, count(*) AS value FROM escalation GROUP BY kind, state HAVING count(*) >= 5
    """
)

# How many escalations are late, by the stage that is.
COUNT_LATE = Statement(
    "SELECT late AS stage, count(*) AS value FROM escalation WHERE late IS NOT NULL GROUP BY late"
)

# How many escalations these hubs have (NULL: all), by kind and state.
SUM_UP = Statement(
    """
    SELECT kind, state, count(*) FROM escalation WHERE :hubs::text[] IS NULL OR hub_id = ANY (:hubs)
    GROUP BY kind, state
    """
)

# How many escalations of these hubs (NULL: all) are late, by the stage that is.
SUM_UP_LATE = Statement(
    """
    SELECT late, count(*) FROM escalation
    WHERE late IS NOT NULL AND (:hubs::text[] IS NULL OR hub_id = ANY (:hubs)) GROUP BY late
    """
)

# How many escalations are not sent yet, by the problem of the last attempt.
COUNT_PROBLEMS = Statement(
    """
    SELECT problem, count(*) AS value FROM escalation
    WHERE problem IS NOT NULL AND state IN ('opened', 'forwarding', 'unverified') GROUP BY problem
    """
)
