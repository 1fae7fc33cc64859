"""What is read and never changed: one referral, lists of them, and the figures of all. Nothing personal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from bdcan_chassis.database import Connection


class ReferralView(NamedTuple):
    """A referral as a list shows it."""

    referral_id: UUID
    source: str
    reference: str | None
    channel: str
    priority: str
    outreach: bool
    state: str
    version: int
    hub_id: str | None
    outcome: str | None
    owner: str | None
    due_at: datetime | None
    received_at: datetime
    contact_due_at: datetime
    closed_at: datetime | None
    flags: Sequence[str]


class NeedView(NamedTuple):
    """A need as it stands."""

    need_id: UUID
    code: str
    lane: str
    state: str
    reason: str | None
    owner: str | None
    due_at: datetime | None


class Figures(NamedTuple):
    """Counts over everything."""

    referrals: int
    by_state: dict[str, int]
    by_outcome: dict[str, int]
    by_source: dict[str, int]
    needs_by_state: dict[str, int]
    needs_by_lane_and_state: dict[str, dict[str, int]]
    without_owner_or_deadline: int
    open_needs_overdue: int


async def referral(connection: Connection, referral_id: UUID) -> ReferralView | None:
    """One referral."""
    row = await connection.fetchrow(f"{_REFERRALS} WHERE id = $1", referral_id)
    return None if row is None else ReferralView(*row.values())


async def needs(connection: Connection, referral_id: UUID) -> list[NeedView]:
    """Its needs, oldest first."""
    return [NeedView(*row.values()) for row in await connection.fetch(_NEEDS, referral_id)]


async def referrals(
    connection: Connection,
    *,
    state: str | None,
    hub: str | None,
    source: str | None,
    reference: str | None,
    hubs: Sequence[str] | None,
    caller: str,
    after: UUID | None,
    limit: int,
) -> list[ReferralView]:
    """A page of referrals, oldest first. `hubs` None: all; else those of these hubs and the caller's own."""
    rows = await connection.fetch(_PAGE, state, hub, source, reference, hubs, caller, after, limit)
    return [ReferralView(*row.values()) for row in rows]


async def figures(connection: Connection, now: datetime) -> Figures:
    """Counts over everything, in two passes over the tables."""
    by_state: Counter[str] = Counter()
    by_outcome: Counter[str] = Counter()
    by_source: Counter[str] = Counter()
    unowned = 0
    for row in await connection.fetch(_COUNT_REFERRALS):
        by_state[row["state"]] += row["count"]
        by_source[row["source"]] += row["count"]
        if row["outcome"]:
            by_outcome[row["outcome"]] += row["count"]
        unowned += row["unowned"]
    needs_by_state: Counter[str] = Counter()
    by_lane: dict[str, dict[str, int]] = {}
    overdue = 0
    for row in await connection.fetch(_COUNT_NEEDS, now):
        needs_by_state[row["state"]] += row["count"]
        by_lane.setdefault(row["lane"], {})[row["state"]] = row["count"]
        unowned += row["unowned"]
        overdue += row["overdue"]
    return Figures(
        by_state.total(), by_state, by_outcome, by_source, needs_by_state, by_lane, unowned, overdue
    )


_REFERRALS = """
SELECT id, source, reference, channel, priority, outreach, state, version, hub_id, outcome, owner, due_at,
    received_at, contact_due_at, closed_at, flags
FROM referral
"""

_PAGE = f"""
{_REFERRALS}
WHERE ($1::text IS NULL OR state = $1) AND ($2::text IS NULL OR hub_id = $2) AND ($3::text IS NULL OR source = $3)
    AND ($4::text IS NULL OR reference = $4)
    AND ($5::text[] IS NULL OR hub_id = ANY ($5) OR source = $6)
    AND ($7::uuid IS NULL OR id > $7)
ORDER BY id LIMIT $8
"""

_NEEDS = """
SELECT id, code, lane, state, reason, owner, due_at FROM need WHERE referral_id = $1 ORDER BY id
"""

_COUNT_REFERRALS = """
SELECT state, outcome, source, count(*) AS count,
    count(*) FILTER (WHERE state <> 'closed' AND (owner IS NULL OR due_at IS NULL)) AS unowned
FROM referral GROUP BY state, outcome, source
"""

_COUNT_NEEDS = """
SELECT lane, state, count(*) AS count,
    count(*) FILTER (WHERE state IN ('open', 'in-hand') AND (owner IS NULL OR due_at IS NULL)) AS unowned,
    count(*) FILTER (WHERE state IN ('open', 'in-hand') AND due_at < $1) AS overdue
FROM need GROUP BY lane, state
"""

GAUGE_REFERRALS = "SELECT state, count(*) AS value FROM referral GROUP BY state"
"""For the metrics: referrals by state."""

GAUGE_NEEDS = "SELECT lane, state, count(*) AS value FROM need GROUP BY lane, state"
"""For the metrics: needs by lane and state."""

GAUGE_DUE = """
SELECT owner, extract(epoch FROM min(due_at))::float8 AS value
FROM need WHERE state IN ('open', 'in-hand') GROUP BY owner
"""
"""For the metrics: when each owner's first need is due."""
