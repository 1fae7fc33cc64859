"""Hubs as they are, how people change them, and the postcode table in use."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self

from fastapi import Depends, Request, Response
from pydantic import BaseModel, Field, model_validator

from bdcan_chassis.http.auth import Caller, needs
from bdcan_chassis.http.bodies import Body, Slug, Text
from bdcan_chassis.http.guard import Routes
from bdcan_chassis.http.idempotency import OnceOnly
from bdcan_chassis.http.problems import NotFoundError
from bdcan_chassis.http.reading import reading
from bdcan_chassis.transaction import Tx
from bdcan_contracts.models import Ward
from bdcan_routing import store
from bdcan_routing.books import Hubs
from bdcan_routing.domain.hubs import Contacts, Coverage, Hub, HubPlan, Open, configure
from bdcan_routing.domain.wards import ward_name
from bdcan_routing.store.gazetteer import COARSE, Release

Reader = Annotated[Caller, Depends(needs("routing:read"))]
Writer = Annotated[Caller, Depends(needs("routing:write"))]

_TIME = r"^([01]\d|2[0-3]):[0-5]\d$"


class WardIn(Body):
    """A ward: its code, and the year of its boundaries (2002 or 2022)."""

    gss: Annotated[str, Field(pattern=r"^E05\d{6}$")]
    vintage: Annotated[int, Field(ge=2000, le=2100)]


class HoursOfDay(Body):
    """A day of the week (1: Monday) on which the hub is open, in local time."""

    weekday: Annotated[int, Field(ge=1, le=7)]
    opens: Annotated[str, Field(pattern=_TIME)]
    closes: Annotated[str, Field(pattern=_TIME)]

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.opens >= self.closes:
            raise ValueError("it closes after it opens")
        return self


class ContactsIn(Body):
    """How to reach the hub: the organisation's own telephone and e-mail, and nobody's own."""

    phone: Annotated[str, Field(pattern=r"^\+?[0-9 ]{6,20}$")] | None = None
    email: Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$", max_length=100)] | None = None


class HubIn(Body):
    """A hub as it should be. What it does not say beside its name and wards, a hub keeps."""

    name: Annotated[Text, Field(min_length=1, max_length=100)]
    wards: Annotated[list[WardIn], Field(max_length=50)]
    cover: Annotated[list[Slug], Field(max_length=20)] | None = None
    neighbours: Annotated[
        list[Slug] | None,
        Field(max_length=20, description="the hubs next to it, the nearest first; a new hub has its cover"),
    ] = None

    capacity: Annotated[
        dict[Slug, Annotated[int, Field(ge=1, le=100_000)]] | None,
        Field(
            max_length=50,
            description="the most that it can be given in a day: `calls`, or a need's code; no limit for other kinds",
        ),
    ] = None
    hours: Annotated[list[HoursOfDay] | None, Field(max_length=28)] = None
    contacts: ContactsIn | None = None
    version: Annotated[
        int | None, Field(ge=1, description="the version that you saw; needed to change a hub that exists")
    ] = None

    def plan(self, hub_id: str) -> HubPlan:
        """The plan for the hub with this id."""
        return HubPlan(
            hub_id,
            self.name,
            tuple(Ward(gss=ward.gss, vintage=ward.vintage) for ward in self.wards),
            None if self.cover is None else tuple(self.cover),
            neighbours=None if self.neighbours is None else tuple(self.neighbours),
            capacity=self.capacity,
            hours=None
            if self.hours is None
            else tuple(Open(one.weekday, one.opens, one.closes) for one in self.hours),
            contacts=self.contacts and Contacts(self.contacts.phone, self.contacts.email),
        )


class WardOut(BaseModel):
    """A ward, with its name for people."""

    gss: str
    vintage: int
    name: str

    @classmethod
    def of(cls, ward: Ward) -> Self:
        """From the ward."""
        return cls(gss=ward.gss, vintage=ward.vintage, name=ward_name(ward.gss))


class HubOut(BaseModel):
    """A hub as it is. `illustrative`: it came with the software and is no real hub."""

    hub_id: str
    version: int
    name: str
    wards: list[WardOut]
    cover: list[str]
    neighbours: Annotated[list[str], Field(description="the hubs next to it, the nearest first")]
    capacity: dict[str, int]
    hours: list[HoursOfDay]
    contacts: ContactsIn | None = None
    paused: bool
    pause_reason: str | None = None
    closed_at: datetime | None = None
    illustrative: bool
    configured_at: datetime

    @classmethod
    def of(cls, hub: Hub) -> Self:
        """From the hub."""
        return cls(
            hub_id=hub.hub_id,
            version=hub.version,
            name=hub.name,
            wards=[WardOut.of(ward) for ward in hub.wards],
            cover=list(hub.cover),
            neighbours=list(hub.cover if hub.neighbours is None else hub.neighbours),
            capacity=dict(hub.capacity),
            hours=[HoursOfDay(weekday=one.weekday, opens=one.opens, closes=one.closes) for one in hub.hours],
            contacts=hub.contacts and ContactsIn(phone=hub.contacts.phone, email=hub.contacts.email),
            closed_at=hub.closed_at,
            paused=hub.paused,
            pause_reason=hub.pause_reason,
            illustrative=hub.illustrative,
            configured_at=hub.configured_at,
        )


class HubList(BaseModel):
    """Every hub, by id."""

    items: list[HubOut]


class WardCount(BaseModel):
    """How many postcodes of a table lie in a ward. `name` has the year of the boundaries."""

    gss: str
    name: str
    rows: int


class GazetteerOut(BaseModel):
    """The postcode table in use. `coarse`: only the shipped counts; import a release for exact answers."""

    release: str
    kind: str
    coarse: bool
    vintage: int
    rows: int
    rows_in_borough: int
    rows_without_place: Annotated[
        int, Field(description="with no district, or no ward of the borough: their neighbours place them")
    ]
    wards: Annotated[list[WardCount], Field(description="how many of its postcodes lie in each ward")]
    imported_at: datetime
    previous: Annotated[
        str | None, Field(description="the table before it: `previous-gazetteer` goes back to it")
    ] = None

    @classmethod
    def of(cls, release: Release, previous: Release | None = None) -> Self:
        """From the release, and the one before it."""
        return cls(
            release=release.name,
            kind=release.kind,
            coarse=release.kind == COARSE,
            vintage=release.vintage,
            rows=release.unit_count,
            rows_in_borough=release.borough_count,
            rows_without_place=release.unplaced_count,
            wards=[WardCount(gss=gss, name=ward_name(gss), rows=rows) for gss, rows in release.wards.items()],
            previous=previous.name if previous else None,
            imported_at=release.imported_at,
        )


async def changed(hubs: Hubs, hub: Hub, change: str, caller: Caller, reason: str | None = None) -> HubOut:
    """Save a hub that somebody changed, and who did."""
    await hubs.save()
    out = HubOut.of(hub)
    await store.hub_history.record(hubs.tx, hub, out.model_dump(mode="json"), change, caller.name, reason)
    return out


def add_routes(routes: Routes) -> None:
    """Routes about hubs and the postcode table."""

    @routes.get("/hubs")
    async def list_hubs(request: Request, _caller: Reader) -> HubList:
        """Every hub, by id."""
        async with reading(request) as connection:
            return HubList(items=[HubOut.of(hub) for hub in await store.hubs.FIND.all(connection)])

    @routes.put("/hubs/{hub_id}", response_model=HubOut)
    async def configure_hub(hub_id: Slug, body: HubIn, caller: Writer, once: OnceOnly) -> Response:
        """Add a hub or change it. To change one, name the version that you saw (409 without). Referrals that have a hub keep it."""

        async def work(tx: Tx) -> HubOut:
            caller.must_see_hub(None)
            hubs = Hubs(tx)
            await hubs.lock_all()
            before = hubs.get(hub_id)
            step = configure(Coverage.of(hubs), body.plan(hub_id), tx.now, body.version)
            hub = hubs.put(step)
            if not step.events:
                return HubOut.of(hub)
            return await changed(hubs, hub, "changed" if before else "set up", caller)

        return await once(work)

    @routes.get("/gazetteer", tags=["gazetteer"])
    async def show_gazetteer(request: Request, _caller: Reader) -> GazetteerOut:
        """The postcode table in use."""
        async with reading(request) as connection:
            release = await store.gazetteer.ACTIVE.first(connection)
            previous = await store.gazetteer.PREVIOUS.first(connection)
        if release is None:
            raise NotFoundError("No postcode table is loaded yet: `migrate` loads the shipped one.")
        return GazetteerOut.of(release, previous)
