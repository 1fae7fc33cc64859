"""Welfare calls: one row for each referral."""

from __future__ import annotations

from uuid import UUID

from msgspec import Struct

from bdcan_chassis.table import Statement, Table
from bdcan_volunteer_match.domain.call import WelfareCall

CALL = Table("welfare_call", WelfareCall, key="referral_id")


class Attempt(Struct, frozen=True):
    """A call that was made. `caller` is the name of an account, as the access log has it."""

    call_id: UUID
    attempt: int
    referral_id: UUID
    outcome: str
    caller: str


class UncountedAttempt(Struct, frozen=True):
    """A call that reached nobody and takes no rung of the ladder."""

    call_id: UUID
    referral_id: UUID
    outcome: str
    caller: str


ATTEMPT = Table("call_attempt", Attempt, key=(), stamp="made_at")
UNCOUNTED = Table("uncounted_attempt", UncountedAttempt, key=(), stamp="made_at")

# The referral whose present round this is.
GET_ROUND = CALL.query("SELECT {columns} FROM welfare_call WHERE call_id = :call_id")

# The referral whose present round this is, locked.
LOCK_ROUND = CALL.query("SELECT {columns} FROM welfare_call WHERE call_id = :call_id FOR NO KEY UPDATE")

# A call that should be made now at one of these hubs (NULL: at any). Of linked referrals that share a call, the one that is
# due first stands for all.
_MAY_BE_MADE = """
    state IN ('due', 'unanswered') AND review IS NULL AND not_before <= :now
    AND (:hubs::text[] IS NULL OR hub_id = ANY (:hubs))
    AND NOT EXISTS (
        SELECT FROM welfare_call AS other
        WHERE other.referral_id = ANY (welfare_call.same_person_ids || welfare_call.same_household_ids)
            AND other.state IN ('due', 'unanswered', 'claimed') AND other.review IS NULL
            AND other.hub_id = welfare_call.hub_id
            AND (other.due_at, other.referral_id) < (welfare_call.due_at, welfare_call.referral_id)
    )
"""

_BANDS = """
    unnest(:priorities::text[], :later_than::timestamptz[], :not_later::timestamptz[])
    WITH ORDINALITY AS bands (of_priority, due_after, due_until, band)
"""

_IN_BAND = """
    priority = of_priority AND due_at > coalesce(due_after, '-infinity') AND due_at <= coalesce(due_until, 'infinity')
"""

# A page of the calls of these hubs (NULL: of all) that should be made now, the soonest due first.
FIND_DUE = CALL.query(
    f"""
    SELECT {{columns}} FROM welfare_call
    WHERE {_MAY_BE_MADE}
        AND (NOT :linked::boolean OR same_person_ids <> '{{}}' OR same_household_ids <> '{{}}')
        AND (:due_at::timestamptz IS NULL OR (due_at, referral_id) > (:due_at, :referral_id::uuid))
    ORDER BY due_at, referral_id LIMIT :limit
    """  # noqa: S608 # of constants
)

# A page of the calls of these hubs (NULL: of all) in this state (NULL: in any), the soonest due first.
FIND = CALL.query(
    """
    SELECT {columns} FROM welfare_call
    WHERE due_at IS NOT NULL AND (:state::text IS NULL OR state = :state)
        AND (NOT :linked::boolean OR same_person_ids <> '{}' OR same_household_ids <> '{}')
        AND (:hubs::text[] IS NULL OR hub_id = ANY (:hubs))
        AND (:due_at::timestamptz IS NULL OR (due_at, referral_id) > (:due_at, :referral_id::uuid))
    ORDER BY due_at, referral_id LIMIT :limit
    """
)

# A page of the list of calls: those that should be made now at these hubs (NULL: at all), band by band. Of linked referrals
# that share a call, the one that is due first stands for all.
FIND_LIST = CALL.query(
    f"""
    SELECT {{columns}} FROM {_BANDS}
    CROSS JOIN LATERAL (
        SELECT * FROM welfare_call
        WHERE {_MAY_BE_MADE} AND {_IN_BAND}
            AND (:due_at::timestamptz IS NULL OR band > :band::int
                OR (band = :band AND (due_at, referral_id) > (:due_at, :referral_id::uuid)))
        ORDER BY due_at, referral_id LIMIT :limit
    ) AS welfare_call
    ORDER BY band, due_at, referral_id LIMIT :limit
    """  # noqa: S608 # of constants
)

# How many calls should be made now at these hubs (NULL: at all), by hub and band.
COUNT_LIST = Statement(
    f"""
    SELECT hub_id, band, count(*) AS number FROM {_BANDS}
    JOIN welfare_call ON {_MAY_BE_MADE} AND {_IN_BAND}
    GROUP BY hub_id, band
    """  # noqa: S608 # of constants
)

# The calls that somebody has claimed, the longest first.
CLAIMED_BY = CALL.query(
    "SELECT {columns} FROM welfare_call WHERE state = 'claimed' AND claimed_by = :caller ORDER BY claim_expires_at"
)

# One caller at a time is given the next call.
LOCK_NEXT = Statement("SELECT pg_advisory_xact_lock(hashtextextended('bdcan.volunteer-match.next-call', 0))")

# How many welfare calls there are, by hub and state. One that no hub has yet is with none.
COUNT_BY_STATE = Statement(
    """
    SELECT coalesce(hub_id, 'none') AS hub, state, count(*) AS value FROM welfare_call GROUP BY hub_id, state
    """
)

# By when each call must be made that is not made yet, with its hub; and every hub.
PROMISED = Statement(
    """
    SELECT hub_id AS hub, due_at FROM welfare_call
    WHERE state IN ('due', 'unanswered', 'claimed') AND review IS NULL
    UNION ALL SELECT hub_id, NULL FROM hub
    """
)

# In how many seconds the most pressing call of each hub is due: below 0, it is late.
NEXT_DUE = Statement(
    """
    SELECT hub_id AS hub, extract(epoch FROM min(due_at) - :now::timestamptz)::float8 AS value FROM welfare_call
    WHERE state IN ('due', 'unanswered', 'claimed') AND review IS NULL GROUP BY hub_id
    """
)

# How long the resident of each hub who waits longest has waited for a call that may be made.
OLDEST = Statement(
    """
    SELECT hub_id AS hub, extract(epoch FROM :now::timestamptz - min(not_before))::float8 AS value FROM welfare_call
    WHERE state IN ('due', 'unanswered', 'claimed') AND review IS NULL AND not_before <= :now GROUP BY hub_id
    """
)

# How many calls are still to be made, by hub, by how often somebody has rung without reaching anybody, and by state.
COUNT_BY_ATTEMPT = Statement(
    """
    SELECT hub_id AS hub, least(misses, 4) AS attempt, state, count(*) AS value FROM welfare_call
    WHERE state IN ('due', 'unanswered', 'claimed') GROUP BY 1, 2, 3
    """
)

# A page of the calls of these hubs (NULL: of all) at which a person must look, the soonest first.
FIND_REVIEWS = CALL.query(
    """
    SELECT {columns} FROM welfare_call
    WHERE review IS NOT NULL AND (:hubs::text[] IS NULL OR hub_id = ANY (:hubs))
        AND (:review_by::timestamptz IS NULL OR (review_by, referral_id) > (:review_by, :referral_id::uuid))
    ORDER BY review_by, referral_id LIMIT :limit
    """
)

# How many calls wait for a person, by hub, and whether the person is late. Not by reason: one who may have died would show.
COUNT_REVIEWS = Statement(
    """
    SELECT hub_id AS hub, review_overdue::text AS overdue, count(*) AS value FROM welfare_call
    WHERE review IS NOT NULL GROUP BY hub_id, review_overdue
    """
)

# By how many seconds the latest of them is late, by hub.
REVIEW_LATE = Statement(
    """
    SELECT hub_id AS hub, extract(epoch FROM :now::timestamptz - min(review_by))::float8 AS value FROM welfare_call
    WHERE review IS NOT NULL AND review_by < :now GROUP BY hub_id
    """
)

# How many open calls are about somebody of whom another referral may be, by hub and by how the two belong together.
COUNT_LINKED = Statement(
    """
    SELECT hub_id AS hub, likeness, count(*) AS value FROM welfare_call
    CROSS JOIN LATERAL (VALUES ('person', same_person_ids), ('household', same_household_ids)) AS l (likeness, ids)
    WHERE state IN ('due', 'unanswered', 'claimed') AND hub_id IS NOT NULL AND ids <> '{}'
    GROUP BY hub_id, likeness
    """
)

# Calls of these referrals, for whoever sees one of them.
OF_REFERRALS = CALL.query(
    "SELECT {columns} FROM welfare_call WHERE referral_id = ANY (:referral_ids) ORDER BY referral_id"
)
