"""Rows as they are locked, and the guard against two transactions that both insert."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import asyncpg

from bdcan_chassis.database import Connection, columns, copied
from bdcan_chassis.transaction import Tx


class LostUpdateError(asyncpg.SerializationError):
    """Another transaction wrote a row first that this one had not seen. Transient: the whole unit is tried again.

    A row that does not exist cannot be locked: two units may both find nothing, decide, and insert.
    """


async def locked(tx: Tx, sql: str, *arguments: Any) -> list[asyncpg.Record]:
    """Rows that `sql` locks, with their `changed_at`: from here on `tx.now` is not before any of them."""
    rows = await tx.connection.fetch(sql, *arguments)
    tx.not_before(*[row["changed_at"] for row in rows])
    return rows


async def write(
    connection: Connection, table: str, names: Sequence[str], upsert: str, rows: Sequence[tuple[Any, ...]]
) -> None:
    """Write rows, those of revision 1 as new ones. Raises LostUpdateError if another transaction was first with one of them.

    `upsert` takes the rows as columns and is guarded by the revision; where a row holds a list, its text with commas.
    """
    revision = names.index("revision")
    new = [row for row in rows if row[revision] == 1]
    if await copied(connection, table, names, new):
        rows = [row for row in rows if row[revision] != 1]
    if not rows:
        return
    flat = [tuple(",".join(map(str, v)) if isinstance(v, list) else v for v in row) for row in rows]
    status = await connection.execute(upsert, *columns(flat))
    if int(status.rpartition(" ")[2]) != len(rows):
        raise LostUpdateError("a row was changed by another transaction")
