"""People who want to volunteer. Volunteer-match takes an enquiry over as soon as it hears of it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid5

from msgspec import Struct
from msgspec.structs import replace

from bdcan_chassis.step import Step
from bdcan_contracts.envelope import Problem
from bdcan_contracts.models import VolunteerActivated, VolunteerEnquiryReceived
from bdcan_contracts.typed import Postcode, free_text, one_line, read_phone, read_postcode
from bdcan_intake.domain.errors import RefusedError


class Enquiry(Struct, frozen=True, rename={"enquiry_id": "id"}):
    """What somebody said who wants to volunteer. All of it is personal data."""

    enquiry_id: UUID
    received_at: datetime
    name: str | None = None
    phone: str | None = None
    phone_e164: str | None = None
    """The number that `phone` names, in the form that is dialled; `enquire` reads it."""
    email: str | None = None
    postcode: str | None = None
    notes: str | None = None
    task_kinds: tuple[str, ...] = ()
    has_car: bool | None = None
    volunteer_id: UUID | None = None
    """The id under which volunteer-match and its lists know this person; NULL only in rows of an older release."""
    hub_ids: tuple[str, ...] = ()
    """The hubs that have welcomed them, as volunteer-match last told; until then any hub may."""
    hubs_version: int = 0
    erased_at: datetime | None = None
    """When the volunteer left: nothing that says who it was is stored since."""


def volunteer_id_of(enquiry_id: UUID) -> UUID:
    """The id of the volunteer who sent an enquiry. Volunteer-match makes it in the same way."""
    return uuid5(enquiry_id, "volunteer")


def erase(enquiry: Enquiry, now: datetime) -> Step[Enquiry]:
    """The volunteer has left: nothing that says who it was stays."""
    if enquiry.erased_at is not None:
        return Step(enquiry)
    return Step(
        Enquiry(
            enquiry.enquiry_id,
            enquiry.received_at,
            volunteer_id=volunteer_id_of(enquiry.enquiry_id),
            erased_at=now,
        )
    )


def welcome(enquiry: Enquiry, told: VolunteerActivated) -> Step[Enquiry]:
    """Some hubs have taken the volunteer on. Older news changes nothing, and nothing is kept of who has left."""
    if enquiry.erased_at is not None or told.version <= enquiry.hubs_version:
        return Step(enquiry)
    return Step(replace(enquiry, hub_ids=tuple(told.hub_ids or ()), hubs_version=told.version))


def enquire(typed: Enquiry) -> Step[Enquiry]:
    """Take on an enquiry as it was typed. Raises RefusedError if nobody could answer it."""
    phone, email, postcode = read_phone(typed.phone), one_line(typed.email), read_postcode(typed.postcode)
    if not (phone or email):
        raise RefusedError(
            [
                Problem(field, "no-way-to-answer", "give a phone number or an e-mail address")
                for field in ("phone", "email")
            ]
        )
    enquiry = Enquiry(
        enquiry_id=typed.enquiry_id,
        received_at=typed.received_at,
        name=one_line(typed.name),
        phone=phone and phone.typed,
        phone_e164=phone and phone.e164,
        email=email,
        postcode=str(postcode) if postcode else None,
        notes=free_text(typed.notes),
        task_kinds=tuple(dict.fromkeys(typed.task_kinds)),
        has_car=typed.has_car,
        volunteer_id=volunteer_id_of(typed.enquiry_id),
    )
    received = VolunteerEnquiryReceived(
        enquiry_id=enquiry.enquiry_id,
        task_kinds=enquiry.task_kinds,
        postcode_sector=postcode.sector if isinstance(postcode, Postcode) else None,
        has_car=enquiry.has_car,
        received_at=enquiry.received_at,
    )
    return Step(enquiry, (received,))
