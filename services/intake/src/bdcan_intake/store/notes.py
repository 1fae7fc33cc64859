"""Notes about residents in the database. Rows are only ever added."""

from __future__ import annotations

from bdcan_chassis.table import Table
from bdcan_intake.domain.note import Note

NOTE = Table("note", Note, key="note_id", stamp=None)

# The notes of a referral, the newest last.
OF_REFERRAL = NOTE.query("SELECT {columns} FROM note WHERE referral_id = :referral_id ORDER BY id")
