"""The timeline of each referral in the database."""

from __future__ import annotations

from bdcan_chassis.table import Statement, Table
from bdcan_intake.domain.timeline import Entry

TIMELINE = Table("timeline", Entry, key=("referral_id", "event_key"), stamp=None)

# The newest entries of a referral's timeline, the newest first. Ids of events made within one instant sort in the order of their making.
OF_REFERRAL = TIMELINE.query(
    "SELECT {columns} FROM timeline WHERE referral_id = :referral_id ORDER BY at DESC, event_key DESC LIMIT :limit"
)

# How many entries a referral's timeline has.
COUNT_OF_REFERRAL = Statement("SELECT count(*) FROM timeline WHERE referral_id = :referral_id")

# The entries of these kinds, the oldest first.
OF_KINDS = TIMELINE.query(
    "SELECT {columns} FROM timeline WHERE referral_id = :referral_id AND kind = ANY (:kinds) ORDER BY at, event_key"
)

# Whether one of these has happened since an instant: what somebody had in hand before is over.
HAPPENED_SINCE = Statement(
    """
    SELECT EXISTS (
        SELECT FROM timeline WHERE referral_id = :referral_id AND at > :since AND kind = ANY (:kinds)
    )
    """
)
