"""Escalations in the database."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

import asyncpg

from bdcan_chassis.database import Connection, columns
from bdcan_contracts.models import (
    EscalationKind,
    EscalationOutcome,
    EscalationStage,
    Need,
    NeedCode,
    Priority,
)
from bdcan_escalation.domain.escalation import Escalation, State


async def lock(connection: Connection, escalation_ids: Iterable[UUID]) -> dict[UUID, Escalation]:
    """Lock escalations by id; those that do not exist are absent."""
    rows = await connection.fetch(_LOCK, list(set(escalation_ids)))
    return {r["escalation_id"]: _escalation(r) for r in rows}


async def lock_of_referrals(connection: Connection, referral_ids: Iterable[UUID]) -> list[Escalation]:
    """Lock all escalations of some referrals, in order of their ids."""
    return [_escalation(r) for r in await connection.fetch(_LOCK_OF_REFERRALS, list(set(referral_ids)))]


async def lock_to_forward(
    connection: Connection, now: datetime, limit: int, *, safeguarding: bool
) -> list[Escalation]:
    """Lock what the gateway may take now, the most urgent first; what another process holds is left to it."""
    rows = await connection.fetch(_LOCK_TO_FORWARD, now, limit, safeguarding)
    return [_escalation(r) for r in rows]


async def save(connection: Connection, escalations: Iterable[Escalation]) -> None:
    """Insert or update escalations."""
    rows = [_row(e) for e in sorted(escalations, key=lambda e: e.escalation_id)]
    if rows:
        await connection.execute(_SAVE, *columns(rows))


async def get(connection: Connection, escalation_id: UUID) -> Escalation | None:
    """One escalation, without a lock."""
    row = await connection.fetchrow(_GET, escalation_id)
    return _escalation(row) if row else None


async def find(
    connection: Connection, *, state: str | None, hubs: list[str] | None, after: UUID | None, limit: int
) -> list[Escalation]:
    """Escalations in the order in which they were opened, from behind `after`. `hubs`: only these hubs'; None for all."""
    return [_escalation(r) for r in await connection.fetch(_FIND, state, hubs, after, limit)]


async def counts(connection: Connection) -> list[tuple[str, str, int]]:
    """How many escalations there are, by kind and state."""
    return [(r["kind"], r["state"], r["value"]) for r in await connection.fetch(COUNT_BY_KIND_AND_STATE)]


async def late(connection: Connection) -> dict[str, int]:
    """How many escalations are late, by the stage that is."""
    return {r["stage"]: r["value"] for r in await connection.fetch(COUNT_LATE)}


def _row(e: Escalation) -> tuple[object, ...]:
    return (
        e.escalation_id,
        e.referral_id,
        e.kind,
        json.dumps([{"need_id": str(n.need_id), "code": n.code} for n in e.needs]),
        e.hub_id,
        e.priority,
        e.state,
        e.opened_at,
        e.acknowledge_by,
        e.due_at,
        e.next_attempt_at,
        e.attempts,
        e.in_doubt,
        e.problem,
        e.late,
        e.case_id,
        e.reference,
        e.forwarded_at,
        e.acknowledged_at,
        e.accepted_at,
        e.ended_at,
        e.reason,
        e.outcome,
        e.overdue_at,
        e.spoken_of_until,
    )


def _escalation(r: asyncpg.Record) -> Escalation:
    return Escalation(
        escalation_id=r["escalation_id"],
        referral_id=r["referral_id"],
        kind=EscalationKind(r["kind"]),
        needs=tuple(
            Need(need_id=UUID(n["need_id"]), code=NeedCode(n["code"])) for n in json.loads(r["needs"])
        ),
        hub_id=r["hub_id"],
        priority=Priority(r["priority"]),
        state=State(r["state"]),
        opened_at=r["opened_at"],
        acknowledge_by=r["acknowledge_by"],
        due_at=r["due_at"],
        next_attempt_at=r["next_attempt_at"],
        attempts=r["attempts"],
        in_doubt=r["in_doubt"],
        problem=r["problem"],
        late=EscalationStage(r["late"]) if r["late"] else None,
        case_id=r["case_id"],
        reference=r["reference"],
        forwarded_at=r["forwarded_at"],
        acknowledged_at=r["acknowledged_at"],
        accepted_at=r["accepted_at"],
        ended_at=r["ended_at"],
        reason=r["reason"],
        outcome=EscalationOutcome(r["outcome"]) if r["outcome"] else None,
        overdue_at=r["overdue_at"],
        spoken_of_until=r["spoken_of_until"],
    )


COUNT_BY_KIND_AND_STATE = "SELECT kind, state, count(*) AS value FROM escalation GROUP BY kind, state"

COUNT_LATE = "SELECT late AS stage, count(*) AS value FROM escalation WHERE late IS NOT NULL GROUP BY late"

COUNT_PROBLEMS = """
SELECT problem, count(*) AS value FROM escalation
WHERE problem IS NOT NULL AND state IN ('opened', 'forwarding', 'unverified') GROUP BY problem
"""

_COLUMNS = """escalation_id, referral_id, kind, needs, hub_id, priority, state, opened_at, acknowledge_by, due_at,
    next_attempt_at, attempts, in_doubt, problem, late, case_id, reference, forwarded_at, acknowledged_at, accepted_at,
    ended_at, reason, outcome, overdue_at, spoken_of_until"""

_LOCK = f"""
SELECT {_COLUMNS} FROM escalation WHERE escalation_id = ANY ($1::uuid[]) ORDER BY escalation_id FOR UPDATE
"""  # noqa: S608 # our columns

_LOCK_OF_REFERRALS = f"""
SELECT {_COLUMNS} FROM escalation WHERE referral_id = ANY ($1::uuid[]) ORDER BY escalation_id FOR UPDATE
"""  # noqa: S608 # our columns

_LOCK_TO_FORWARD = f"""
SELECT {_COLUMNS} FROM escalation
WHERE state IN ('opened', 'forwarding', 'unverified') AND next_attempt_at <= $1
    AND (kind = 'safeguarding') = $3
ORDER BY array_position(ARRAY['urgent', 'standard', 'routine'], priority), opened_at, escalation_id
LIMIT $2 FOR UPDATE SKIP LOCKED
"""  # noqa: S608 # our columns

_GET = f"SELECT {_COLUMNS} FROM escalation WHERE escalation_id = $1"  # noqa: S608 # our columns

_FIND = f"""
SELECT {_COLUMNS} FROM escalation
WHERE ($1::text IS NULL OR state = $1) AND ($2::text[] IS NULL OR hub_id = ANY ($2))
    AND ($3::uuid IS NULL OR (opened_at, escalation_id)
        > (SELECT a.opened_at, a.escalation_id FROM escalation AS a WHERE a.escalation_id = $3))
ORDER BY opened_at, escalation_id LIMIT $4
"""  # noqa: S608 # our columns

_SAVE = f"""
INSERT INTO escalation ({_COLUMNS})
SELECT {_COLUMNS}
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::jsonb[], $5::text[], $6::text[], $7::text[], $8::timestamptz[],
    $9::timestamptz[], $10::timestamptz[], $11::timestamptz[], $12::int[], $13::boolean[], $14::text[], $15::text[],
    $16::text[], $17::text[], $18::timestamptz[], $19::timestamptz[], $20::timestamptz[], $21::timestamptz[],
    $22::text[], $23::text[], $24::timestamptz[], $25::timestamptz[]) AS n ({_COLUMNS})
ON CONFLICT (escalation_id) DO UPDATE SET hub_id = excluded.hub_id, priority = excluded.priority,
    state = excluded.state, due_at = excluded.due_at, next_attempt_at = excluded.next_attempt_at,
    attempts = excluded.attempts, in_doubt = excluded.in_doubt, problem = excluded.problem, late = excluded.late,
    case_id = excluded.case_id, reference = excluded.reference, forwarded_at = excluded.forwarded_at,
    acknowledged_at = excluded.acknowledged_at, accepted_at = excluded.accepted_at, ended_at = excluded.ended_at,
    reason = excluded.reason, outcome = excluded.outcome, overdue_at = excluded.overdue_at,
    spoken_of_until = excluded.spoken_of_until
"""  # noqa: S608 # our columns
