"""The referral aggregate: its row and its needs. Whoever changes it locks it first, in the order of ids."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from bdcan_chassis.database import Connection, are_many, columns, copied
from bdcan_chassis.transaction import Tx
from bdcan_contracts.models import (
    Diet,
    Flag,
    Household,
    NeedCode,
    NeedState,
    Priority,
    ReferralOutcome,
)
from bdcan_intake.domain.referral import Need, Referral, ReferralState
from bdcan_intake.domain.submission import Submission

_NEED_CODES = {code.value: code for code in NeedCode}
_NEED_STATES = {state.value: state for state in NeedState}
_STATES = {state.value: state for state in ReferralState}
_PRIORITIES = {priority.value: priority for priority in Priority}

_NEED_COLUMNS = (
    "referral_id",
    "id",
    "code",
    "lane",
    "state",
    "reason",
    "owner",
    "due_at",
    "fact_at",
    "fact_rank",
)


async def insert(
    connection: Connection, new: Sequence[tuple[Submission, Referral]], now: datetime
) -> set[UUID]:
    """Write the rows of new referrals, without their needs; returns the ids of those that were not there yet.

    A source and reference that is taken is passed over, whoever took it, also earlier in the same list.
    """
    if not new:
        return set()
    if are_many(new):
        fresh = await _not_taken(connection, new)
        if await copied(connection, "referral", _NEW_COLUMNS, [_new_row(s, r, now) for s, r in fresh]):
            return {r.referral_id for _, r in fresh}
    # unnest takes apart a list within a list: diets and flags go as text
    rows = [[",".join(v) if isinstance(v, tuple) else v for v in _new_row(s, r, now)] for s, r in new]
    return {row["id"] for row in await connection.fetch(_INSERT, *columns(rows))}


async def _not_taken(
    connection: Connection, new: Sequence[tuple[Submission, Referral]]
) -> list[tuple[Submission, Referral]]:
    """The first of each source and reference that nobody had when this was asked."""
    rows = await connection.fetch(_TAKEN, [s.source for s, _ in new], [s.reference for s, _ in new])
    taken = {(row["source"], row["reference"]) for row in rows}
    first: dict[object, tuple[Submission, Referral]] = {}
    for submission, referral in new:
        identity = (submission.source, submission.reference or referral.referral_id)
        if identity not in taken:
            first.setdefault(identity, (submission, referral))
    return list(first.values())


async def lock(tx: Tx, ids: Collection[UUID]) -> dict[UUID, Referral]:
    """The referrals with their needs, locked until the unit ends; unknown ids are left out.

    The unit goes on from their last change and from what their needs have followed (`Tx.not_before`).
    """
    wanted = list(ids)
    rows = await tx.connection.fetch(_LOCK, wanted)
    found = await tx.connection.fetch(_NEEDS, wanted)
    tx.not_before(*[row["changed_at"] for row in rows], *[row["fact_at"] for row in found])
    needs: dict[UUID, list[Need]] = {row["id"]: [] for row in rows}
    for referral_id, need_id, code, state, owner, due_at, fact_at, rank, reason in found:
        needs[referral_id].append(
            Need(need_id, _NEED_CODES[code], _NEED_STATES[state], owner, due_at, fact_at, rank, reason)
        )
    return {
        row["id"]: Referral(
            referral_id=row["id"],
            version=row["version"],
            state=_STATES[row["state"]],
            priority=_PRIORITIES[row["priority"]],
            outreach=row["outreach"],
            contact_due_at=row["contact_due_at"],
            owner=row["owner"],
            due_at=row["due_at"],
            needs=tuple(needs[row["id"]]),
            hub_id=row["hub_id"],
            placement_version=row["placement_version"],
            called=row["called"],
            out_of_area=row["out_of_area"],
            withdrawn_reason=row["withdrawn_reason"],
            outcome=row["outcome"] and ReferralOutcome(row["outcome"]),
        )
        for row in rows
    }


async def save(
    connection: Connection, before: Mapping[UUID, Referral], after: Mapping[UUID, Referral], now: datetime
) -> None:
    """Write what has changed between `before` and `after`, and nothing else."""
    changed = [r for i, r in after.items() if r is not before[i]]
    if not changed:
        return
    if rows := [r for r in changed if _row(r) != _row(before[r.referral_id])]:
        await connection.execute(
            _UPDATE,
            [r.referral_id for r in rows],
            [r.version for r in rows],
            [r.priority for r in rows],
            [r.state for r in rows],
            [r.hub_id for r in rows],
            [r.placement_version for r in rows],
            [r.called for r in rows],
            [r.out_of_area for r in rows],
            [r.withdrawn_reason for r in rows],
            [r.outcome for r in rows],
            [r.owner for r in rows],
            [r.due_at for r in rows],
            [r.contact_due_at for r in rows],
            now,
        )
    await save_needs(
        connection,
        [
            (r.referral_id, need)
            for r in changed
            for need, old in _beside(r.needs, before[r.referral_id].needs)
            if need is not old
        ],
    )


async def add_needs(connection: Connection, needs: Sequence[tuple[UUID, Need]]) -> None:
    """Write the needs of new referrals."""
    if not await copied(connection, "need", _NEED_COLUMNS, [_need_row(i, n) for i, n in needs]):
        await save_needs(connection, needs)


async def save_needs(connection: Connection, needs: Sequence[tuple[UUID, Need]]) -> None:
    """Write needs, new ones and known ones."""
    if needs:
        rows = [_need_row(i, n) for i, n in needs]
        await connection.execute(_SAVE_NEEDS, *columns(rows))


async def particulars(
    connection: Connection, referral_id: UUID
) -> tuple[Household | None, tuple[Diet, ...], tuple[Flag, ...]]:
    """Who lives there, what food must respect, what changes how help is given."""
    row = await connection.fetchrow(_PARTICULARS, referral_id)
    if row is None:
        return None, (), ()
    household = None
    if row["adults"] is not None:
        household = Household(adults=row["adults"], children=row["children"], infants=row["infants"])
    return household, tuple(map(Diet, row["diets"])), tuple(map(Flag, row["flags"]))


async def save_particulars(
    connection: Connection,
    referral_id: UUID,
    household: Household | None,
    diets: Iterable[Diet],
    flags: Iterable[Flag],
) -> None:
    """Replace them."""
    await connection.execute(
        _SAVE_PARTICULARS,
        referral_id,
        household and household.adults,
        household and household.children,
        household and household.infants,
        list(diets),
        list(flags),
    )


def _new_row(s: Submission, r: Referral, now: datetime) -> tuple[Any, ...]:
    household = (
        (s.household.adults, s.household.children, s.household.infants) if s.household else (None,) * 3
    )
    return (
        r.referral_id,
        s.source,
        s.reference,
        s.import_id,
        s.channel,
        r.priority,
        r.outreach,
        r.state,
        r.version,
        r.placement_version,
        r.called,
        r.out_of_area,
        r.owner,
        r.due_at,
        now,
        r.contact_due_at,
        *household,
        s.diets,
        s.flags,
    )


def _need_row(referral_id: UUID, n: Need) -> tuple[object, ...]:
    return (referral_id, n.need_id, n.code, n.lane, n.state, n.reason, n.owner, n.due_at, n.fact_at, n.rank)


def _row(r: Referral) -> tuple[object, ...]:
    return (
        r.version,
        r.priority,
        r.state,
        r.hub_id,
        r.placement_version,
        r.called,
        r.out_of_area,
        r.withdrawn_reason,
        r.outcome,
        r.owner,
        r.due_at,
        r.contact_due_at,
    )


def _beside(after: Sequence[Need], before: Sequence[Need]) -> Iterable[tuple[Need, Need | None]]:
    """Each need beside what it was: changes keep their place, new ones stand at the end."""
    for place, need in enumerate(after):
        yield need, before[place] if place < len(before) else None


# New referrals. Those whose source and reference are taken are passed over.
_NEW = """
    id, source, reference, import_id, channel, priority, outreach, state, version, placement_version, called,
    out_of_area, owner, due_at, received_at, contact_due_at, adults, children, infants, diets, flags
"""
_NEW_COLUMNS = _NEW.replace(",", " ").split()

_INSERT = f"""
INSERT INTO referral ({_NEW})
SELECT id, source, reference, import_id, channel, priority, outreach, state, version, placement_version, called,
    out_of_area, owner, due_at, received_at, contact_due_at, adults, children, infants,
    string_to_array(diets, ','), string_to_array(flags, ',')
FROM unnest(
    $1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::text[], $6::text[], $7::bool[], $8::text[], $9::int[],
    $10::int[], $11::bool[], $12::bool[], $13::text[], $14::timestamptz[], $15::timestamptz[], $16::timestamptz[],
    $17::smallint[], $18::smallint[], $19::smallint[], $20::text[], $21::text[]
) AS n ({_NEW})
ON CONFLICT (source, reference) WHERE reference IS NOT NULL DO NOTHING
RETURNING id
"""  # noqa: S608 # constants of this file

_TAKEN = """
SELECT k.source, k.reference
FROM unnest($1::text[], $2::text[]) AS k (source, reference)
CROSS JOIN LATERAL (
    SELECT id FROM referral
    WHERE source = k.source AND reference = k.reference AND reference IS NOT NULL OFFSET 0
) AS f
"""

# Sorted, so that two loops that want the same referrals queue up instead of deadlocking.
_LOCK = """
SELECT id, version, state, priority, outreach, contact_due_at, owner, due_at, hub_id, placement_version, called,
    out_of_area, withdrawn_reason, outcome, coalesce(changed_at, received_at) AS changed_at
FROM referral WHERE id = ANY ($1::uuid[]) ORDER BY id FOR NO KEY UPDATE
"""

# OFFSET 0 keeps the planner from joining: on a table that has just been filled, and not been analysed yet, it would
# read all of it for every batch.
_NEEDS = """
SELECT n.referral_id, n.id, n.code, n.state, n.owner, n.due_at, n.fact_at, n.fact_rank, n.reason
FROM unnest($1::uuid[]) AS wanted (id)
CROSS JOIN LATERAL (
    SELECT referral_id, id, code, state, owner, due_at, fact_at, fact_rank, reason
    FROM need WHERE referral_id = wanted.id ORDER BY id OFFSET 0
) AS n
"""

# The rows are named twice: by the array, so that the index finds them, and by the join.
_UPDATE = """
UPDATE referral AS r SET version = n.version, priority = n.priority, state = n.state, hub_id = n.hub_id,
    placement_version = n.placement_version, called = n.called, out_of_area = n.out_of_area,
    withdrawn_reason = n.withdrawn_reason, outcome = n.outcome, owner = n.owner, due_at = n.due_at,
    contact_due_at = n.contact_due_at, changed_at = $14::timestamptz,
    closed_at = CASE WHEN n.state = 'closed' THEN coalesce(r.closed_at, $14) END
FROM unnest(
    $1::uuid[], $2::int[], $3::text[], $4::text[], $5::text[], $6::int[], $7::bool[], $8::bool[], $9::text[],
    $10::text[], $11::text[], $12::timestamptz[], $13::timestamptz[]
) AS n (
    id, version, priority, state, hub_id, placement_version, called, out_of_area, withdrawn_reason, outcome, owner,
    due_at, contact_due_at
)
WHERE r.id = ANY ($1::uuid[]) AND r.id = n.id
"""

_SAVE_NEEDS = """
INSERT INTO need (referral_id, id, code, lane, state, reason, owner, due_at, fact_at, fact_rank)
SELECT referral_id, id, code, lane, state, reason, owner, due_at, fact_at, fact_rank
FROM unnest(
    $1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::timestamptz[],
    $9::timestamptz[], $10::smallint[]
) AS n (referral_id, id, code, lane, state, reason, owner, due_at, fact_at, fact_rank)
ON CONFLICT (referral_id, id) DO UPDATE SET code = excluded.code, lane = excluded.lane, state = excluded.state,
    reason = excluded.reason, owner = excluded.owner, due_at = excluded.due_at, fact_at = excluded.fact_at,
    fact_rank = excluded.fact_rank
"""

_PARTICULARS = "SELECT adults, children, infants, diets, flags FROM referral WHERE id = $1"

_SAVE_PARTICULARS = """
UPDATE referral SET adults = $2, children = $3, infants = $4, diets = $5, flags = $6 WHERE id = $1
"""
