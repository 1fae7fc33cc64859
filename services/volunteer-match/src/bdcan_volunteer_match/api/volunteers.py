"""Volunteers: who helps where, with what, and when they are not to be asked."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from fastapi import Depends, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from bdcan_chassis.audit import Act
from bdcan_chassis.http.auth import Caller, needs
from bdcan_chassis.http.bodies import Body, Reason, Slug, Text
from bdcan_chassis.http.guard import Routes
from bdcan_chassis.http.idempotency import OnceOnly
from bdcan_chassis.http.paging import Page, PageAsked
from bdcan_chassis.http.problems import InvalidError, NotFoundError
from bdcan_chassis.http.reading import reading, transactions_of
from bdcan_chassis.ids import new_id
from bdcan_chassis.step import Step
from bdcan_chassis.transaction import Tx
from bdcan_contracts.envelope import Problem
from bdcan_contracts.vocabulary import TaskKind
from bdcan_volunteer_match import store
from bdcan_volunteer_match.api.profiles import PersonBody, SlotBody, save_person
from bdcan_volunteer_match.api.shared import hubs_to_show, must_be_hub, sees_volunteer
from bdcan_volunteer_match.books import Volunteers
from bdcan_volunteer_match.domain import volunteer as volunteering
from bdcan_volunteer_match.domain.volunteer import Offering, Volunteer, VolunteerState

Reader = Annotated[Caller, Depends(needs("volunteers:read"))]
Writer = Annotated[Caller, Depends(needs("volunteers:write"))]


class PartView(BaseModel):
    """What one hub has agreed with a volunteer."""

    model_config = ConfigDict(from_attributes=True)
    hub_id: str
    task_kinds: list[str]
    checked: bool
    check_ends_at: datetime | None = None


class VolunteerView(BaseModel):
    """A volunteer, without who they are."""

    volunteer_id: UUID
    state: VolunteerState
    version: int
    hub_ids: list[str]
    task_kinds: list[str]
    dbs_cleared: bool = Field(description="a hub of the caller has seen a check that is in force")
    dbs_expires_at: datetime | None = Field(
        default=None,
        description="the check is in force until then; with `dbs_cleared` false: it ran out then",
    )
    parts: list[PartView] = Field(description="what each hub of the caller has agreed, and seen")
    has_car: bool
    welcome_by: datetime | None = Field(default=None, description="an enquiry must be answered by then")
    paused_until: datetime | None = None
    suspended: bool = Field(description="a concern is looked into: no task until a person activates them")
    on_duty: bool = Field(description="whether they want offers now")
    sector: str | None = Field(default=None, description="where they live, such as RM10 8")
    travels: str | None = None
    radius_m: int | None = Field(default=None, description="how far from home they help, in metres")
    languages: list[str] = []
    availability: list[SlotBody] = Field(
        default=[], description="time that they have every week, in local time; empty: any time"
    )
    weekly_offers: int = Field(description="offers that they want in seven days at most")
    cautions: list[str] = Field(default=[], description="what to respect when they are asked")

    @classmethod
    def of(cls, volunteer: Volunteer, caller: Caller) -> Self:
        """The volunteer as a caller may see them: the check, as the caller's own hubs have seen it."""
        mine = [part for part in volunteer.agreed if caller.sees_hub(part.hub_id)]
        ends = [part.check_ends_at for part in mine if part.check_ends_at is not None]
        fields = {name: getattr(volunteer, name) for name in cls.model_fields if name != "parts"}
        return cls.model_validate(
            fields
            | {
                "dbs_cleared": any(part.checked for part in mine),
                "dbs_expires_at": min(ends, default=None),
                "parts": list(map(PartView.model_validate, mine)),
            }
        )


class OfferingBody(PersonBody):
    """What a volunteer has agreed to do for some hubs, and who they are. Name and number stay in this service's database.

    What they have agreed with hubs that the caller does not see stays as it is. A check is recorded by itself.
    """

    hub_ids: list[Slug] = Field(min_length=1, max_length=50)
    task_kinds: list[TaskKind] = Field(min_length=1, max_length=8)


class PauseBody(Body):
    """`until`: when offers start again. Without it, they start again at the next activation."""

    until: AwareDatetime | None = None


class SuspensionBody(Body):
    """Why, as a code: the story has no place here."""

    reason: Reason


class LookBody(Body):
    """Why somebody must know who a volunteer is. It is kept for the audit."""

    reason: Text = Field(min_length=3, max_length=500)


class ContactView(BaseModel):
    """Who a volunteer is."""

    volunteer_id: UUID
    name: str | None = None
    phone: str | None = Field(default=None, description="as it was typed")
    phone_e164: str | None = Field(default=None, description="as it is dialled")
    postcode: str | None = None


def router() -> Routes:
    """The routes."""
    router = Routes(prefix="/v1/volunteers", tags=["volunteers"])

    @router.get("", response_model_exclude_none=True)
    async def list_volunteers(
        request: Request,
        caller: Reader,
        paging: PageAsked,
        state: VolunteerState | None = None,
        hub: Slug | None = None,
    ) -> Page[VolunteerView]:
        """Volunteers of the caller's hubs, and those who have none yet."""
        (volunteer_id,) = paging.after(UUID)
        visible = hubs_to_show(caller, hub)
        async with reading(request) as connection:
            await must_be_hub(connection, hub)
            found = await store.volunteers.FIND.all(
                connection, state=state, hubs=visible, volunteer_id=volunteer_id, limit=paging.rows
            )
        return paging.page(found, lambda one: VolunteerView.of(one, caller), lambda one: (one.volunteer_id,))

    @router.post("", status_code=201, response_model=VolunteerView)
    async def create(body: OfferingBody, caller: Writer, once: OnceOnly) -> Response:
        """Add a volunteer who may be asked from now on."""

        async def work(tx: Tx) -> BaseModel:
            return await _activate(Volunteers(tx), Volunteer(new_id()), body, caller)

        return await once(work, status=201)

    @router.post("/{volunteer_id}/activation", response_model=VolunteerView)
    async def activate(volunteer_id: UUID, body: OfferingBody, caller: Writer, once: OnceOnly) -> Response:
        """An enquiry becomes a volunteer, a pause ends, or what they offer changes."""

        async def work(tx: Tx) -> BaseModel:
            volunteers = Volunteers(tx)
            return await _activate(
                volunteers, await locked_volunteer(volunteers, volunteer_id, caller), body, caller
            )

        return await once(work)

    @router.post("/{volunteer_id}/pause", response_model=VolunteerView)
    async def pause(
        volunteer_id: UUID, caller: Writer, once: OnceOnly, body: PauseBody | None = None
    ) -> Response:
        """No offers for now. What was offered goes to somebody else; what was accepted stays."""

        async def work(tx: Tx) -> BaseModel:
            until = body.until if body else None
            if until is not None and until <= tx.now:
                raise InvalidError.of(Problem("until", "past", "must lie ahead"))
            volunteers = Volunteers(tx)
            volunteer = await locked_volunteer(volunteers, volunteer_id, caller)
            return await save_volunteer(volunteers, volunteering.pause(volunteer, until, tx.now), caller)

        return await once(work)

    @router.post("/{volunteer_id}/suspension", response_model=VolunteerView)
    async def suspend(volunteer_id: UUID, body: SuspensionBody, caller: Writer, once: OnceOnly) -> Response:
        """There is a concern about the volunteer: their tasks go to others at once. An activation lifts it."""

        async def work(tx: Tx) -> BaseModel:
            volunteers = Volunteers(tx)
            volunteer = await locked_volunteer(volunteers, volunteer_id, caller)
            await store.decisions.record(tx, volunteer_id, "suspension", caller.name, body.reason)
            return await save_volunteer(
                volunteers, volunteering.suspend(volunteer, caller.visible_hubs, tx.now), caller
            )

        return await once(work)

    @router.post("/{volunteer_id}/leave", response_model=VolunteerView)
    async def leave(volunteer_id: UUID, caller: Writer, once: OnceOnly) -> Response:
        """The volunteer leaves the caller's hubs, and their tasks there go to others.

        Where no other hub is left they leave for good: their name and telephone number are deleted.
        """

        async def work(tx: Tx) -> BaseModel:
            volunteers = Volunteers(tx)
            volunteer = await locked_volunteer(volunteers, volunteer_id, caller)
            return await save_volunteer(
                volunteers, volunteering.leave(volunteer, caller.visible_hubs, tx.now), caller
            )

        return await once(work)

    @router.post("/{volunteer_id}/contact-views")
    async def look(volunteer_id: UUID, body: LookBody, request: Request, caller: Writer) -> ContactView:
        """Who a volunteer is, and how to reach them. Each look is recorded; the answer is stored nowhere."""
        async with transactions_of(request).begin(request.state.traceparent) as tx:
            await locked_volunteer(Volunteers(tx), volunteer_id, caller)
            person = await store.volunteers.PERSON.first(tx.connection, volunteer_id=volunteer_id)
            if person is None:
                raise NotFoundError
            tx.audit(Act.CONTACT_SHOWN, caller.name, volunteer_id, body.reason)
        return ContactView(
            volunteer_id=volunteer_id,
            name=person.name,
            phone=person.phone,
            phone_e164=person.phone_e164,
            postcode=person.postcode,
        )

    return router


async def _activate(
    volunteers: Volunteers, volunteer: Volunteer, body: OfferingBody, caller: Caller
) -> BaseModel:
    for hub_id in body.hub_ids:
        caller.must_see_hub(hub_id)
    await _must_fit(body, volunteers.tx)
    profile = body.profile()
    offering = Offering(tuple(dict.fromkeys(body.hub_ids)), tuple(dict.fromkeys(body.task_kinds)), profile)
    tx = volunteers.tx
    view = await save_volunteer(
        volunteers, volunteering.activate(volunteer, offering, caller.visible_hubs, tx.now), caller
    )
    await save_person(tx, volunteer.volunteer_id, body, profile)
    return view


async def _must_fit(body: OfferingBody, tx: Tx) -> None:
    """Raise InvalidError for a hub that routing has not announced."""
    hubs = {hub.hub_id for hub in await store.hubs.FIND.all(tx.connection)}
    if not hubs:  # the topic of hubs has not been read yet: transient, so the answer is 503
        raise ConnectionError("routing has announced no hub yet")
    problems = [
        Problem(f"hub_ids.{place}", "unknown", "is not a hub: see the list of hubs")
        for place, hub_id in enumerate(body.hub_ids)
        if hub_id not in hubs
    ]
    if problems:
        raise InvalidError.of(*problems)


async def save_volunteer(volunteers: Volunteers, step: Step[Volunteer], caller: Caller) -> VolunteerView:
    """Save a change; returns the volunteer as the caller may see them."""
    volunteer = volunteers.put(step)
    await volunteers.save()
    return VolunteerView.of(volunteer, caller)


async def locked_volunteer(volunteers: Volunteers, volunteer_id: UUID, caller: Caller) -> Volunteer:
    """The volunteer, locked. Raises NotFoundError for one whom the caller may not see."""
    await volunteers.lock_keys([volunteer_id])
    volunteer = volunteers.get(volunteer_id)
    if volunteer is None or not sees_volunteer(caller, volunteer):
        raise NotFoundError
    return volunteer
