"""Requests of people to be erased, in the database, and the hashed references of those who were."""

from __future__ import annotations

from bdcan_chassis.table import Statement, Table
from bdcan_intake.domain.rights import Erasure

ERASURE = Table("erasure", Erasure, key="erasure_id", stamp=None)

# Requests that wait for one of these enquiries or volunteers, locked in the order of their ids.
LOCK_OF_ENQUIRIES = ERASURE.query(
    """
    SELECT {columns} FROM erasure WHERE state = 'waiting'
        AND (enquiry_ids && :enquiry_ids::uuid[] OR volunteer_ids && :volunteer_ids::uuid[])
    ORDER BY id FOR NO KEY UPDATE
    """
)

# A page of requests, the one that is due first; NULL: in any state.
FIND = ERASURE.query(
    """
    SELECT {columns} FROM erasure
    WHERE (:state::text IS NULL OR state = :state)
        AND (:erasure_id::uuid IS NULL OR (due_at, id) > (:due_at::timestamptz, :erasure_id))
    ORDER BY due_at, id LIMIT :limit
    """
)

# The keys of dead letters in which senders wrote about these referrals: `source:reference`, known by its hash.
RECORD_KEYS = Statement(
    """
    SELECT DISTINCT d.record_key FROM chassis.dead_letter AS d CROSS JOIN erased_reference_secret AS s
    WHERE position(':'::bytea IN d.record_key) > 0 AND EXISTS (
        SELECT FROM referral AS r WHERE r.id = ANY (:referral_ids) AND r.reference_key = sha256(s.secret || CASE
            WHEN position(':'::bytea IN d.record_key) > 0
            THEN overlay(d.record_key PLACING '\\x0a'::bytea FROM position(':'::bytea IN d.record_key) FOR 1)
        END)
    )
    """
)

# Remember the hashes of these referrals' references, before they go.
REMEMBER_REFERENCES = Statement(
    """
    INSERT INTO erased_reference (digest, erased_at)
    SELECT DISTINCT reference_key, :now::timestamptz FROM referral
    WHERE id = ANY (:referral_ids) AND reference_key IS NOT NULL
    ON CONFLICT DO NOTHING
    """
)

# Which of these references belonged to somebody who was erased, by their place.
ERASED_REFERENCES = Statement(
    """
    SELECT k.place FROM unnest(:places::int[], :sources::text[], :references::text[]) AS k (place, source, reference)
    WHERE EXISTS (SELECT FROM erased_reference WHERE digest = reference_digest(k.source, k.reference))
    """
)

# For the metrics: requests by state; one that is past its time is overdue.
GAUGE_ERASURES = Statement(
    """
    SELECT CASE WHEN overdue AND state = 'waiting' THEN 'overdue' ELSE state END AS state, count(*) AS value
    FROM erasure GROUP BY 1
    """
)
