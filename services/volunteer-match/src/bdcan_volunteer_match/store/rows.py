"""Rows as they are locked, whole batches as columns for `unnest`, and the guard against two transactions that both insert."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import asyncpg

from bdcan_chassis.database import Connection
from bdcan_chassis.transaction import Tx


class LostUpdateError(asyncpg.SerializationError):
    """Another transaction wrote a row first that this one had not seen. Transient: the whole unit is tried again.

    A row that does not exist cannot be locked: two units may both find nothing, decide, and insert.
    """


def columns(rows: Iterable[tuple[Any, ...]]) -> list[list[Any]]:
    """Rows, turned: one list a column."""
    return [list(column) for column in zip(*rows, strict=True)]


async def locked(tx: Tx, sql: str, *arguments: Any) -> list[asyncpg.Record]:
    """Rows that `sql` locks, with their `changed_at`: from here on `tx.now` is not before any of them."""
    rows = await tx.connection.fetch(sql, *arguments)
    for row in rows:
        if row["changed_at"] is not None:
            tx.not_before(row["changed_at"])
    return rows


async def write(connection: Connection, sql: str, rows: list[tuple[Any, ...]]) -> None:
    """Run an upsert that is guarded by a revision. Raises LostUpdateError unless it wrote each row."""
    if not rows:
        return
    status = await connection.execute(sql, *columns(rows))
    if int(status.rpartition(" ")[2]) != len(rows):
        raise LostUpdateError("a row was changed by another transaction")
