"""Residents in the database: this table and the notes alone say who a referral is about."""

from __future__ import annotations

from bdcan_chassis.table import Table
from bdcan_intake.domain.submission import Resident

RESIDENT = Table("resident", Resident, key="referral_id", stamp=None)

# Residents who have not been compared with the others, the longest waiting first.
NOT_COMPARED = RESIDENT.query(
    "SELECT {columns} FROM resident WHERE NOT compared ORDER BY referral_id LIMIT :limit"
)

# Residents of closed referrals who share a key with somebody, the newest first.
HELPED_BEFORE = RESIDENT.query(
    """
    SELECT {columns} FROM resident
    WHERE likeness_keys && :keys AND EXISTS (SELECT FROM referral WHERE id = referral_id AND state = 'closed')
    ORDER BY referral_id DESC LIMIT :limit
    """
)

# Residents of open referrals who share a key with somebody, and have been compared themselves.
SHARING_KEYS = RESIDENT.query(
    """
    SELECT {columns} FROM resident
    WHERE likeness_keys && :keys AND compared
        AND EXISTS (SELECT FROM referral WHERE id = referral_id AND state <> 'closed')
    """
)
