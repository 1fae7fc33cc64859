"""The audit of disclosures: who was told what, when and why. Rows are only ever added."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from bdcan_chassis.database import Connection


class Disclosure(NamedTuple):
    """One audit row. `subject_id` is a referral or a volunteer's enquiry."""

    disclosure_id: UUID
    subject_id: UUID
    purpose: str
    fields: Sequence[str]
    caller: str
    reason: str
    disclosed_at: datetime


async def add(connection: Connection, disclosure: Disclosure) -> None:
    """Write it down, in the transaction that answers."""
    await connection.execute(_ADD, *disclosure[:3], list(disclosure.fields), *disclosure[4:])


async def of_subject(connection: Connection, subject_id: UUID) -> list[Disclosure]:
    """All of them, newest last."""
    return [Disclosure(*row.values()) for row in await connection.fetch(_OF_SUBJECT, subject_id)]


_ADD = """
INSERT INTO disclosure (id, subject_id, purpose, fields, caller, reason, disclosed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""

_OF_SUBJECT = """
SELECT id, subject_id, purpose, fields, caller, reason, disclosed_at
FROM disclosure WHERE subject_id = $1 ORDER BY id
"""
