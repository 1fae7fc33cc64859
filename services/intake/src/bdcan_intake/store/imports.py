"""Files that were handed in, and what was wrong with their rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from bdcan_chassis.database import Connection, columns


class Import(NamedTuple):
    """A file, and how many of its rows were taken on, known already, or refused."""

    import_id: UUID
    source: str
    caller: str
    sha256: str
    accepted: int
    duplicates: int
    refused: int
    imported_at: datetime


class RowError(NamedTuple):
    """What is wrong with one column of one row. `line` counts the file's lines from 1, the header's."""

    line: int
    reference: str | None
    field: str
    code: str
    message: str


async def add(connection: Connection, done: Import, errors: Sequence[RowError]) -> None:
    """Write down an import that is done."""
    await connection.execute(_ADD, *done)
    if errors:
        await connection.execute(_ADD_ERRORS, done.import_id, *columns(errors), list(range(len(errors))))


async def get(connection: Connection, import_id: UUID) -> Import | None:
    """One import."""
    row = await connection.fetchrow(_GET, import_id)
    return None if row is None else Import(*row.values())


async def errors_of(connection: Connection, import_id: UUID) -> list[RowError]:
    """What was wrong, in the file's order."""
    return [RowError(*row.values()) for row in await connection.fetch(_ERRORS, import_id)]


_ADD = """
INSERT INTO referral_import (id, source, caller, sha256, accepted, duplicates, refused, imported_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""

_ADD_ERRORS = """
INSERT INTO referral_import_error (import_id, place, line, reference, field, code, message)
SELECT $1, place, line, reference, field, code, message
FROM unnest($2::int[], $3::text[], $4::text[], $5::text[], $6::text[], $7::int[])
    AS e (line, reference, field, code, message, place)
"""

_GET = """
SELECT id, source, caller, sha256, accepted, duplicates, refused, imported_at FROM referral_import WHERE id = $1
"""

_ERRORS = """
SELECT line, reference, field, code, message FROM referral_import_error WHERE import_id = $1 ORDER BY place
"""
