"""Who wants to volunteer, as they typed it; personal, kept until volunteer-match has asked for it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from bdcan_chassis.database import Connection
from bdcan_contracts.models import TaskKind


class Enquiry(NamedTuple):
    """What somebody said who wants to volunteer."""

    name: str | None
    phone: str | None
    phone_e164: str | None
    email: str | None
    postcode: str | None
    notes: str | None
    task_kinds: Sequence[TaskKind]
    has_car: bool | None


async def insert(connection: Connection, enquiry_id: UUID, enquiry: Enquiry, now: datetime) -> None:
    """Write an enquiry down."""
    await connection.execute(
        _INSERT,
        enquiry_id,
        enquiry.name,
        enquiry.phone,
        enquiry.phone_e164,
        enquiry.email,
        enquiry.postcode,
        enquiry.notes,
        list(enquiry.task_kinds),
        enquiry.has_car,
        now,
    )


async def get(connection: Connection, enquiry_id: UUID) -> Enquiry | None:
    """What was said, for a disclosure."""
    row = await connection.fetchrow(_GET, enquiry_id)
    if row is None:
        return None
    return Enquiry(
        row["name"],
        row["phone"],
        row["phone_e164"],
        row["email"],
        row["postcode"],
        row["notes"],
        [TaskKind(kind) for kind in row["task_kinds"]],
        row["has_car"],
    )


_INSERT = """
INSERT INTO volunteer_enquiry (id, name, phone, phone_e164, email, postcode, notes, task_kinds, has_car, received_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
"""

_GET = """
SELECT name, phone, phone_e164, email, postcode, notes, task_kinds, has_car FROM volunteer_enquiry WHERE id = $1
"""
