"""Referrals in the database."""

from __future__ import annotations

from bdcan_chassis.table import Table
from bdcan_escalation.domain.referral import Referral

REFERRAL = Table("referral", Referral, key="referral_id")
