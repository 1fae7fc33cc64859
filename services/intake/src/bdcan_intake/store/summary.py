"""Figures of all referrals and needs."""

from __future__ import annotations

from msgspec import Struct

from bdcan_chassis.table import Query, Statement
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

# For the metrics: referrals by state.
GAUGE_REFERRALS = Statement("SELECT state, count(*) AS value FROM referral GROUP BY state")

# For the metrics: needs by lane and state. A small count of a lane that not everyone may see is left out.
GAUGE_NEEDS = Statement(
    """
    SELECT lane, state, count(*) AS value FROM need GROUP BY lane, state
    HAVING lane IN (open_lanes) OR count(*) >= least_shown
    """.replace("open_lanes", ", ".join(f"'{lane}'" for lane in sorted(OPEN_LANES))).replace(
        "least_shown", str(LEAST_SHOWN)
    )
)

# For the metrics: when the first open need of each owner is due.
GAUGE_NEXT_DUE = Statement(
    """
    SELECT owner, extract(epoch FROM min(due_at))::float8 AS value
    FROM need WHERE state IN ('open', 'in-hand') GROUP BY owner
    """
)
