"""What whoever does a task must know. It is read through the disclosure `task` alone."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Response
from pydantic import Field, model_validator

from bdcan_chassis.http import bodies
from bdcan_chassis.http.guard import Routes
from bdcan_chassis.http.idempotency import OnceOnly
from bdcan_chassis.transaction import Tx
from bdcan_intake.api.common import Amender, must_see, must_see_needs
from bdcan_intake.books import Instructions, Referrals
from bdcan_intake.domain.instruction import instruct

_Short = Annotated[bodies.Text, Field(min_length=1, max_length=500)]


class InstructionForm(bodies.Body):
    """Words for whoever does a need's task; without `need_id`, for every visit. They take the place of earlier ones."""

    need_id: UUID | None = None
    what: Annotated[bodies.Text, Field(min_length=1, max_length=2000)] | None = Field(
        default=None, description="the shopping list, or what to fetch and under which name"
    )
    access: _Short | None = Field(default=None, description="how to get in: a door code, where to ring")
    say: _Short | None = Field(default=None, description="what to say at the door, such as a password")

    @model_validator(mode="after")
    def _says_something(self) -> InstructionForm:
        if self.what is None and self.access is None and self.say is None:
            raise ValueError("says nothing: fill in what, access or say")
        return self


def router() -> Routes:
    """The route."""
    routes = Routes(prefix="/v1/referrals", tags=["referrals"])

    @routes.post("/{referral_id}/instructions", status_code=204, response_class=Response)
    async def write(referral_id: UUID, body: InstructionForm, caller: Amender, once: OnceOnly) -> Response:
        """Say what whoever does a task must know: the list, how to get in, what to say at the door."""

        async def work(tx: Tx) -> None:
            referrals, written = Referrals(tx), Instructions(tx)
            await referrals.lock_keys([referral_id])
            referral = must_see(caller, referrals.get(referral_id))
            if body.need_id is not None:
                must_see_needs(caller, referral, [body.need_id])
            await written.lock_keys([body.need_id or referral_id])
            typed = body.model_dump(include={"what", "access", "say"})
            written.put(instruct(referral, body.need_id, typed, caller.name, tx.now))
            await written.save()

        return await once(work, status=204)

    return routes
