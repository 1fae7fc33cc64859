"""Enquiries of volunteers in the database."""

from __future__ import annotations

from bdcan_chassis.table import Table
from bdcan_intake.domain.enquiry import Enquiry

ENQUIRY = Table("volunteer_enquiry", Enquiry, key="enquiry_id", stamp=None)
