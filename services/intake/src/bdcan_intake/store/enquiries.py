"""Enquiries of volunteers in the database."""

from __future__ import annotations

from bdcan_chassis.table import Statement, Table
from bdcan_intake.domain.enquiry import Enquiry

ENQUIRY = Table("volunteer_enquiry", Enquiry, key="enquiry_id", stamp=None)

# The enquiries of some volunteers, locked. Rows of an older release do not say whose they are.
LOCK_OF_VOLUNTEERS = ENQUIRY.query(
    """
    SELECT {columns} FROM volunteer_enquiry
    WHERE volunteer_id = ANY (:volunteer_ids) OR volunteer_id IS NULL ORDER BY id FOR NO KEY UPDATE
    """
)

# The enquiries of some volunteers, by the volunteer.
IDS_OF_VOLUNTEERS = Statement(
    "SELECT volunteer_id, id FROM volunteer_enquiry WHERE volunteer_id = ANY (:volunteer_ids)"
)

# The enquiry of a volunteer. Rows of an older release do not say whose they are.
OF_VOLUNTEER = ENQUIRY.query(
    "SELECT {columns} FROM volunteer_enquiry WHERE volunteer_id = :volunteer_id OR volunteer_id IS NULL"
)
