"""People who want to volunteer."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Response
from pydantic import BaseModel, Field

from bdcan_chassis.http.auth import Caller, needs
from bdcan_chassis.http.bodies import Body, Text
from bdcan_chassis.http.guard import Routes
from bdcan_chassis.http.idempotency import OnceOnly
from bdcan_chassis.ids import new_id
from bdcan_chassis.transaction import Tx
from bdcan_contracts.vocabulary import TaskKind
from bdcan_intake.books import Enquiries
from bdcan_intake.domain.enquiry import Enquiry, enquire


class EnquiryForm(Body):
    """Who it is, how to reach them, and what they would like to do."""

    name: Annotated[Text, Field(max_length=200)] | None = None
    phone: Annotated[Text, Field(max_length=60)] | None = None
    email: Annotated[Text, Field(max_length=254)] | None = None
    postcode: Annotated[Text, Field(max_length=60)] | None = None
    notes: Annotated[Text, Field(max_length=2000)] | None = None
    task_kinds: Annotated[tuple[TaskKind, ...], Field(max_length=8)] = ()
    has_car: bool | None = None


class EnquiryTaken(BaseModel):
    """The enquiry is on record; volunteer-match takes it from here."""

    enquiry_id: UUID
    received_at: datetime


def router() -> Routes:
    """The routes."""
    routes = Routes(prefix="/v1/volunteer-enquiries", tags=["volunteers"])

    @routes.post("", status_code=201, response_model=EnquiryTaken)
    async def hand_in(
        body: EnquiryForm,
        _caller: Annotated[Caller, Depends(needs("volunteers:write"))],
        once: OnceOnly,
    ) -> Response:
        async def work(tx: Tx) -> BaseModel:
            typed = Enquiry(new_id(), tx.now, **body.model_dump())
            enquiries = Enquiries(tx)
            taken = enquiries.put(enquire(typed))
            await enquiries.save()
            return EnquiryTaken(enquiry_id=taken.enquiry_id, received_at=taken.received_at)

        return await once(work, status=201)

    return routes
