"""Who asked for help: all that is personal about a referral, and the only place where it stands."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from bdcan_chassis.database import Connection, columns, copied
from bdcan_intake.domain.submission import Person, Submission


class Resident(NamedTuple):
    """What intake keeps of a person."""

    person: Person
    notes: str | None
    consent: bool | None


class Known(NamedTuple):
    """The referral that a source and reference belong to, and the hash of what was said then."""

    referral_id: UUID
    received_at: datetime
    content_hash: bytes


async def insert(connection: Connection, new: Sequence[tuple[UUID, Submission, bytes]]) -> None:
    """Write down who new referrals are about."""
    rows = [_row(*one) for one in new]
    if rows and not await copied(connection, "resident", _COLUMNS, rows):
        await connection.execute(_INSERT, *columns(rows))


async def known(connection: Connection, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Known]:
    """The referrals that these sources and references belong to."""
    if not keys:
        return {}
    rows = await connection.fetch(_KNOWN, [source for source, _ in keys], [ref for _, ref in keys])
    return {
        (r["source"], r["reference"]): Known(r["referral_id"], r["received_at"], r["content_hash"])
        for r in rows
    }


async def get(connection: Connection, referral_id: UUID) -> Resident:
    """Who a referral is about. Only disclosures and amendments ask."""
    row = await connection.fetchrow(_GET, referral_id)
    if row is None:
        return Resident(Person(), None, None)
    person = Person(
        name=row["name"],
        phone=row["phone"],
        phone_e164=row["phone_e164"],
        email=row["email"],
        birth_date=row["birth_date"],
        nhs_number=row["nhs_number"],
        address=row["address"],
        postcode=row["postcode"],
    )
    return Resident(person, row["notes"], row["consent"])


async def update(connection: Connection, referral_id: UUID, resident: Resident) -> None:
    """Replace what is known of a person. The hash of the first submission stays: it tells a repeated one."""
    person = resident.person
    await connection.execute(
        _UPDATE,
        referral_id,
        person.name,
        person.phone,
        person.phone_e164,
        person.email,
        person.birth_date,
        person.nhs_number,
        person.address,
        person.postcode,
        resident.notes,
        resident.consent,
    )


def _row(referral_id: UUID, s: Submission, digest: bytes) -> tuple[Any, ...]:
    p = s.person
    return (
        referral_id,
        p.name,
        p.phone,
        p.phone_e164,
        p.email,
        p.birth_date,
        p.nhs_number,
        p.address,
        p.postcode,
        s.notes,
        s.consent,
        digest,
    )


_COLUMNS = (
    "referral_id",
    "name",
    "phone",
    "phone_e164",
    "email",
    "birth_date",
    "nhs_number",
    "address",
    "postcode",
    "notes",
    "consent",
    "content_hash",
)

_INSERT = """
INSERT INTO resident (
    referral_id, name, phone, phone_e164, email, birth_date, nhs_number, address, postcode, notes, consent,
    content_hash
)
SELECT referral_id, name, phone, phone_e164, email, birth_date, nhs_number, address, postcode, notes, consent,
    content_hash
FROM unnest(
    $1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::date[], $7::text[], $8::text[], $9::text[],
    $10::text[], $11::bool[], $12::bytea[]
) AS n (
    referral_id, name, phone, phone_e164, email, birth_date, nhs_number, address, postcode, notes, consent,
    content_hash
)
"""

# As for needs: each pair is looked up, whatever the planner thinks of a table that has just been filled.
_KNOWN = """
SELECT k.source, k.reference, f.id AS referral_id, f.received_at, s.content_hash
FROM unnest($1::text[], $2::text[]) AS k (source, reference)
CROSS JOIN LATERAL (
    SELECT id, received_at FROM referral
    WHERE source = k.source AND reference = k.reference AND reference IS NOT NULL OFFSET 0
) AS f
CROSS JOIN LATERAL (SELECT content_hash FROM resident WHERE referral_id = f.id OFFSET 0) AS s
"""

_GET = """
SELECT name, phone, phone_e164, email, birth_date, nhs_number, address, postcode, notes, consent
FROM resident WHERE referral_id = $1
"""

_UPDATE = """
UPDATE resident SET name = $2, phone = $3, phone_e164 = $4, email = $5, birth_date = $6, nhs_number = $7,
    address = $8, postcode = $9, notes = $10, consent = $11
WHERE referral_id = $1
"""
