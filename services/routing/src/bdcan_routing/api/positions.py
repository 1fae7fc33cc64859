"""Where the homes of a hub's residents lie, for a round. Each answer about a resident leaves an audit row."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request
from msgspec.structs import asdict
from pydantic import BaseModel, Field

from bdcan_chassis.audit import Act
from bdcan_chassis.http.auth import Caller, needs
from bdcan_chassis.http.bodies import Body, Slug, Text
from bdcan_chassis.http.guard import Routes
from bdcan_chassis.http.reading import transactions_of
from bdcan_contracts.typed import read_postcode
from bdcan_routing import store
from bdcan_routing.domain.positions import Sure, position_of
from bdcan_routing.gazetteer import sectors

MOST_ASKED = 200
"""Referrals of one question at most: a round has no more stops."""

Asker = Annotated[Caller, Depends(needs("routing:positions"))]


class PositionsAsked(Body):
    """Whose homes, of which hub, and why. `reason` is for the audit, which the resident can be shown."""

    hub_id: Slug
    referral_ids: list[UUID] = Field(default=[], max_length=MOST_ASKED)
    places: list[Annotated[Text, Field(min_length=1, max_length=20)]] = Field(
        default=[],
        max_length=20,
        description="postcodes of places that are nobody's home, such as a pharmacy",
    )
    reason: Annotated[Text, Field(min_length=3, max_length=300)]


class PositionOut(BaseModel):
    """A place on the National Grid."""

    easting: int = Field(description="metres")
    northing: int = Field(description="metres")
    sure: Sure = Field(description="`sector`: only the middle of the postcode's sector is known")


class HomeOut(PositionOut):
    """Where the home of a referral lies."""

    referral_id: UUID


class PlaceOut(PositionOut):
    """Where a place lies."""

    place: str = Field(description="the postcode as it was sent")


class Positions(BaseModel):
    """What is known. A referral that is left out has no such hub now, or no postcode that leads anywhere."""

    homes: list[HomeOut]
    places: list[PlaceOut]


def add_routes(routes: Routes) -> None:
    """The route."""

    @routes.post("/positions")
    async def show_positions(request: Request, body: PositionsAsked, caller: Asker) -> Positions:
        """Where the homes of some referrals lie, as far as a hub has them. For machines of ours that plan rounds."""
        # answers are about people and are kept nowhere: no Idempotency-Key
        caller.must_see_hub(body.hub_id)
        places = {place: read_postcode(place) for place in body.places}
        async with transactions_of(request).begin(request.state.traceparent) as tx:
            found = await store.positions.OF_HUB.all(
                tx.connection, referral_ids=body.referral_ids, hub_id=body.hub_id
            )
            homes = {one.referral_id: one.facts.home for one in found if one.facts is not None}
            known = await store.positions.points(tx.connection, [*homes.values(), *places.values()])
            centres = sectors.load()
            answer = Positions(
                homes=[
                    HomeOut(referral_id=referral_id, **asdict(at))
                    for referral_id, home in homes.items()
                    if (at := position_of(home, known, centres)) is not None
                ],
                places=[
                    PlaceOut(place=place, **asdict(at))
                    for place, postcode in places.items()
                    if (at := position_of(postcode, known, centres)) is not None
                ],
            )
            for home in answer.homes:
                tx.audit(Act.POSITION_SHOWN, caller.name, home.referral_id, body.reason, hub=body.hub_id)
        return answer
