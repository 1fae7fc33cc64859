"""Welfare calls: one row a referral. Who locks one goes on from the time at which it was changed last (`Tx.not_before`)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from bdcan_chassis.database import Connection
from bdcan_chassis.transaction import Tx
from bdcan_contracts.models import Diet, Flag, Household, NeedCode, Priority
from bdcan_volunteer_match.domain.call import CallNeed, CallState, WelfareCall
from bdcan_volunteer_match.store.rows import locked, write

CLAIM = "claim"
"""Kind of the deadline at which a claim runs out; its subject is the referral."""


async def lock(tx: Tx, referral_ids: Iterable[UUID]) -> dict[UUID, WelfareCall]:
    """The calls of these referrals that exist, locked."""
    rows = await locked(tx, _LOCK, list(set(referral_ids)))
    return {row["referral_id"]: _call(row) for row in rows}


async def lock_round(tx: Tx, call_id: UUID) -> WelfareCall | None:
    """The referral's call whose present round this is, locked."""
    rows = await locked(tx, _LOCK_ROUND, call_id)
    return _call(rows[0]) if rows else None


async def get_round(connection: Connection, call_id: UUID) -> WelfareCall | None:
    """The referral's call whose present round this is, as it stands."""
    row = await connection.fetchrow(_GET_ROUND, call_id)
    return None if row is None else _call(row)


async def find(
    connection: Connection,
    state: CallState | None,
    hubs: list[str] | None,
    now: datetime,
    limit: int,
    after: UUID | None,
) -> list[WelfareCall]:
    """Calls in the order of their due time. `due` finds all that should be made now, after a miss as well."""
    rows = await connection.fetch(
        _FIND_DUE if state is CallState.DUE else _FIND, state and state.value, hubs, now, limit, after
    )
    return [_call(row) for row in rows]


async def save(tx: Tx, before: dict[UUID, WelfareCall], calls: Iterable[WelfareCall]) -> None:
    """Write what differs from `before`, and keep the deadline of each claim in step."""
    changed = [call for call in calls if call is not before.get(call.referral_id)]
    for call in changed:
        old = before.get(call.referral_id)
        if call.claim_expires_at is not None:
            tx.set_deadline(CLAIM, call.referral_id, call.claim_expires_at)
        elif old is not None and old.claim_expires_at is not None:
            tx.cancel_deadline(CLAIM, call.referral_id)
    await write(tx.connection, "welfare_call", _NAMES, _SAVE, [_row(call, tx.now) for call in changed])


async def add_attempt(
    connection: Connection, call: WelfareCall, outcome: str, caller: str, now: datetime
) -> None:
    """Write down a call that was made."""
    await connection.execute(
        _ADD_ATTEMPT, call.call_id, call.attempts, call.referral_id, outcome, caller, now
    )


def _row(call: WelfareCall, now: datetime) -> tuple[Any, ...]:
    household = call.household
    circumstances = {
        "needs": [[str(n.need_id), n.code, n.open] for n in call.needs],
        "said": {str(n.need_id): n.said_at for n in call.needs if n.said_at},
        "household": household and [household.adults, household.children, household.infants],
        "diets": call.diets,
        "flags": call.flags,
    }
    return (
        call.referral_id,
        call.call_id,
        call.state,
        call.revision + 1,
        call.hub_id,
        call.assignment_version,
        call.amendment_version,
        call.priority,
        call.outreach,
        call.confirm_at_call,
        orjson.dumps(circumstances).decode(),
        call.attempts,
        call.misses,
        call.not_before,
        call.due_at,
        call.claimed_by,
        call.claim_expires_at,
        list(call.closed_needs),
        call.withdrawn,
        call.ended,
        now,
    )


def _call(row: asyncpg.Record) -> WelfareCall:
    circumstances = orjson.loads(row["circumstances"])
    household = circumstances["household"]
    said = {i: datetime.fromisoformat(at) for i, at in circumstances.get("said", {}).items()}
    return WelfareCall(
        referral_id=row["referral_id"],
        call_id=row["call_id"],
        state=CallState(row["state"]),
        revision=row["revision"],
        hub_id=row["hub_id"],
        assignment_version=row["assignment_version"],
        amendment_version=row["amendment_version"],
        priority=Priority(row["priority"]),
        outreach=row["outreach"],
        confirm_at_call=row["confirm_at_call"],
        needs=tuple(
            CallNeed(UUID(i), NeedCode(code), is_open, said.get(i))
            for i, code, is_open in circumstances["needs"]
        ),
        household=household and Household(adults=household[0], children=household[1], infants=household[2]),
        diets=tuple(map(Diet, circumstances["diets"])),
        flags=tuple(map(Flag, circumstances["flags"])),
        attempts=row["attempts"],
        misses=row["misses"],
        not_before=row["not_before"],
        due_at=row["due_at"],
        claimed_by=row["claimed_by"],
        claim_expires_at=row["claim_expires_at"],
        closed_needs=frozenset(row["closed_needs"]),
        withdrawn=row["withdrawn"],
        ended=row["ended"],
    )


_COLUMNS = """
    referral_id, call_id, state, revision, hub_id, assignment_version, amendment_version, priority, outreach,
    confirm_at_call, circumstances, attempts, misses, not_before, due_at, claimed_by, claim_expires_at, closed_needs,
    withdrawn, ended, changed_at
"""
_NAMES = _COLUMNS.replace(",", " ").split()

_LOCK = f"""
SELECT {_COLUMNS} FROM welfare_call WHERE referral_id = ANY ($1::uuid[]) ORDER BY referral_id FOR UPDATE
"""  # noqa: S608 # a constant

_GET_ROUND = f"SELECT {_COLUMNS} FROM welfare_call WHERE call_id = $1"  # noqa: S608 # a constant

_LOCK_ROUND = f"{_GET_ROUND} FOR UPDATE"

_AFTER = """
    AND ($2::text[] IS NULL OR hub_id = ANY ($2))
    AND ($5::uuid IS NULL OR (due_at, referral_id) > (SELECT due_at, referral_id FROM welfare_call WHERE call_id = $5))
ORDER BY due_at, referral_id LIMIT $4
"""

_FIND_DUE = f"""
SELECT {_COLUMNS} FROM welfare_call
WHERE state IN ('due', 'unanswered') AND $1::text = 'due' AND not_before <= $3::timestamptz {_AFTER}
"""  # noqa: S608 # a constant

_FIND = f"""
SELECT {_COLUMNS} FROM welfare_call
WHERE due_at IS NOT NULL AND ($1::text IS NULL OR state = $1) AND $3::timestamptz IS NOT NULL {_AFTER}
"""  # noqa: S608 # a constant

_SAVE = f"""
INSERT INTO welfare_call ({_COLUMNS})
SELECT referral_id, call_id, state, revision, hub_id, assignment_version, amendment_version, priority, outreach,
    confirm_at_call, circumstances::jsonb, attempts, misses, not_before, due_at, claimed_by, claim_expires_at,
    string_to_array(closed_needs, ',')::uuid[], withdrawn, ended, changed_at
FROM unnest(
    $1::uuid[], $2::uuid[], $3::text[], $4::int[], $5::text[], $6::int[], $7::int[], $8::text[], $9::bool[],
    $10::bool[], $11::text[], $12::int[], $13::int[], $14::timestamptz[], $15::timestamptz[], $16::text[],
    $17::timestamptz[], $18::text[], $19::bool[], $20::bool[], $21::timestamptz[]
) AS c ({_COLUMNS})
ON CONFLICT (referral_id) DO UPDATE SET
    call_id = excluded.call_id, state = excluded.state, revision = excluded.revision, hub_id = excluded.hub_id,
    assignment_version = excluded.assignment_version, amendment_version = excluded.amendment_version,
    priority = excluded.priority, outreach = excluded.outreach, confirm_at_call = excluded.confirm_at_call,
    circumstances = excluded.circumstances, attempts = excluded.attempts, misses = excluded.misses,
    not_before = excluded.not_before, due_at = excluded.due_at, claimed_by = excluded.claimed_by,
    claim_expires_at = excluded.claim_expires_at, closed_needs = excluded.closed_needs,
    withdrawn = excluded.withdrawn, ended = excluded.ended, changed_at = excluded.changed_at
WHERE welfare_call.revision = excluded.revision - 1
"""  # noqa: S608 # a constant

_ADD_ATTEMPT = """
INSERT INTO call_attempt (call_id, attempt, referral_id, outcome, caller, made_at)
VALUES ($1, $2, $3, $4, $5, $6)
"""
