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

# For the metrics: how many escalations there are, by kind and state, and whether they are late. A small count is left out: it
# may be about somebody whom the reader knows.
COUNT_BY_KIND_AND_STATE = Statement(
    """
    SELECT kind, state, (late IS NOT NULL)::int AS late, count(*) AS value FROM escalation GROUP BY 1, 2, 3
    HAVING count(*) >= 5
    """
)

# How many escalations are late, by the stage that is.
COUNT_LATE = Statement(
    "SELECT late AS stage, count(*) AS value FROM escalation WHERE late IS NOT NULL GROUP BY late"
)

_STAGE = """
    CASE WHEN state IN ('opened', 'forwarding', 'unverified') THEN 'forward' WHEN state = 'forwarded' THEN 'acknowledge'
        WHEN state = 'acknowledged' THEN 'decide' ELSE 'close' END
"""
_LIVE = "state IN ('opened', 'forwarding', 'unverified', 'forwarded', 'acknowledged', 'accepted')"

# By when the present step of each escalation must be done; what was late stays late. One row more: so that none is 0.
PROMISED = Statement(
    f"""
    SELECT NULL::text AS hub, coalesce(late_since, due_at) AS due_at FROM escalation WHERE {_LIVE}
    UNION ALL SELECT NULL, NULL
    """  # noqa: S608 # all of it is ours
)

# How old the oldest escalation is that has not ended, by kind and state.
OLDEST = Statement(
    f"""
    SELECT kind, state, extract(epoch FROM :now::timestamptz - min(opened_at))::float8 AS value FROM escalation
    WHERE {_LIVE} GROUP BY kind, state
    """  # noqa: S608 # all of it is ours
)

# In how many seconds the first step of each kind and stage must be done: below 0, it is late.
NEXT_DUE = Statement(
    f"""
    SELECT kind, {_STAGE} AS stage,
        extract(epoch FROM min(coalesce(late_since, due_at)) - :now::timestamptz)::float8 AS value
    FROM escalation WHERE {_LIVE} GROUP BY 1, 2
    """  # noqa: S608 # all of it is ours
)

# Whether a safeguarding concern is not with the council: 1, or 0. Never how many.
SAFEGUARDING_WAITS = Statement(
    """
    SELECT (EXISTS (
        SELECT FROM escalation WHERE state IN ('opened', 'forwarding', 'unverified') AND kind = 'safeguarding'
    ))::int AS value
    """
)

# For how long the first safeguarding concern has not been with the council; NULL where none waits.
SAFEGUARDING_OLDEST = Statement(
    """
    SELECT extract(epoch FROM :now::timestamptz - min(opened_at))::float8 AS value FROM escalation
    WHERE state IN ('opened', 'forwarding', 'unverified') AND kind = 'safeguarding'
    """
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
