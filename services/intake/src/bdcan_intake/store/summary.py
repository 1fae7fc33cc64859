"""Figures of all referrals and needs."""

from __future__ import annotations

from msgspec import Struct

from bdcan_chassis.table import Query, Statement
from bdcan_contracts.models import NeedState
from bdcan_intake.domain.audience import LEAST_SHOWN, OPEN_LANES


class ReferralCount(Struct, frozen=True):
    """Some referrals. `unowned`: how many of them are open and lack an owner or a time, which must be none."""

    state: str
    outcome: str | None
    source: str
    count: int
    unowned: int


class NeedCount(Struct, frozen=True):
    """Some needs. `unowned`: how many of them are open and lack an owner or a time; `overdue`: whose time has passed."""

    lane: str
    state: str
    count: int
    unowned: int
    overdue: int


# Referrals by state, outcome and source.
COUNT_REFERRALS = Query(
    """
    SELECT state, outcome, source, count(*) AS count,
        count(*) FILTER (WHERE state <> 'closed' AND (owner IS NULL OR due_at IS NULL)) AS unowned
    FROM referral GROUP BY state, outcome, source
    """,
    ReferralCount,
)

# Needs by lane and state.
COUNT_NEEDS = Query(
    """
    SELECT lane, state, count(*) AS count,
        count(*) FILTER (WHERE state IN ('open', 'in-hand') AND (owner IS NULL OR due_at IS NULL)) AS unowned,
        count(*) FILTER (WHERE state IN ('open', 'in-hand') AND due_at < :now) AS overdue
    FROM need GROUP BY lane, state
    """,
    NeedCount,
)

_OPEN_LANES = ", ".join(f"'{lane}'" for lane in sorted(OPEN_LANES))

# For the metrics: referrals by state.
GAUGE_REFERRALS = Statement("SELECT state, count(*) AS value FROM referral GROUP BY state")

# For the metrics: needs by lane and state. A small count of a lane that not everyone may see is left out.
GAUGE_NEEDS = Statement(
    f"""
    SELECT lane, state, sum(n) AS value FROM (
        SELECT lane, state, count(*) AS n FROM need GROUP BY lane, state
        UNION ALL
        SELECT l, s, 0 FROM unnest(ARRAY[{_OPEN_LANES}]) AS l
        CROSS JOIN unnest(ARRAY[{", ".join(f"'{state}'" for state in NeedState)}]) AS s
    ) AS counted GROUP BY lane, state HAVING lane IN ({_OPEN_LANES}) OR sum(n) >= {LEAST_SHOWN}
    """  # noqa: S608 # all of it is ours
)

# For the metrics: open needs by code (of a sensitive lane: the lane), who owns them, and how long ago they were asked for.
GAUGE_OPEN_NEEDS = Statement(
    f"""
    SELECT CASE WHEN n.lane IN ({_OPEN_LANES}) THEN n.code ELSE n.lane END AS kind,
        split_part(n.owner, ':', 1) AS owner_kind,
        (ARRAY['<1h', '<4h', '<1d', '<3d', 'more'])[1 + width_bucket(
            extract(epoch FROM :now::timestamptz - r.received_at)::float8, ARRAY[3600, 14400, 86400, 259200]::float8[]
        )] AS age,
        count(*) AS value
    FROM need AS n JOIN referral AS r ON r.id = n.referral_id
    WHERE n.state IN ('open', 'in-hand')
    GROUP BY 1, 2, 3, n.lane HAVING n.lane IN ({_OPEN_LANES}) OR count(*) >= {LEAST_SHOWN}
    """  # noqa: S608 # all of it is ours
)

# For the metrics: open needs whose time has passed, by owner. Those of sensitive lanes are escalation's to count.
GAUGE_OVERDUE = Statement(
    f"""
    SELECT owner, count(*) FILTER (WHERE due_at < :now) AS value FROM need
    WHERE state IN ('open', 'in-hand') AND lane IN ({_OPEN_LANES}) GROUP BY owner
    """  # noqa: S608 # all of it is ours
)

# For the metrics: how long ago the oldest referral of each state came in, of those that are open.
GAUGE_OLDEST = Statement(
    """
    SELECT state AS stage, extract(epoch FROM :now::timestamptz - min(received_at))::float8 AS value
    FROM referral WHERE state <> 'closed' GROUP BY state
    """
)

# For the metrics: how long ago the middle one of each state came in, of those that are open.
GAUGE_MEDIAN = Statement(
    """
    SELECT state AS stage,
        extract(epoch FROM :now::timestamptz - percentile_disc(0.5) WITHIN GROUP (ORDER BY received_at))::float8 AS value
    FROM referral WHERE state <> 'closed' GROUP BY state
    """
)

# For the metrics: referrals that routing has neither placed nor sent to a person in time.
GAUGE_UNPLACED = Statement(
    "SELECT count(*) AS value FROM referral WHERE state = 'received' AND owner = 'intake'"
)
