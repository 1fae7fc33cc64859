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

# The record keys under which senders wrote about these referrals.
RECORD_KEYS = Statement(
    """
    SELECT convert_to(source || ':' || coalesce(reference, past_reference), 'UTF8') FROM referral
    WHERE id = ANY (:referral_ids) AND coalesce(reference, past_reference) IS NOT NULL
    """
)

# A secret of this database for the hashes, made with the first of them.
MAKE_SECRET = Statement(
    """
    INSERT INTO erased_reference_secret (place, secret)
    VALUES (1, uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())) ON CONFLICT DO NOTHING
    """
)

# Remember the references of these referrals as hashes, before they go.
REMEMBER_REFERENCES = Statement(
    """
    INSERT INTO erased_reference (digest, erased_at)
    SELECT DISTINCT reference_digest(r.source, used.reference), :now::timestamptz
    FROM referral AS r CROSS JOIN LATERAL (VALUES (r.reference), (r.past_reference)) AS used (reference)
    WHERE r.id = ANY (:referral_ids) AND used.reference IS NOT NULL
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
