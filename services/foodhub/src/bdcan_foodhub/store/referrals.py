"""Referrals in the database."""

from __future__ import annotations

from bdcan_chassis.table import Statement, Table
from bdcan_foodhub.domain.referral import Referral

REFERRAL = Table("referral", Referral, key="referral_id")

# Which of these referrals the borough helps no more, and whether because somebody withdrew them.
OVER = Statement(
    """
    SELECT referral_id, withdrawn_at IS NOT NULL AS withdrawn FROM referral
    WHERE referral_id = ANY (:referral_ids) AND (withdrawn_at IS NOT NULL OR out_of_area)
    """
)
