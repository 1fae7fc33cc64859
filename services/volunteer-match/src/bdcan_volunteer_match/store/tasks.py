"""Tasks, and what worried the volunteers who did them."""

from __future__ import annotations

from uuid import UUID

from msgspec import Struct

from bdcan_chassis.table import Statement, Table
from bdcan_volunteer_match.domain.task import Task

TASK = Table("task", Task, key="task_id")


class Concern(Struct, frozen=True):
    """What worries a volunteer."""

    concern_id: UUID
    task_id: UUID
    code: str
    volunteer_id: UUID | None


CONCERN = Table("concern", Concern, key=(), stamp="raised_at")

# Tasks of some referrals that have not ended, locked in the order of their ids.
LOCK_LIVE_OF = TASK.query(
    """
    SELECT {columns} FROM task
    WHERE referral_id = ANY (:referral_ids) AND state IN ('open', 'offered', 'accepted')
    ORDER BY task_id FOR NO KEY UPDATE
    """
)

# All tasks of some referrals, locked in the order of their ids.
LOCK_ALL_OF = TASK.query(
    "SELECT {columns} FROM task WHERE referral_id = ANY (:referral_ids) ORDER BY task_id FOR NO KEY UPDATE"
)

# What some volunteers have been offered or have accepted, locked in the order of the ids.
LOCK_IN_HAND = TASK.query(
    """
    SELECT {columns} FROM task
    WHERE volunteer_id = ANY (:volunteer_ids) AND state IN ('offered', 'accepted')
    ORDER BY task_id FOR NO KEY UPDATE
    """
)

# Each hub and kind of an open task. It walks from one to the next by the index: a DISTINCT would read the whole queue.
OPEN_WANTS = Statement(
    """
    WITH RECURSIVE want AS (
        (SELECT hub_id, kind FROM task WHERE state = 'open' AND stopped_by IS NULL ORDER BY hub_id, kind LIMIT 1)
        UNION ALL
        SELECT further.hub_id, further.kind FROM want CROSS JOIN LATERAL (
            SELECT hub_id, kind FROM task
            WHERE state = 'open' AND stopped_by IS NULL AND (hub_id, kind) > (want.hub_id, want.kind)
            ORDER BY hub_id, kind LIMIT 1
        ) AS further
    )
    SELECT hub_id, kind FROM want
    """
)

# Open tasks, the soonest due first, up to so many of each hub, kind and check. What another process holds is left to it.
LOCK_OPEN = TASK.query(
    """
    SELECT t.* FROM unnest(:hub_ids::text[], :kinds::text[], :requires_dbs::bool[], :most::int[])
        AS w (hub_id, kind, requires_dbs, most)
    CROSS JOIN LATERAL (
        SELECT {columns} FROM task
        WHERE state = 'open' AND stopped_by IS NULL AND hub_id = w.hub_id AND kind = w.kind AND requires_dbs = w.requires_dbs
        ORDER BY due_at, task_id LIMIT w.most FOR NO KEY UPDATE SKIP LOCKED
    ) AS t
    """
)

# A page of the tasks of these hubs, in this state, of this volunteer (NULL: of any), the soonest due first. With
# `attention`, only those at which a coordinator must look.
FIND = TASK.query(
    """
    SELECT {columns} FROM task
    WHERE (:state::text IS NULL OR state = :state) AND (:hubs::text[] IS NULL OR hub_id = ANY (:hubs))
        AND (:volunteer_id::uuid IS NULL OR volunteer_id = :volunteer_id)
        AND (NOT :attention::boolean OR (state IN ('open', 'offered', 'accepted') AND (
            unfilled OR stopped_by IS NOT NULL OR returned_because IS NOT NULL OR undecided <> '{}' OR warnings <> '{}'
        )))
        AND (NOT :linked::boolean OR EXISTS (
            SELECT FROM welfare_call AS call WHERE call.referral_id = task.referral_id
                AND (call.same_person_ids <> '{}' OR call.same_household_ids <> '{}')
        ))
        AND (:due_at::timestamptz IS NULL OR (due_at, task_id) > (:due_at, :task_id::uuid))
    ORDER BY due_at, task_id LIMIT :limit
    """
)

# How many tasks there are, by hub, kind and state.
COUNT_BY_KIND_AND_STATE = Statement(
    "SELECT hub_id AS hub, kind, state, count(*) AS value FROM task GROUP BY hub_id, kind, state"
)

# By when each task must be done that is not done yet, with its hub; and every hub.
PROMISED = Statement(
    """
    SELECT hub_id AS hub, due_at FROM task WHERE state IN ('open', 'offered', 'accepted')
    UNION ALL SELECT hub_id, NULL FROM hub
    """
)

# How long the oldest task of each hub and kind has been open without a volunteer.
OLDEST = Statement(
    """
    SELECT hub_id AS hub, kind, extract(epoch FROM :now::timestamptz - min(opened_at))::float8 AS value FROM task
    WHERE state = 'open' GROUP BY hub_id, kind
    """
)

# How many tasks nobody was found for in time, by hub; and every hub.
COUNT_UNFILLED = Statement(
    """
    SELECT hub_id AS hub, count(*) FILTER (WHERE unfilled) AS value FROM (
        SELECT hub_id, unfilled FROM task WHERE state IN ('open', 'offered', 'accepted')
        UNION ALL SELECT hub_id, NULL FROM hub
    ) AS known GROUP BY hub_id
    """
)
