"""Who rings us back: a caller at the hub has somebody on the line, and looks for the referral that they ring about."""

from __future__ import annotations

from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request
from pydantic import BaseModel, Field, model_validator

from bdcan_chassis.audit import Act
from bdcan_chassis.http.auth import Caller, needs
from bdcan_chassis.http.bodies import Body, Text
from bdcan_chassis.http.guard import Routes
from bdcan_chassis.http.reading import transactions_of
from bdcan_contracts.inbound.submission import Person, tidy_person
from bdcan_contracts.typed import read_phone
from bdcan_intake import store
from bdcan_intake.domain.likeness import Likeness, alike, keys
from bdcan_intake.domain.referral import ReferralState

_MOST_FOUND = 20
"""Referrals of one answer, the newest first. A hostel has one telephone."""

PURPOSE = "ringing-back"
"""What the audit says such a look was for."""


class WhoRings(Body):
    """What is known of whoever is on the line: the number that the telephone shows, or a name with a postcode or a birth date."""

    phone: Annotated[Text, Field(max_length=60)] | None = None
    name: Annotated[Text, Field(max_length=200)] | None = None
    postcode: Annotated[Text, Field(max_length=20)] | None = None
    birth_date: date | None = None

    @model_validator(mode="after")
    def _says_enough(self) -> WhoRings:
        number = read_phone(self.phone) if self.phone else None
        if self.phone and (number is None or number.e164 is None):
            raise ValueError(
                "phone is no telephone number that can be rung: leave it out, or type all of its digits"
            )
        if not self.phone and not (self.name and (self.postcode or self.birth_date)):
            raise ValueError("send a phone, or a name with a postcode or a birth_date")
        return self

    def person(self, today: date) -> Person:
        """As intake keeps a person."""
        return tidy_person(
            Person(name=self.name, phone=self.phone, postcode=self.postcode, birth_date=self.birth_date),
            today,
        )


class FoundReferral(BaseModel):
    """An open referral that whoever rings may ring about. Its call is at volunteer-match, by the same id."""

    referral_id: UUID
    hub_id: str
    state: ReferralState
    likeness: Likeness = Field(
        description="whether it is about this person, or about somebody of their household"
    )


class FoundReferrals(BaseModel):
    """The newest first."""

    items: list[FoundReferral]


def router() -> Routes:
    """The routes."""
    routes = Routes(prefix="/v1", tags=["disclosures"])

    @routes.post("/ringing-back")
    async def who_rings(
        request: Request,
        body: WhoRings,
        caller: Annotated[Caller, Depends(needs("disclosures:welfare_call"))],
    ) -> FoundReferrals:
        """The open referrals of the caller's hubs that somebody on the line may be about. Names nobody; audited.

        Claim the call of the one that they mean, also before its time, and read name and number with its grant.
        """
        # the body is about a person and is kept nowhere: no Idempotency-Key
        async with transactions_of(request).begin(request.state.traceparent) as tx:
            person = body.person(tx.calendar.local_date(tx.now))
            near = await store.residents.SHARING_KEYS.all(tx.connection, keys=keys(person))
            found = {one.referral_id: likeness for one in near if (likeness := alike(person, one))}
            referrals = await store.referrals.REFERRAL.get.all(tx.connection, keys=list(found))
            seen = [one for one in referrals if one.hub_id and caller.sees_hub(one.hub_id)]
            newest = sorted(seen, key=lambda one: one.referral_id, reverse=True)[:_MOST_FOUND]
            asked = sorted(body.model_dump(exclude_none=True))
            for one in newest:
                tx.audit(
                    Act.DISCLOSED, caller.name, one.referral_id, "rang back", purpose=PURPOSE, fields=asked
                )
        return FoundReferrals(
            items=[
                FoundReferral(
                    referral_id=one.referral_id,
                    hub_id=one.hub_id or "",
                    state=one.state,
                    likeness=found[one.referral_id],
                )
                for one in newest
            ]
        )

    return routes
