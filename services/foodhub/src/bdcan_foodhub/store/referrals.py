"""Referrals in the database."""

from __future__ import annotations

from bdcan_chassis.table import Statement, Table
from bdcan_foodhub.domain.referral import Referral

REFERRAL = Table("referral", Referral, key="referral_id")

# Which of these referrals were withdrawn.
WITHDRAWN = Statement(
    "SELECT referral_id FROM referral WHERE referral_id = ANY (:referral_ids) AND withdrawn_at IS NOT NULL"
)
