"""Rounds, and the tasks from which they are planned."""

from __future__ import annotations

from bdcan_chassis.table import Statement, Table
from bdcan_volunteer_match.domain.rounds import Round
from bdcan_volunteer_match.store.tasks import TASK

ROUND = Table("round", Round, key="round_id")

# A page of the rounds of these hubs (NULL: of all), in this state, of this volunteer, that begin in this span.
FIND = ROUND.query(
    """
    SELECT {columns} FROM round
    WHERE (:hubs::text[] IS NULL OR hub_id = ANY (:hubs)) AND (:state::text IS NULL OR state = :state)
        AND (:volunteer_id::uuid IS NULL OR volunteer_id = :volunteer_id)
        AND (:begins::timestamptz IS NULL OR leaves_at >= :begins) AND (:ends::timestamptz IS NULL OR leaves_at < :ends)
        AND (:leaves_at::timestamptz IS NULL OR (leaves_at, round_id) > (:leaves_at, :round_id::uuid))
    ORDER BY leaves_at, round_id LIMIT :limit
    """
)

# Deliveries of a hub that nobody has accepted, due by a time, the soonest due first.
DELIVERIES = TASK.query(
    """
    SELECT {columns} FROM task
    WHERE state IN ('open', 'offered') AND hub_id = :hub_id AND kind = ANY (:kinds) AND due_at <= :due_before
    ORDER BY due_at, task_id LIMIT :limit
    """
)

# How many rounds there are whose time is not over, by hub and state.
COUNT_BY_STATE = Statement(
    """
    SELECT hub_id AS hub, state, count(*) AS value FROM round WHERE back_by > :now::timestamptz GROUP BY hub_id, state
    """
)
