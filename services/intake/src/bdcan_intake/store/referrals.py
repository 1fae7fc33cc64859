"""The referral aggregate: its row and its needs. Whoever changes it locks it first, in the order of ids."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple
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
    changed = [(before[i], r) for i, r in after.items() if r is not before[i]]
    await _update(connection, _REFERRAL, [(_row(was), _row(r)) for was, r in changed], now)
    moved, added = [], []
    for was, referral in changed:  # known needs keep their place, new ones stand behind them
        i, known = referral.referral_id, len(was.needs)
        pairs = zip(was.needs, referral.needs, strict=False)
        moved += [(_need_row(i, old), _need_row(i, need)) for old, need in pairs if need is not old]
        added += [(i, need) for need in referral.needs[known:]]
    await _update(connection, _NEED, moved)
    await add_needs(connection, added)


async def add_needs(connection: Connection, needs: Sequence[tuple[UUID, Need]]) -> None:
    """Write new needs."""
    rows = [_need_row(i, n) for i, n in needs]
    if rows and not await copied(connection, "need", _NEED_NAMES, rows):
        await connection.execute(_INSERT_NEEDS, *columns(rows))


class _Mutable(NamedTuple):
    """How rows of a table are updated. `columns`: name and type of each, the `keys` first; the first `always` always go out."""

    sql: str
    columns: tuple[tuple[str, str], ...]
    keys: int
    always: int


async def _update(
    connection: Connection,
    table: _Mutable,
    changes: Iterable[tuple[tuple[object, ...], tuple[object, ...]]],
    *more: object,
) -> None:
    """Write rows, before and after, that differ; `more` are the statement's first parameters.

    Only columns that changed in any row go out: of the twenty of a referral and its needs an event changes a few, and
    each costs asyncpg and PostgreSQL as much as another.
    """
    changes = [(was, new) for was, new in changes if was != new]
    if not changes:
        return
    places = tuple(
        place
        for place in range(len(table.columns))
        if place < table.always or any(was[place] != new[place] for was, new in changes)
    )
    sent = columns([new[place] for place in places] for _, new in changes)
    await connection.execute(_statement(table, places, len(more)), *more, *sent)


@lru_cache(maxsize=256)
def _statement(table: _Mutable, places: tuple[int, ...], more: int) -> str:
    names = [table.columns[place][0] for place in places]
    return table.sql.format(
        sets=", ".join(f"{name} = n.{name}" for name in names[table.keys :]),
        rows=_unnested([table.columns[place][1] for place in places], more + 1),
        names=", ".join(names),
    )


def _unnested(types: Iterable[str], first: int = 1) -> str:
    return f"unnest({', '.join(f'${number}::{of}[]' for number, of in enumerate(types, first))})"


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
        r.referral_id,
        r.state,
        r.version,
        r.priority,
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
_REFERRAL = _Mutable(
    """
UPDATE referral AS r SET {sets}, changed_at = $1::timestamptz,
    closed_at = CASE WHEN n.state = 'closed' THEN coalesce(r.closed_at, $1) END
FROM {rows} AS n ({names})
WHERE r.id = ANY ($2::uuid[]) AND r.id = n.id
""",
    (
        ("id", "uuid"),
        ("state", "text"),
        ("version", "int"),
        ("priority", "text"),
        ("hub_id", "text"),
        ("placement_version", "int"),
        ("called", "bool"),
        ("out_of_area", "bool"),
        ("withdrawn_reason", "text"),
        ("outcome", "text"),
        ("owner", "text"),
        ("due_at", "timestamptz"),
        ("contact_due_at", "timestamptz"),
    ),
    keys=1,
    always=2,
)

_NEED = _Mutable(
    """
UPDATE need AS d SET {sets}
FROM {rows} AS n ({names})
WHERE d.referral_id = ANY ($1::uuid[]) AND d.referral_id = n.referral_id AND d.id = n.id
""",
    (
        ("referral_id", "uuid"),
        ("id", "uuid"),
        ("code", "text"),
        ("lane", "text"),
        ("state", "text"),
        ("reason", "text"),
        ("owner", "text"),
        ("due_at", "timestamptz"),
        ("fact_at", "timestamptz"),
        ("fact_rank", "smallint"),
    ),
    keys=2,
    always=2,
)

_NEED_NAMES = [name for name, _ in _NEED.columns]

_INSERT_NEEDS = f"""
INSERT INTO need ({", ".join(_NEED_NAMES)}) SELECT * FROM {_unnested(of for _, of in _NEED.columns)}
"""  # noqa: S608 # constants of this file

_PARTICULARS = "SELECT adults, children, infants, diets, flags FROM referral WHERE id = $1"

_SAVE_PARTICULARS = """
UPDATE referral SET adults = $2, children = $3, infants = $4, diets = $5, flags = $6 WHERE id = $1
"""
