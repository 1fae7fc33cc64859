"""Referrals and their needs in the database."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from msgspec import Struct

from bdcan_chassis.table import Query, Statement, Table, Unique
from bdcan_intake.domain.referral import Need, Referral, ReferralState

NEED = Table("need", Need, key=("referral_id", "need_id"), stamp="fact_at")

REFERRAL = Table("referral", Referral, key="referral_id", parts={"needs": NEED})

SAME_REQUEST = Unique("source", "reference")
"""The unique index that tells a request that was handed in before. The database hashes source and reference."""

# Lock referrals in the order of their ids, and read nothing.
LOCK = Statement(
    """
    SELECT count(*) FROM (
        SELECT FROM referral WHERE id = ANY (:referral_ids) ORDER BY id FOR NO KEY UPDATE
    ) AS locked
    """
)


class Known(Struct, frozen=True):
    """The referral of a source and a reference, and the hash of what was said first."""

    source: str
    reference: str
    referral_id: UUID
    received_at: datetime
    state: ReferralState
    told_reference: str | None
    content_hash: bytes

    @property
    def closed(self) -> bool:
        """Whether it has come to its end."""
        return self.state is ReferralState.CLOSED


# The referrals that sources and references belong to. OFFSET 0 makes PostgreSQL look up each pair by its index: it
# would read all of a table that was just filled and never analysed.
FIND_KNOWN = Query(
    """
    SELECT k.source, k.reference, f.id AS referral_id, f.received_at, f.state, f.told_reference, s.content_hash
    FROM unnest(:sources::text[], :references::text[]) AS k (source, reference)
    CROSS JOIN LATERAL (
        SELECT id, received_at, state, told_reference FROM referral
        WHERE reference_key = reference_digest(k.source, k.reference) AND reference IS NOT NULL OFFSET 0
    ) AS f
    CROSS JOIN LATERAL (SELECT content_hash FROM resident WHERE referral_id = f.id OFFSET 0) AS s
    """,
    Known,
)


class Named(Struct, frozen=True):
    """The referral that a request of its sender names."""

    place: int
    referral_id: UUID


# The referrals that requests name: by source and reference the one that answers to it now, by id also an earlier one of
# that reference. OFFSET 0: as above.
FIND_NAMED = Query(
    """
    SELECT k.place, f.id AS referral_id
    FROM unnest(:places::int[], :sources::text[], :references::text[], :referral_ids::uuid[])
        AS k (place, source, reference, referral_id)
    CROSS JOIN LATERAL (
        SELECT id FROM referral
        WHERE k.referral_id IS NULL AND reference_key = reference_digest(k.source, k.reference)
            AND reference IS NOT NULL
        OFFSET 0
    ) AS f
    UNION ALL
    SELECT k.place, f.id
    FROM unnest(:places::int[], :sources::text[], :references::text[], :referral_ids::uuid[])
        AS k (place, source, reference, referral_id)
    JOIN referral AS f ON f.id = k.referral_id AND f.source = k.source
        AND f.reference_key = reference_digest(k.source, k.reference)
    """,
    Named,
)

# A page of referrals, the oldest first: those of these hubs (NULL: of all) and those of these sources. A reference is looked
# for as each source would have hashed it, in two indexes.
FIND = REFERRAL.query(
    """
    WITH sought (key) AS (
        SELECT reference_digest(s.source, :reference) FROM (
            SELECT DISTINCT source FROM referral WHERE :source::text IS NULL AND :reference::text IS NOT NULL
            UNION SELECT :source
        ) AS s (source)
    )
    SELECT {columns} FROM referral
    WHERE (:state::text IS NULL OR state = :state) AND (:hub::text IS NULL OR hub_id = :hub)
        AND (:source::text IS NULL OR source = :source)
        AND (
            :reference::text IS NULL
            OR (reference IS NOT NULL AND reference_key = ANY (ARRAY(SELECT key FROM sought)))
            OR (past_reference IS NOT NULL AND reference_key = ANY (ARRAY(SELECT key FROM sought)))
        )
        AND (:hubs::text[] IS NULL OR hub_id = ANY (:hubs) OR source = ANY (:sources))
        AND (:referral_id::uuid IS NULL OR id > :referral_id)
    ORDER BY id LIMIT :limit
    """
)
