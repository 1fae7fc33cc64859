"""A file that somebody hands in: on record from its first byte, so that one that broke off can be found.

    receiving ──▶ taking-on ──▶ done
        │  │          ▼
        │  └────▶ broken-off
        └───────▶ unreadable

At every moment the figures are those of the rows that were looked at.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from bdcan_chassis.step import Step

IMPORT_DUE = "import-due"
"""Deadline: the file must have arrived, or its next rows must have been taken on."""

PROGRESS_WITHIN = timedelta(hours=1)
"""An import that does not move for so long has broken off: the process that ran it has ended."""


class ImportState(StrEnum):
    """Where an import stands."""

    RECEIVING = "receiving"
    TAKING_ON = "taking-on"
    DONE = "done"
    UNREADABLE = "unreadable"
    BROKEN_OFF = "broken-off"


class Import(Struct, frozen=True, rename={"import_id": "id"}):
    """A file, and how many of its rows were taken on, known already, or refused.

    `kept` counts the rows that were taken on with a detail that nobody could read, `unlisted` the problems that the list
    of problems has no room for. `row_count` is None and `sha256` is empty until the file has arrived.
    """

    import_id: UUID
    source: str
    caller: str
    imported_at: datetime
    state: ImportState = ImportState.RECEIVING
    sha256: str = ""
    row_count: int | None = None
    accepted: int = 0
    duplicates: int = 0
    refused: int = 0
    kept: int = 0
    unlisted: int = 0
    ended_at: datetime | None = None

    @property
    def rows_seen(self) -> int:
        """How many rows have been looked at."""
        return self.accepted + self.duplicates + self.refused


class Taken(Struct, frozen=True):
    """What became of some rows."""

    accepted: int = 0
    duplicates: int = 0
    refused: int = 0
    kept: int = 0
    unlisted: int = 0


def receive(import_id: UUID, source: str, caller: str, now: datetime) -> Step[Import]:
    """Somebody begins to send a file."""
    return Step(Import(import_id, source, caller, now), (), {IMPORT_DUE: now + PROGRESS_WITHIN})


def arrived(found: Import, sha256: str, row_count: int, now: datetime) -> Step[Import]:
    """The file is here and can be read."""
    return _went_on(replace(found, sha256=sha256, row_count=row_count), now)


def unreadable(found: Import, sha256: str, now: datetime) -> Step[Import]:
    """The file is here, and nobody can read it."""
    after = replace(found, state=ImportState.UNREADABLE, sha256=sha256, ended_at=now)
    return Step(after, (), {IMPORT_DUE: None})


def took_on(found: Import, taken: Taken, now: datetime) -> Step[Import]:
    """Some rows have been looked at. With the last one the import is done."""
    after = replace(
        found,
        accepted=found.accepted + taken.accepted,
        duplicates=found.duplicates + taken.duplicates,
        refused=found.refused + taken.refused,
        kept=found.kept + taken.kept,
        unlisted=found.unlisted + taken.unlisted,
    )
    return _went_on(after, now)


def _went_on(after: Import, now: datetime) -> Step[Import]:
    """An import that had broken off goes on, if it was only slow."""
    if after.rows_seen == after.row_count:
        return Step(replace(after, state=ImportState.DONE, ended_at=now), (), {IMPORT_DUE: None})
    after = replace(after, state=ImportState.TAKING_ON, ended_at=None)
    return Step(after, (), {IMPORT_DUE: now + PROGRESS_WITHIN})


def break_off(found: Import, now: datetime) -> Step[Import] | None:
    """The file did not arrive, or its rows were not all taken on. Whoever sent it sends it again."""
    if found.state not in {ImportState.RECEIVING, ImportState.TAKING_ON}:
        return None
    return Step(replace(found, state=ImportState.BROKEN_OFF, ended_at=now), (), {IMPORT_DUE: None})
