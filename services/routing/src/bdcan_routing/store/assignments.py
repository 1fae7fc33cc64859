"""Assignments: locked and saved as a set. Rows are always locked in the order of their ids.

Who locks one goes on from the time at which it was changed last (`Tx.not_before`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple, TypeVar, cast
from uuid import UUID

import asyncpg
import msgspec
from msgspec.structs import asdict
from pydantic import BaseModel

from bdcan_chassis.database import Connection, columns, copied
from bdcan_chassis.transaction import Tx
from bdcan_routing.domain.assignment import RETRIED, Assignment, Facts, State
from bdcan_routing.domain.gazetteer import OutOfArea
from bdcan_routing.domain.placement import Hold, ToHub, Verdict

T = TypeVar("T")


class Held(NamedTuple):
    """A line of the triage list."""

    referral_id: UUID
    facts: Facts
    verdict: Hold
    held_at: datetime
    triage_due_at: datetime


async def lock(tx: Tx, ids: Iterable[UUID]) -> dict[UUID, Assignment]:
    """The assignments that exist among `ids`, locked until the transaction ends."""
    return {a.referral_id: a for a in await _locked(tx, _LOCK, list(set(ids)))}


async def get(connection: Connection, referral_id: UUID) -> Assignment | None:
    """One assignment, not locked."""
    row = await connection.fetchrow(_GET, referral_id)
    return _read(row) if row else None


async def save(
    connection: Connection, known: Iterable[Assignment], now: datetime, new: Iterable[Assignment] = ()
) -> None:
    """Write them all. `new`: those that were not there when the unit looked."""
    rows = [_row(a, now) for a in known]
    new_rows = [_row(a, now) for a in new]
    if not await copied(connection, "assignment", _NAMES, new_rows):
        rows += new_rows
    if rows:
        await connection.execute(_SAVE, *columns(rows))


async def held(connection: Connection, after: tuple[datetime, UUID] | None, limit: int) -> Sequence[Held]:
    """The triage list, the most urgent first, from behind `after` (due, referral) on."""
    rows = await connection.fetch(_HELD, *(after or (None, None)), limit)
    found = [_read(row) for row in rows]
    return [
        Held(a.referral_id, a.facts, a.verdict, a.held_at, a.triage_due_at)
        for a in found
        if a.facts and isinstance(a.verdict, Hold) and a.held_at and a.triage_due_at
    ]


async def lock_retriable(tx: Tx, after: UUID | None, limit: int) -> list[Assignment]:
    """Held referrals that a change of hubs or of the postcode table may free, in the order of their ids."""
    return await _locked(tx, _RETRIABLE, sorted(reason.value for reason in RETRIED), after, limit)


async def _locked(tx: Tx, sql: str, *arguments: Any) -> list[Assignment]:
    rows = await tx.connection.fetch(sql, *arguments)
    tx.not_before(*[row["updated_at"] for row in rows])
    return [_read(row) for row in rows]


def _read(row: asyncpg.Record) -> Assignment:
    return Assignment(
        referral_id=row["referral_id"],
        state=State(row["state"]),
        version=row["version"],
        amendment=row["amendment"],
        outreach=row["outreach"],
        contact_due_at=row["contact_due_at"],
        facts=_decode(row["facts"], Facts),
        verdict=_decode(row["verdict"], _verdict_of(row)),
        triage_due_at=row["triage_due_at"],
        held_at=row["held_at"],
        decided_by=row["decided_by"],
    )


# msgspec asks an object that it does not know for attributes which a model looks for in vain, at length: so it gets dicts
def _facts_text(facts: Facts) -> str:
    shown = asdict(facts)
    shown["household"] = facts.household and vars(facts.household)
    shown["needs"] = [vars(need) for need in facts.needs]
    return msgspec.json.encode(shown).decode()


def _verdict_text(verdict: Verdict) -> str:
    shown = asdict(verdict)
    if isinstance(verdict, ToHub):
        shown["ward"] = verdict.ward and vars(verdict.ward)
    return msgspec.json.encode(shown).decode()


def _decode(text: str | None, kind: type[T]) -> T | None:
    return None if text is None else msgspec.json.decode(text, type=kind, dec_hook=_model)


def _model(kind: type, value: object) -> object:
    return cast("type[BaseModel]", kind).model_validate(value, strict=False)


def _verdict_of(row: asyncpg.Record) -> type[Verdict]:
    return ToHub if row["hub_id"] else Hold if row["triage_reason"] else OutOfArea


def _row(a: Assignment, now: datetime) -> tuple[Any, ...]:
    return (
        a.referral_id,
        a.state.value,
        a.version,
        a.amendment,
        a.outreach,
        a.contact_due_at,
        _facts_text(a.facts) if a.facts else None,
        _verdict_text(a.verdict) if a.verdict else None,
        a.hub_id,
        a.verdict.reason.value if isinstance(a.verdict, Hold) else None,
        a.triage_due_at,
        a.held_at,
        a.decided_by,
        now,
    )


_COLUMNS = """
    referral_id, state, version, amendment, outreach, contact_due_at, facts, verdict, hub_id, triage_reason,
    triage_due_at, held_at, decided_by, updated_at
"""
_NAMES = _COLUMNS.replace(",", " ").split()

_GET = f"SELECT {_COLUMNS} FROM assignment WHERE referral_id = $1"  # noqa: S608 # a constant of this file

_LOCK = f"""
SELECT {_COLUMNS} FROM assignment WHERE referral_id = ANY ($1::uuid[]) ORDER BY referral_id FOR UPDATE
"""  # noqa: S608 # as above

_HELD = f"""
SELECT {_COLUMNS} FROM assignment
WHERE state = 'held' AND ($1::timestamptz IS NULL OR (triage_due_at, referral_id) > ($1, $2::uuid))
ORDER BY triage_due_at, referral_id LIMIT $3
"""  # noqa: S608 # as above

_RETRIABLE = f"""
SELECT {_COLUMNS} FROM assignment
WHERE state = 'held' AND triage_reason = ANY ($1::text[]) AND ($2::uuid IS NULL OR referral_id > $2)
ORDER BY referral_id LIMIT $3 FOR UPDATE
"""  # noqa: S608 # as above

_SAVE = f"""
INSERT INTO assignment ({_COLUMNS})
SELECT {_COLUMNS}
FROM unnest($1::uuid[], $2::text[], $3::int[], $4::int[], $5::boolean[], $6::timestamptz[], $7::jsonb[], $8::jsonb[],
    $9::text[], $10::text[], $11::timestamptz[], $12::timestamptz[], $13::text[], $14::timestamptz[])
    AS a ({_COLUMNS})
ON CONFLICT (referral_id) DO UPDATE SET
    state = excluded.state, version = excluded.version, amendment = excluded.amendment,
    outreach = excluded.outreach, contact_due_at = excluded.contact_due_at, facts = excluded.facts,
    verdict = excluded.verdict, hub_id = excluded.hub_id, triage_reason = excluded.triage_reason,
    triage_due_at = excluded.triage_due_at, held_at = excluded.held_at, decided_by = excluded.decided_by,
    updated_at = excluded.updated_at
"""  # noqa: S608 # as above
