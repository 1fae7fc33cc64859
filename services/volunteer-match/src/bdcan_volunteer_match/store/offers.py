"""Offers, and what is known of volunteers when they are asked."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from bdcan_chassis.database import Connection
from bdcan_chassis.table import Query, Statement, Table
from bdcan_volunteer_match.domain.eligibility import Candidate
from bdcan_volunteer_match.domain.matching import Visit
from bdcan_volunteer_match.domain.offers import Offer
from bdcan_volunteer_match.domain.task import Task
from bdcan_volunteer_match.domain.weights import VISITS_REMEMBERED

OFFER = Table("task_offer", Offer, key=(), stamp=None)

# The live offers of some tasks end, each as one of the states says.
END = Statement(
    """
    UPDATE task_offer AS o SET state = e.state, ended_at = :now
    FROM unnest(:task_ids::uuid[], :volunteer_ids::uuid[], :states::text[]) AS e (task_id, volunteer_id, state)
    WHERE o.task_id = e.task_id AND o.volunteer_id = e.volunteer_id AND o.state = 'offered'
    """
)

# The last offer of a task to a volunteer is live again.
RETURN = Statement(
    """
    UPDATE task_offer SET state = 'offered', ended_at = NULL, expires_at = :expires_at
    WHERE task_id = :task_id AND number = (
        SELECT max(number) FROM task_offer WHERE task_id = :task_id AND volunteer_id = :volunteer_id
    )
    """
)

# The offers of a task, the newest first.
OF_TASK = OFFER.query(
    "SELECT {columns} FROM task_offer WHERE task_id = :task_id ORDER BY number DESC LIMIT :limit"
)

# Volunteers who are active or have paused and who do one of these kinds of task, with what they have in hand and how often they were
# asked since `since`. NULL ids: all.
CANDIDATES = Query(
    """
    SELECT v.volunteer_id, v.hub_ids, v.task_kinds, v.last_offered_at, v.parts, v.suspended, :now::timestamptz AS seen_at,
        v.dbs_cleared AND (v.dbs_expires_at IS NULL OR v.dbs_expires_at > :now) AS dbs_cleared,
        coalesce(held.tasks, 0)::int AS held, coalesce(week.offers, 0)::int AS offers_this_week, v.state = 'paused' AS paused,
        v.on_duty, v.weekly_offers, v.sector, v.travels, v.radius_m, v.availability
    FROM volunteer AS v
    LEFT JOIN (
        SELECT volunteer_id, count(*) AS tasks FROM task WHERE state IN ('offered', 'accepted') GROUP BY volunteer_id
    ) AS held ON held.volunteer_id = v.volunteer_id
    LEFT JOIN (
        SELECT volunteer_id, count(*) AS offers FROM task_offer WHERE offered_at > :since GROUP BY volunteer_id
    ) AS week ON week.volunteer_id = v.volunteer_id
    WHERE v.state IN ('active', 'paused') AND (:kinds::text[] IS NULL OR v.task_kinds && :kinds)
        AND (:volunteer_ids::uuid[] IS NULL OR v.volunteer_id = ANY (:volunteer_ids))
    ORDER BY v.volunteer_id
    """,
    Candidate,
)

# The last visits to the residents of some referrals and of those that are linked with them, the newest first.
VISITS = Query(
    """
    SELECT c.referral_id, t.volunteer_id, t.settled_at AS done_at
    FROM welfare_call AS c CROSS JOIN LATERAL (
        SELECT volunteer_id, settled_at FROM task
        WHERE referral_id = ANY (c.referral_id || c.same_person_ids || c.same_household_ids) AND state = 'done'
        ORDER BY settled_at DESC LIMIT :most
    ) AS t
    WHERE c.referral_id = ANY (:referral_ids)
    ORDER BY c.referral_id, t.settled_at DESC
    """,
    Visit,
)


async def visits_to(connection: Connection, tasks: Iterable[Task]) -> dict[UUID, list[Visit]]:
    """The last visits to the residents of these tasks, by referral, the newest first."""
    visits: dict[UUID, list[Visit]] = {}
    for visit in await VISITS.all(
        connection, referral_ids={task.referral_id for task in tasks}, most=VISITS_REMEMBERED
    ):
        visits.setdefault(visit.referral_id, []).append(visit)
    return visits
