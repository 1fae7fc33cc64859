"""People who want to volunteer."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, Field

from bdcan_chassis.http.auth import Caller, needs
from bdcan_chassis.http.idempotency import OnceOnly
from bdcan_chassis.http.problems import InvalidError
from bdcan_chassis.ids import new_id
from bdcan_chassis.transaction import Tx
from bdcan_contracts.envelope import Problem
from bdcan_contracts.models import TaskKind, VolunteerEnquiryReceived
from bdcan_contracts.typed import Postcode, free_text, one_line, read_phone, read_postcode
from bdcan_intake.store import enquiries

_NO_NUL = r"^[^\u0000]*$"


class EnquiryForm(BaseModel):
    """Who it is, how to reach them, and what they would like to do."""

    model_config = ConfigDict(extra="forbid")
    name: Annotated[str, Field(max_length=200, pattern=_NO_NUL)] | None = None
    phone: Annotated[str, Field(max_length=60, pattern=_NO_NUL)] | None = None
    email: Annotated[str, Field(max_length=254, pattern=_NO_NUL)] | None = None
    postcode: Annotated[str, Field(max_length=60, pattern=_NO_NUL)] | None = None
    notes: Annotated[str, Field(max_length=2000, pattern=_NO_NUL)] | None = None
    task_kinds: Annotated[tuple[TaskKind, ...], Field(max_length=8)] = ()
    has_car: bool | None = None


class EnquiryTaken(BaseModel):
    """The enquiry is on record; volunteer-match takes it from here."""

    enquiry_id: UUID
    received_at: datetime


def router() -> APIRouter:
    """The routes."""
    routes = APIRouter(prefix="/v1/volunteer-enquiries", tags=["volunteers"])

    @routes.post("", status_code=201, response_model=EnquiryTaken)
    async def enquire(
        body: EnquiryForm,
        _caller: Annotated[Caller, Depends(needs("volunteers:write"))],
        once: OnceOnly,
    ) -> Response:
        phone, email, postcode = read_phone(body.phone), one_line(body.email), read_postcode(body.postcode)
        if not (phone or email):
            raise InvalidError(
                "Nobody could answer.",
                errors=[
                    Problem(field, "no-way-to-answer", "a phone or an e-mail address is needed")
                    for field in ("phone", "email")
                ],
            )
        kinds = tuple(dict.fromkeys(body.task_kinds))

        async def work(tx: Tx) -> BaseModel:
            enquiry_id = new_id()
            enquiry = enquiries.Enquiry(
                name=one_line(body.name),
                phone=phone and phone.typed,
                phone_e164=phone and phone.e164,
                email=email,
                postcode=str(postcode) if postcode else None,
                notes=free_text(body.notes),
                task_kinds=kinds,
                has_car=body.has_car,
            )
            await enquiries.insert(tx.connection, enquiry_id, enquiry, tx.now)
            tx.emit(
                VolunteerEnquiryReceived(
                    enquiry_id=enquiry_id,
                    task_kinds=kinds,
                    postcode_sector=postcode.sector if isinstance(postcode, Postcode) else None,
                    has_car=body.has_car,
                    received_at=tx.now,
                )
            )
            return EnquiryTaken(enquiry_id=enquiry_id, received_at=tx.now)

        return await once(work, status=201)

    return routes
