"""A resident's request as each door wants it: a JSON body, a row of a CSV file, or an event's body."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Any

from bdcan_contracts.models import InboundReferralSubmitted, Person
from bdcan_simulator.borough import Resident
from bdcan_simulator.ledger import Submission

COLUMNS: tuple[str, ...] = (
    "reference", "channel", "name", "phone", "email", "birth_date", "nhs_number", "address", "postcode", "adults",
    "children", "infants", "needs", "diets", "flags", "priority", "notes", "outreach", "consent",
)  # fmt: skip
"""The columns of a bulk file; lists are separated by semicolons."""


def as_event(submission: Submission) -> InboundReferralSubmitted:
    """The body of `inbound-referral.submitted`."""
    resident = submission.resident
    return InboundReferralSubmitted(
        source=submission.source,
        reference=submission.reference,
        channel=resident.channel,
        person=_person(resident),
        household=resident.household,
        needs=resident.needs,
        diets=resident.diets,
        flags=resident.flags,
        priority=resident.priority,
        notes=resident.notes,
        consent=resident.consent,
    )


def as_json(submission: Submission) -> dict[str, Any]:
    """The body of POST /v1/referrals."""
    body = as_event(submission).model_dump(mode="json", exclude_none=True, exclude={"source", "unclear"})
    return body | ({"outreach": True} if submission.resident.system.outreach else {})


def as_row(submission: Submission) -> dict[str, str]:
    """The row of a CSV file, an empty cell for what is not known."""
    body = as_json(submission)
    flat = body | body.pop("person", {}) | body.pop("household", {})
    flat["outreach"] = submission.resident.system.outreach  # an empty cell would mean yes
    return {column: _cell(flat.get(column)) for column in COLUMNS}


def as_csv(rows: Iterable[dict[str, str]]) -> str:
    """The text of a CSV file."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="", extrasaction="raise")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _person(resident: Resident) -> Person:
    return Person(
        name=resident.name,
        phone=resident.phone,
        email=resident.email,
        birth_date=resident.birth_date,
        nhs_number=resident.nhs_number,
        address=resident.address,
        postcode=resident.postcode,
    )


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case list():
            return ";".join(value)
        case _:
            return str(value)
