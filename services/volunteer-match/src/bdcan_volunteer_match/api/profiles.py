"""What a volunteer says about themselves, and whether they are on duty."""

from __future__ import annotations

from datetime import time
from typing import Annotated
from uuid import UUID

from pydantic import ConfigDict, Field

from bdcan_chassis.http.bodies import Body, Text
from bdcan_chassis.transaction import Tx
from bdcan_contracts.typed import one_line, read_phone
from bdcan_volunteer_match import store
from bdcan_volunteer_match.domain.profile import Profile, Slot, checked


class SlotBody(Body):
    """Time that a volunteer has every week, in local time. A night is two slots."""

    model_config = ConfigDict(from_attributes=True)
    weekday: int = Field(description="1 is Monday, 7 is Sunday")
    begins: time
    ends: time = Field(description="excluded; 23:59:59 for the end of the day")


class ProfileBody(Body):
    """What a volunteer says about themselves. What is left out stays as it was; an empty text or list takes it back."""

    postcode: Text | None = Field(
        default=None, max_length=20, description="of their home; only its sector is in events and lists"
    )
    travels: str | None = Field(default=None, max_length=60, description="on-foot, bicycle or car")
    has_car: bool | None = Field(default=None, description="`travels` says more; left out: as it was")
    radius_m: int | None = Field(
        default=None, description="how far from home they help: 100 to 30,000 metres"
    )
    languages: list[Annotated[str, Field(max_length=35)]] | None = Field(
        default=None, max_length=20, description="ISO 639 codes, such as bn"
    )
    availability: list[SlotBody] | None = Field(
        default=None, max_length=50, description="when they have time every week; empty: any time"
    )
    weekly_offers: int | None = Field(
        default=None, description="how many offers they want in seven days at most: 1 to 50, 7 at first"
    )
    cautions: list[Annotated[str, Field(max_length=60)]] | None = Field(
        default=None, max_length=20, description="codes, such as no-stairs"
    )

    def profile(self) -> Profile:
        """What was said, in order. Raises ProfileError."""
        slots = self.availability
        return checked(
            Profile(
                self.postcode,
                self.travels,
                self.has_car,
                self.radius_m,
                None if self.languages is None else tuple(self.languages),
                None if slots is None else tuple(Slot(s.weekday, s.begins, s.ends) for s in slots),
                self.weekly_offers,
                None if self.cautions is None else tuple(self.cautions),
            )
        )


class PersonBody(ProfileBody):
    """The profile of a volunteer, and who they are. Name, number and postcode stay in this service's database."""

    name: Text | None = Field(default=None, min_length=1, max_length=200)
    phone: Text | None = Field(default=None, min_length=3, max_length=40)


async def save_person(tx: Tx, volunteer_id: UUID, body: PersonBody, profile: Profile) -> None:
    """Write who a volunteer is. What is left out stays as it was."""
    name, phone = one_line(body.name), read_phone(body.phone)
    if name or phone or profile.postcode is not None:
        await store.volunteers.SAVE_PERSON.execute(
            tx.connection,
            volunteer_id=volunteer_id,
            name=name,
            phone=phone and phone.typed,
            phone_e164=phone and phone.e164,
            postcode=profile.postcode,
        )
