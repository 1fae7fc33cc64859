"""Tasks, and the one deadline that each has until its end.

Who locks one goes on from the time at which it was changed last (`Tx.not_before`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from bdcan_chassis.database import Connection, columns
from bdcan_chassis.transaction import Tx
from bdcan_contracts.models import NeedCode, Priority, TaskKind
from bdcan_volunteer_match.domain.matching import Want
from bdcan_volunteer_match.domain.task import Task, TaskState
from bdcan_volunteer_match.store.rows import locked, write

DEADLINE = "task"
"""Kind of a task's deadline: what happens at it, the task's state says."""


async def lock(tx: Tx, task_ids: Iterable[UUID]) -> dict[UUID, Task]:
    """These tasks, locked."""
    rows = await locked(tx, _LOCK, list(set(task_ids)))
    return {row["task_id"]: _task(row) for row in rows}


async def lock_live_of(tx: Tx, referral_ids: Iterable[UUID]) -> list[Task]:
    """All tasks of these referrals that are not at their end, locked."""
    return [_task(row) for row in await locked(tx, _LOCK_LIVE_OF, list(set(referral_ids)))]


async def lock_in_hand(tx: Tx, volunteer_id: UUID) -> list[Task]:
    """What a volunteer has been offered or has accepted, locked."""
    return [_task(row) for row in await locked(tx, _LOCK_IN_HAND, volunteer_id)]


async def open_wants(connection: Connection) -> set[Want]:
    """What somebody is wanted for: each hub and kind of an open task."""
    return {(row["hub_id"], TaskKind(row["kind"])) for row in await connection.fetch(_OPEN_WANTS)}


async def lock_open(tx: Tx, wanted: Sequence[tuple[str, TaskKind, bool, int]]) -> list[Task]:
    """Open tasks, the soonest due first, up to so many of each (hub, kind, requires_dbs). Skips what is locked."""
    return [_task(row) for row in await locked(tx, _LOCK_OPEN, *columns(wanted))] if wanted else []


async def get(connection: Connection, task_id: UUID) -> Task | None:
    """One task as it stands."""
    row = await connection.fetchrow(_GET, task_id)
    return None if row is None else _task(row)


async def find(
    connection: Connection,
    state: TaskState | None,
    hubs: list[str] | None,
    volunteer_id: UUID | None,
    limit: int,
    after: UUID | None,
) -> list[Task]:
    """Tasks in the order of their due time."""
    rows = await connection.fetch(_FIND, state and state.value, hubs, volunteer_id, limit, after)
    return [_task(row) for row in rows]


async def save(tx: Tx, tasks: Iterable[Task]) -> None:
    """Write tasks, each once, and keep their deadlines in step."""
    rows = []
    for task in tasks:
        if task.deadline_at is None:
            tx.cancel_deadline(DEADLINE, task.task_id)
        else:
            tx.set_deadline(DEADLINE, task.task_id, task.deadline_at)
        rows.append(_row(task, tx.now))
    await write(tx.connection, "task", _NAMES, _SAVE, rows)


async def add_concern(
    connection: Connection,
    concern_id: UUID,
    task_id: UUID,
    code: NeedCode,
    volunteer_id: UUID | None,
    now: datetime,
) -> None:
    """Write down a concern."""
    await connection.execute(_ADD_CONCERN, concern_id, task_id, code.value, volunteer_id, now)


def _row(task: Task, now: datetime) -> tuple[Any, ...]:
    return (
        task.task_id,
        task.referral_id,
        task.need_id,
        task.parcel_id,
        task.kind,
        task.hub_id,
        task.priority,
        task.requires_dbs,
        task.state,
        task.revision + 1,
        task.volunteer_id,
        task.due_at,
        task.alarm_at,
        task.opened_at,
        task.offer_expires_at,
        task.do_by,
        task.settled_at,
        task.offers_made,
        task.failures,
        task.unfilled,
        ",".join(map(str, task.asked)),
        now,
    )


def _task(row: asyncpg.Record) -> Task:
    asked = row["asked"]
    return Task(
        task_id=row["task_id"],
        referral_id=row["referral_id"],
        need_id=row["need_id"],
        parcel_id=row["parcel_id"],
        kind=TaskKind(row["kind"]),
        hub_id=row["hub_id"],
        priority=Priority(row["priority"]),
        requires_dbs=row["requires_dbs"],
        state=TaskState(row["state"]),
        revision=row["revision"],
        volunteer_id=row["volunteer_id"],
        due_at=row["due_at"],
        alarm_at=row["alarm_at"],
        opened_at=row["opened_at"],
        offer_expires_at=row["offer_expires_at"],
        do_by=row["do_by"],
        settled_at=row["settled_at"],
        offers_made=row["offers_made"],
        failures=row["failures"],
        unfilled=row["unfilled"],
        asked=tuple(map(UUID, asked.split(","))) if asked else (),
    )


_COLUMNS = """
    task_id, referral_id, need_id, parcel_id, kind, hub_id, priority, requires_dbs, state, revision, volunteer_id,
    due_at, alarm_at, opened_at, offer_expires_at, do_by, settled_at, offers_made, failures, unfilled, asked, changed_at
"""
_NAMES = _COLUMNS.replace(",", " ").split()

_GET = f"SELECT {_COLUMNS} FROM task WHERE task_id = $1"  # noqa: S608 # a constant

_LOCK = f"SELECT {_COLUMNS} FROM task WHERE task_id = ANY ($1::uuid[]) ORDER BY task_id FOR UPDATE"  # noqa: S608 # a constant

_LOCK_LIVE_OF = f"""
SELECT {_COLUMNS} FROM task
WHERE referral_id = ANY ($1::uuid[]) AND state IN ('open', 'offered', 'accepted') ORDER BY task_id FOR UPDATE
"""  # noqa: S608 # a constant

_LOCK_IN_HAND = f"""
SELECT {_COLUMNS} FROM task WHERE volunteer_id = $1 AND state IN ('offered', 'accepted') ORDER BY task_id FOR UPDATE
"""  # noqa: S608 # a constant

# from one want to the next by the index: a DISTINCT would read the whole queue
_OPEN_WANTS = """
WITH RECURSIVE want AS (
    (SELECT hub_id, kind FROM task WHERE state = 'open' ORDER BY hub_id, kind LIMIT 1)
    UNION ALL
    SELECT further.hub_id, further.kind FROM want CROSS JOIN LATERAL (
        SELECT hub_id, kind FROM task
        WHERE state = 'open' AND (hub_id, kind) > (want.hub_id, want.kind) ORDER BY hub_id, kind LIMIT 1
    ) AS further
)
SELECT hub_id, kind FROM want
"""

_LOCK_OPEN = f"""
SELECT t.* FROM unnest($1::text[], $2::text[], $3::bool[], $4::int[]) AS w (hub_id, kind, requires_dbs, most)
CROSS JOIN LATERAL (
    SELECT {_COLUMNS} FROM task
    WHERE state = 'open' AND hub_id = w.hub_id AND kind = w.kind AND requires_dbs = w.requires_dbs
    ORDER BY due_at, task_id LIMIT w.most FOR UPDATE SKIP LOCKED
) AS t
"""  # noqa: S608 # a constant

_FIND = f"""
SELECT {_COLUMNS} FROM task
WHERE ($1::text IS NULL OR state = $1) AND ($2::text[] IS NULL OR hub_id = ANY ($2))
    AND ($3::uuid IS NULL OR volunteer_id = $3)
    AND ($5::uuid IS NULL OR (due_at, task_id) > (SELECT due_at, task_id FROM task WHERE task_id = $5))
ORDER BY due_at, task_id LIMIT $4
"""  # noqa: S608 # a constant

_SAVE = f"""
INSERT INTO task ({_COLUMNS})
SELECT {_COLUMNS} FROM unnest(
    $1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::bool[], $9::text[],
    $10::int[], $11::uuid[], $12::timestamptz[], $13::timestamptz[], $14::timestamptz[], $15::timestamptz[],
    $16::timestamptz[], $17::timestamptz[], $18::int[], $19::int[], $20::bool[], $21::text[],
    $22::timestamptz[]
) AS t ({_COLUMNS})
ON CONFLICT (task_id) DO UPDATE SET
    hub_id = excluded.hub_id, state = excluded.state, revision = excluded.revision,
    volunteer_id = excluded.volunteer_id, alarm_at = excluded.alarm_at,
    offer_expires_at = excluded.offer_expires_at, do_by = excluded.do_by, settled_at = excluded.settled_at,
    offers_made = excluded.offers_made, failures = excluded.failures, unfilled = excluded.unfilled,
    asked = excluded.asked, changed_at = excluded.changed_at
WHERE task.revision = excluded.revision - 1
"""  # noqa: S608 # a constant

_ADD_CONCERN = """
INSERT INTO concern (concern_id, task_id, code, volunteer_id, raised_at) VALUES ($1, $2, $3, $4, $5)
"""
