"""Volunteers; who they are stands in a table of its own, and leaves with them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg

from bdcan_chassis.database import Connection, columns
from bdcan_chassis.transaction import Tx
from bdcan_contracts.models import TaskKind
from bdcan_volunteer_match.domain.matching import MOST_AT_ONCE, Candidate, Want
from bdcan_volunteer_match.domain.volunteer import Volunteer, VolunteerState

RETURN = "volunteer-return"
"""Kind of the deadline at which a paused volunteer is back."""


_KINDS = {
    kind.value: kind for kind in TaskKind
}  # a pass reads thousands: calling an enum takes a microsecond


class Person(NamedTuple):
    """Personal data of a volunteer."""

    name: str | None
    phone: str | None


async def lock(connection: Connection, volunteer_ids: Iterable[UUID]) -> dict[UUID, Volunteer]:
    """These volunteers, locked."""
    rows = await connection.fetch(_LOCK, list(set(volunteer_ids)))
    return {row["volunteer_id"]: _volunteer(row) for row in rows}


async def candidates(connection: Connection, wants: Collection[Want]) -> list[Candidate]:
    """Active volunteers who have room for another offer, at one of these hubs and for one of these kinds of task."""
    hubs, kinds = (sorted(set(column)) for column in zip(*wants, strict=True))
    rows = await connection.fetch(_CANDIDATES, MOST_AT_ONCE, hubs, kinds)
    return [
        Candidate(
            volunteer_id=row["volunteer_id"],
            hub_ids=tuple(row["hub_ids"]),
            task_kinds=tuple(_KINDS[kind] for kind in row["task_kinds"]),
            dbs_cleared=row["dbs_cleared"],
            free=row["free"],
            last_offered_at=row["last_offered_at"],
        )
        for row in rows
    ]


async def find(
    connection: Connection,
    state: VolunteerState | None,
    hubs: list[str] | None,
    limit: int,
    after: UUID | None,
) -> list[Volunteer]:
    """Volunteers in the order of their ids; with `hubs`, those who help one of them or none yet."""
    rows = await connection.fetch(_FIND, state and state.value, hubs, limit, after)
    return [_volunteer(row) for row in rows]


async def add(connection: Connection, volunteers: Sequence[Volunteer]) -> None:
    """Write new volunteers; those who are known stay as they are."""
    if volunteers:
        await connection.execute(_ADD, *columns(_row(v) for v in volunteers))


async def save(tx: Tx, volunteer: Volunteer) -> None:
    """Write one volunteer, and keep the deadline of a pause in step. Somebody who left leaves no personal data."""
    await tx.connection.execute(_SAVE, *_row(volunteer))
    if volunteer.paused_until is None:
        tx.cancel_deadline(RETURN, volunteer.volunteer_id)
    else:
        tx.set_deadline(RETURN, volunteer.volunteer_id, volunteer.paused_until)
    if volunteer.state is VolunteerState.LEFT:
        await tx.connection.execute(_FORGET_PERSON, volunteer.volunteer_id)


async def mark_offered(connection: Connection, volunteer_ids: Iterable[UUID], now: datetime) -> set[UUID]:
    """Write down that these volunteers are asked; returns those who are active still, and stay so until the commit."""
    rows = await connection.fetch(_MARK_OFFERED, sorted(set(volunteer_ids)), now)
    return {row["volunteer_id"] for row in rows}


async def save_person(connection: Connection, volunteer_id: UUID, person: Person) -> None:
    """Write who a volunteer is; what is None stays as it was."""
    await connection.execute(_SAVE_PERSON, volunteer_id, person.name, person.phone)


async def view_person(
    connection: Connection, volunteer_id: UUID, caller: str, reason: str, now: datetime
) -> Person | None:
    """Who a volunteer is; writes down who looked, and why. None: nothing is known."""
    row = await connection.fetchrow(_PERSON, volunteer_id)
    if row is None:
        return None
    await connection.execute(_ADD_VIEW, volunteer_id, caller, reason, now)
    return Person(row["name"], row["phone"])


def _row(volunteer: Volunteer) -> tuple[Any, ...]:
    return (
        volunteer.volunteer_id,
        volunteer.state,
        volunteer.version,
        ",".join(volunteer.hub_ids),
        ",".join(volunteer.task_kinds),
        volunteer.dbs_cleared,
        volunteer.has_car,
        volunteer.welcome_by,
        volunteer.paused_until,
    )


def _volunteer(row: asyncpg.Record) -> Volunteer:
    return Volunteer(
        volunteer_id=row["volunteer_id"],
        state=VolunteerState(row["state"]),
        version=row["version"],
        hub_ids=tuple(row["hub_ids"]),
        task_kinds=tuple(map(TaskKind, row["task_kinds"])),
        dbs_cleared=row["dbs_cleared"],
        has_car=row["has_car"],
        welcome_by=row["welcome_by"],
        paused_until=row["paused_until"],
    )


_COLUMNS = """
    volunteer_id, state, version, hub_ids, task_kinds, dbs_cleared, has_car, welcome_by, paused_until
"""

_LOCK = f"""
SELECT {_COLUMNS} FROM volunteer WHERE volunteer_id = ANY ($1::uuid[]) ORDER BY volunteer_id FOR UPDATE
"""  # noqa: S608 # a constant

_CANDIDATES = """
SELECT v.volunteer_id, v.hub_ids, v.task_kinds, v.dbs_cleared, v.last_offered_at,
    ($1::int - coalesce(held.tasks, 0))::int AS free
FROM volunteer AS v
LEFT JOIN (
    SELECT volunteer_id, count(*) AS tasks FROM task WHERE state IN ('offered', 'accepted') GROUP BY volunteer_id
) AS held ON held.volunteer_id = v.volunteer_id
WHERE v.state = 'active' AND coalesce(held.tasks, 0) < $1::int AND v.hub_ids && $2::text[] AND v.task_kinds && $3::text[]
"""

_FIND = f"""
SELECT {_COLUMNS} FROM volunteer
WHERE ($1::text IS NULL OR state = $1) AND ($2::text[] IS NULL OR hub_ids && $2 OR hub_ids = '{{}}')
    AND ($4::uuid IS NULL OR volunteer_id > $4)
ORDER BY volunteer_id LIMIT $3
"""  # noqa: S608 # a constant

_ADD = f"""
INSERT INTO volunteer ({_COLUMNS})
SELECT volunteer_id, state, version, string_to_array(hub_ids, ','), string_to_array(task_kinds, ','), dbs_cleared,
    has_car, welcome_by, paused_until
FROM unnest(
    $1::uuid[], $2::text[], $3::int[], $4::text[], $5::text[], $6::bool[], $7::bool[], $8::timestamptz[],
    $9::timestamptz[]
) AS v ({_COLUMNS})
ON CONFLICT (volunteer_id) DO NOTHING
"""  # noqa: S608 # a constant

_SAVE = f"""
INSERT INTO volunteer ({_COLUMNS})
VALUES ($1, $2, $3, string_to_array($4, ','), string_to_array($5, ','), $6, $7, $8, $9)
ON CONFLICT (volunteer_id) DO UPDATE SET
    state = excluded.state, version = excluded.version, hub_ids = excluded.hub_ids,
    task_kinds = excluded.task_kinds, dbs_cleared = excluded.dbs_cleared, has_car = excluded.has_car,
    welcome_by = excluded.welcome_by, paused_until = excluded.paused_until
"""  # noqa: S608 # a constant

_MARK_OFFERED = """
UPDATE volunteer SET last_offered_at = $2 WHERE volunteer_id = ANY ($1::uuid[]) AND state = 'active'
RETURNING volunteer_id
"""

_SAVE_PERSON = """
INSERT INTO volunteer_person (volunteer_id, name, phone) VALUES ($1, $2, $3)
ON CONFLICT (volunteer_id) DO UPDATE SET
    name = coalesce(excluded.name, volunteer_person.name), phone = coalesce(excluded.phone, volunteer_person.phone)
"""

_PERSON = "SELECT name, phone FROM volunteer_person WHERE volunteer_id = $1"

_FORGET_PERSON = "DELETE FROM volunteer_person WHERE volunteer_id = $1"

_ADD_VIEW = "INSERT INTO contact_view (volunteer_id, caller, reason, viewed_at) VALUES ($1, $2, $3, $4)"
