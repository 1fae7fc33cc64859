"""Volunteers: what they say about themselves changes, and they go on and off duty."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from uuid import UUID

from fastapi import Response
from pydantic import BaseModel

from bdcan_chassis.http.auth import Caller
from bdcan_chassis.http.guard import Routes
from bdcan_chassis.http.idempotency import OnceOnly
from bdcan_chassis.step import Step
from bdcan_chassis.transaction import Tx
from bdcan_volunteer_match.api.profiles import PersonBody, save_person
from bdcan_volunteer_match.api.volunteers import VolunteerView, Writer, locked_volunteer, save_volunteer
from bdcan_volunteer_match.books import Volunteers
from bdcan_volunteer_match.domain import volunteer as volunteering
from bdcan_volunteer_match.domain.volunteer import Volunteer


def router() -> Routes:
    """The routes."""
    router = Routes(prefix="/v1/volunteers", tags=["volunteers"])

    @router.post("/{volunteer_id}/profile", response_model=VolunteerView)
    async def describe(volunteer_id: UUID, body: PersonBody, caller: Writer, once: OnceOnly) -> Response:
        """What a volunteer says about themselves changes: where they are, when they have time, what to respect."""
        profile = body.profile()

        async def work(tx: Tx) -> BaseModel:
            volunteers = Volunteers(tx)
            volunteer = await locked_volunteer(volunteers, volunteer_id, caller)
            step = volunteering.describe(volunteer, profile, tx.now)
            await save_person(tx, volunteer_id, body, profile)
            return await save_volunteer(volunteers, step, caller)

        return await once(work)

    @router.post("/{volunteer_id}/on-duty", response_model=VolunteerView)
    async def go_on_duty(volunteer_id: UUID, caller: Writer, once: OnceOnly) -> Response:
        """The volunteer wants offers from now on."""
        return await once(_switching(volunteer_id, caller, volunteering.go_on_duty))

    @router.post("/{volunteer_id}/off-duty", response_model=VolunteerView)
    async def go_off_duty(volunteer_id: UUID, caller: Writer, once: OnceOnly) -> Response:
        """No offers until they go on duty again. What was offered goes to somebody else; what was accepted stays."""
        return await once(_switching(volunteer_id, caller, volunteering.go_off_duty))

    return router


def _switching(
    volunteer_id: UUID, caller: Caller, switch: Callable[[Volunteer, datetime], Step[Volunteer]]
) -> Callable[[Tx], Awaitable[BaseModel]]:
    async def work(tx: Tx) -> BaseModel:
        volunteers = Volunteers(tx)
        volunteer = await locked_volunteer(volunteers, volunteer_id, caller)
        return await save_volunteer(volunteers, switch(volunteer, tx.now), caller)

    return work
