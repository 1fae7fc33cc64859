"""Hand-overs of open work from a paused hub."""

from __future__ import annotations

from bdcan_chassis.table import Statement, Table
from bdcan_routing.domain.handover import Handover

HANDOVER = Table("hub_handover", Handover, key="handover_id", stamp=None)

# The hand-overs that have not ended, the oldest first; of one hub, or of all (NULL).
LOCK_OPEN = HANDOVER.query(
    """
    SELECT {columns} FROM hub_handover
    WHERE ended_at IS NULL AND (:hub_id::text IS NULL OR hub_id = :hub_id)
    ORDER BY handover_id FOR NO KEY UPDATE
    """
)

# The open referrals of a hub that move next: the urgent ones, then those whose call is due first.
NEXT = Statement(
    """
    SELECT referral_id FROM assignment WHERE hub_id = :hub_id AND state = 'assigned'
    ORDER BY array_position(ARRAY['urgent', 'standard', 'routine'], facts ->> 'priority'), contact_due_at, referral_id
    LIMIT :limit
    """
)

# How many open referrals a hub has.
COUNT = Statement("SELECT count(*) FROM assignment WHERE hub_id = :hub_id AND state = 'assigned'")
