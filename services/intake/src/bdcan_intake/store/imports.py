"""Files that were handed in, and what was wrong with their rows."""

from __future__ import annotations

from uuid import UUID

from msgspec import Struct

from bdcan_chassis.table import Query, Statement, Table
from bdcan_intake.domain.imports import Import
from bdcan_intake.domain.referral import ReferralState


class RowProblem(Struct, frozen=True):
    """A problem of one row. `line` counts the lines of the file from 1. `place` keeps the file's order."""

    import_id: UUID
    place: int
    line: int
    reference: str | None
    field: str
    code: str
    message: str


class DuplicateRow(Struct, frozen=True):
    """A row that says again what a referral was opened for."""

    import_id: UUID
    line: int
    reference: str | None
    referral_id: UUID


class DuplicateFound(Struct, frozen=True):
    """A duplicate row with the state that its referral has now."""

    line: int
    reference: str | None
    referral_id: UUID
    state: ReferralState

    @property
    def open(self) -> bool:
        """Whether the referral is open."""
        return self.state is not ReferralState.CLOSED


IMPORT = Table("referral_import", Import, key="import_id", stamp=None)

PROBLEM = Table("referral_import_error", RowProblem, key=("import_id", "place"), stamp=None)

DUPLICATE = Table("referral_import_duplicate", DuplicateRow, key=("import_id", "line"), stamp=None)

# The duplicate rows of a file, in its order, with the present states of their referrals. limit NULL: all.
DUPLICATES_OF = Query(
    """
    SELECT d.line, d.reference, d.referral_id, r.state
    FROM referral_import_duplicate AS d JOIN referral AS r ON r.id = d.referral_id
    WHERE d.import_id = :import_id ORDER BY d.line LIMIT :limit::int
    """,
    DuplicateFound,
)

# The problems of a file, in its order. limit NULL: all.
PROBLEMS_OF = PROBLEM.query(
    "SELECT {columns} FROM referral_import_error WHERE import_id = :import_id ORDER BY place LIMIT :limit::int"
)

# How many problems of a file are on record.
COUNT_PROBLEMS = Statement("SELECT count(*) FROM referral_import_error WHERE import_id = :import_id")

# A page of imports, the newest first: those of these sources (NULL: of all).
FIND = IMPORT.query(
    """
    SELECT {columns} FROM referral_import
    WHERE (:state::text IS NULL OR state = :state) AND (:source::text IS NULL OR source = :source)
        AND (:sources::text[] IS NULL OR source = ANY (:sources)) AND (:import_id::uuid IS NULL OR id < :import_id)
    ORDER BY id DESC LIMIT :limit
    """
)

# For the metrics: imports by state.
GAUGE_IMPORTS = Statement("SELECT state, count(*) AS value FROM referral_import GROUP BY state")
