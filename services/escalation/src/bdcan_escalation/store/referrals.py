"""What is known of referrals. Locking one is how two events about the same resident take turns."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from bdcan_chassis.database import Connection, columns
from bdcan_contracts.models import Priority


class Referral(Struct):
    """A referral as escalation knows it. `withdrawn_needs`: those that an amendment withdrew."""

    referral_id: UUID
    hub_id: str | None
    hub_version: int
    priority: Priority
    withdrawn_at: datetime | None
    withdrawn_needs: frozenset[UUID]


async def lock(connection: Connection, referral_ids: Iterable[UUID]) -> dict[UUID, Referral]:
    """Lock referrals until the unit of work ends; one that nobody mentioned before gets a row."""
    wanted = sorted(set(referral_ids))
    await connection.execute(_ENSURE, wanted)
    return {
        r["referral_id"]: Referral(
            r["referral_id"],
            r["hub_id"],
            r["hub_version"],
            Priority(r["priority"]),
            r["withdrawn_at"],
            frozenset(r["withdrawn_needs"]),
        )
        for r in await connection.fetch(_LOCK, wanted)
    }


async def save(connection: Connection, referrals: Iterable[Referral]) -> None:
    """Write locked referrals back."""
    rows = [
        (
            r.referral_id,
            r.hub_id,
            r.hub_version,
            r.priority,
            r.withdrawn_at,
            ",".join(map(str, r.withdrawn_needs)),
        )
        for r in sorted(referrals, key=lambda r: r.referral_id)
    ]
    if rows:
        await connection.execute(_SAVE, *columns(rows))


_ENSURE = """
INSERT INTO referral (referral_id) SELECT id FROM unnest($1::uuid[]) AS id ORDER BY id ON CONFLICT DO NOTHING
"""

_LOCK = """
SELECT referral_id, hub_id, hub_version, priority, withdrawn_at, withdrawn_needs FROM referral
WHERE referral_id = ANY ($1::uuid[]) ORDER BY referral_id FOR UPDATE
"""

_SAVE = """
UPDATE referral AS r SET hub_id = n.hub_id, hub_version = n.hub_version, priority = n.priority,
    withdrawn_at = n.withdrawn_at, withdrawn_needs = string_to_array(n.withdrawn_needs, ',')::uuid[]
FROM unnest($1::uuid[], $2::text[], $3::int[], $4::text[], $5::timestamptz[], $6::text[])
    AS n (referral_id, hub_id, hub_version, priority, withdrawn_at, withdrawn_needs)
WHERE r.referral_id = n.referral_id
"""
