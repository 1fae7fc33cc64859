"""The audit of disclosures in the database. Rows are only ever added."""

from __future__ import annotations

from bdcan_chassis.table import Table
from bdcan_intake.domain.disclosure import Disclosure

DISCLOSURE = Table("disclosure", Disclosure, key="disclosure_id", stamp=None)

# All disclosures about a referral or an enquiry, the newest last.
OF_SUBJECT = DISCLOSURE.query("SELECT {columns} FROM disclosure WHERE subject_id = :subject_id ORDER BY id")
