"""Who a request is about, as intake keeps it, and what events say of it. What is handed in is read by the contracts."""

from __future__ import annotations

from uuid import UUID

from msgspec.structs import asdict

from bdcan_chassis.step import Step
from bdcan_contracts.inbound.submission import Examined, Person, Submission
from bdcan_contracts.models import Lane, Priority
from bdcan_contracts.vocabulary import NEEDS, Flag

_SENT_FLAGS = 5
"""How many flags an event's field holds."""


class Resident(Person, frozen=True, kw_only=True):
    """Who a referral is about, as intake keeps it: the only place for personal data."""

    referral_id: UUID
    notes: str | None
    """What the request said. Later notes are rows of their own (`domain/note.py`)."""
    consent: bool | None
    content_hash: bytes
    compared: bool = False
    """Whether the resident has been compared with the others (`domain/likeness.py`)."""
    likeness_keys: tuple[str, ...] = ()


def resident_of(examined: Examined, referral_id: UUID) -> Step[Resident]:
    """Who a new referral is about."""
    said = examined.submission
    resident = Resident(
        **asdict(said.person),
        referral_id=referral_id,
        notes=said.notes,
        consent=said.consent,
        content_hash=examined.content_hash,
    )
    return Step(resident)


def priority_of(submission: Submission) -> Priority:
    """How soon: what the sender says; at once where somebody may be at risk; a list has room."""
    if any(NEEDS[code].lane is Lane.SAFEGUARDING for code in submission.needs):
        return Priority.URGENT
    if submission.priority is not None:
        return submission.priority
    return Priority.ROUTINE if submission.outreach else Priority.STANDARD


def sent_flags(flags: tuple[str, ...]) -> tuple[str, ...]:
    """The flags as events carry them: at most five. What readers see without a flag is left out first."""
    left = list(flags)
    for seen_anyway in (Flag.DETAILS_UNCLEAR, Flag.NO_POSTCODE, Flag.NO_PHONE):
        if len(left) > _SENT_FLAGS and seen_anyway in left:
            left.remove(seen_anyway)
    return tuple(left[:_SENT_FLAGS])
