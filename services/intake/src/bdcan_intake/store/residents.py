"""Residents in the database: the only table that says who a referral is about."""

from __future__ import annotations

from bdcan_chassis.table import Table
from bdcan_intake.domain.submission import Resident

RESIDENT = Table("resident", Resident, key="referral_id", stamp=None)
