"""Files that were handed in, and what was wrong with their rows."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from bdcan_chassis.table import Table


class Import(Struct, frozen=True, rename={"import_id": "id"}):
    """A file, and how many of its rows were taken on, known already, or refused."""

    import_id: UUID
    source: str
    caller: str
    sha256: str
    accepted: int
    duplicates: int
    refused: int
    imported_at: datetime


class RowProblem(Struct, frozen=True):
    """A problem of one row. `line` counts the lines of the file from 1, the header's. `place` keeps the file's order."""

    import_id: UUID
    place: int
    line: int
    reference: str | None
    field: str
    code: str
    message: str


IMPORT = Table("referral_import", Import, key="import_id", stamp=None)

PROBLEM = Table("referral_import_error", RowProblem, key=("import_id", "place"), stamp=None)

# The problems of a file, in its order.
PROBLEMS_OF = PROBLEM.query(
    "SELECT {columns} FROM referral_import_error WHERE import_id = :import_id ORDER BY place"
)
