"""The audit of disclosures in the database. Rows are only ever added."""

from __future__ import annotations

from bdcan_chassis.table import Statement, Table
from bdcan_intake.domain.disclosure import Disclosure

DISCLOSURE = Table("disclosure", Disclosure, key="disclosure_id", stamp=None)

# The audit stays when a volunteer leaves; the reason that somebody typed may name them.
ERASE_REASONS = Statement("UPDATE disclosure SET reason = 'erased' WHERE subject_id = ANY (:subject_ids)")

# All disclosures about a referral or an enquiry, the newest last.
OF_SUBJECT = DISCLOSURE.query("SELECT {columns} FROM disclosure WHERE subject_id = :subject_id ORDER BY id")
