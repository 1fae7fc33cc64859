"""Volunteers: who helps where, with what, and when they are not to be asked."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from bdcan_chassis.http.auth import Caller, needs
from bdcan_chassis.http.idempotency import OnceOnly
from bdcan_chassis.http.problems import InvalidError, NotFoundError
from bdcan_chassis.ids import new_id
from bdcan_chassis.transaction import Tx
from bdcan_contracts.envelope import Problem
from bdcan_contracts.models import TaskKind
from bdcan_volunteer_match.api.shared import HUB_ID, After, Body, Limit, hubs_to_show, pool_of
from bdcan_volunteer_match.domain import volunteer as volunteering
from bdcan_volunteer_match.domain.task import take_back
from bdcan_volunteer_match.domain.volunteer import Moved, Offering, Volunteer, VolunteerState
from bdcan_volunteer_match.record import MATCH, record_tasks
from bdcan_volunteer_match.store import tasks, volunteers
from bdcan_volunteer_match.store.volunteers import Person

Reader = Annotated[Caller, Depends(needs("volunteers:read"))]
Writer = Annotated[Caller, Depends(needs("volunteers:write"))]
HubId = Annotated[str, Field(pattern=HUB_ID, max_length=60)]
Text = Annotated[str, Field(pattern=r"^[^\u0000]*$")]


class VolunteerView(BaseModel):
    """A volunteer, without who they are."""

    model_config = ConfigDict(from_attributes=True)
    volunteer_id: UUID
    state: VolunteerState
    version: int
    hub_ids: list[str]
    task_kinds: list[TaskKind]
    dbs_cleared: bool
    has_car: bool
    welcome_by: datetime | None = Field(default=None, description="an enquiry must be answered by then")
    paused_until: datetime | None = None


class VolunteerList(BaseModel):
    """Volunteers. `next` asks for the page that follows; absent on the last."""

    items: list[VolunteerView]
    next: UUID | None = None


class OfferingBody(Body):
    """What they are ready to do, and who they are. Name and telephone number stay in this service's database."""

    hub_ids: list[HubId] = Field(min_length=1, max_length=50)
    task_kinds: list[TaskKind] = Field(min_length=1, max_length=8)
    dbs_cleared: bool = Field(default=False, description="their enhanced DBS check is in force")
    has_car: bool = False
    name: Text | None = Field(default=None, min_length=1, max_length=200)
    phone: Text | None = Field(default=None, min_length=3, max_length=40)


class PauseBody(Body):
    """`until`: asked again from then on; without it, when they are activated again."""

    until: AwareDatetime | None = None


class LookBody(Body):
    """Why somebody must know who a volunteer is; goes to the audit."""

    reason: Text = Field(min_length=3, max_length=500)


class ContactView(BaseModel):
    """Who a volunteer is."""

    volunteer_id: UUID
    name: str | None = None
    phone: str | None = None


def router() -> APIRouter:
    """The routes."""
    router = APIRouter(prefix="/v1/volunteers", tags=["volunteers"])

    @router.get("", response_model_exclude_none=True)
    async def list_volunteers(
        request: Request,
        caller: Reader,
        state: VolunteerState | None = None,
        hub: Annotated[str | None, Query(pattern=HUB_ID, max_length=60)] = None,
        limit: Limit = 50,
        after: After = None,
    ) -> VolunteerList:
        """Volunteers of the caller's hubs, and those who have none yet."""
        visible = hubs_to_show(caller, hub)
        async with pool_of(request).acquire() as connection:
            found = await volunteers.find(connection, state, visible, limit, after)
        return VolunteerList(
            items=[VolunteerView.model_validate(v) for v in found],
            next=found[-1].volunteer_id if len(found) == limit else None,
        )

    @router.post("", status_code=201, response_model=VolunteerView, responses={404: {}})
    async def create(body: OfferingBody, caller: Writer, once: OnceOnly) -> Response:
        """Take on a volunteer who may be asked from now on."""

        async def work(tx: Tx) -> BaseModel:
            return await _activate(tx, Volunteer(new_id()), body, caller)

        return await once(work, status=201)

    @router.post("/{volunteer_id}/activation", response_model=VolunteerView, responses={404: {}, 409: {}})
    async def activate(volunteer_id: UUID, body: OfferingBody, caller: Writer, once: OnceOnly) -> Response:
        """An enquiry becomes a volunteer, a pause ends, or what they offer changes."""

        async def work(tx: Tx) -> BaseModel:
            return await _activate(tx, await _locked(tx, volunteer_id, caller), body, caller)

        return await once(work)

    @router.post("/{volunteer_id}/pause", response_model=VolunteerView, responses={404: {}, 409: {}})
    async def pause(
        volunteer_id: UUID, caller: Writer, once: OnceOnly, body: PauseBody | None = None
    ) -> Response:
        """No offers for now; what was offered goes to somebody else, what they have in hand stays with them."""

        async def work(tx: Tx) -> BaseModel:
            until = body.until if body else None
            if until is not None and until <= tx.now:
                raise InvalidError(
                    "1 field(s) at fault.", errors=[Problem("until", "past", "must lie ahead")]
                )
            moved = volunteering.pause(await _locked(tx, volunteer_id, caller), until, tx.now)
            return await _move(tx, moved, keep_accepted=True)

        return await once(work)

    @router.post("/{volunteer_id}/leave", response_model=VolunteerView, responses={404: {}})
    async def leave(volunteer_id: UUID, caller: Writer, once: OnceOnly) -> Response:
        """They left: their tasks go to others, and their name and number are deleted."""

        async def work(tx: Tx) -> BaseModel:
            moved = volunteering.leave(await _locked(tx, volunteer_id, caller), tx.now)
            return await _move(tx, moved, keep_accepted=False)

        return await once(work)

    @router.post("/{volunteer_id}/contact-views", response_model=ContactView, responses={404: {}})
    async def look(volunteer_id: UUID, body: LookBody, caller: Writer, once: OnceOnly) -> Response:
        """Who a volunteer is, and how to reach them; that somebody looked is written down."""

        async def work(tx: Tx) -> BaseModel:
            await _locked(tx, volunteer_id, caller)
            person = await volunteers.view_person(
                tx.connection, volunteer_id, caller.name, body.reason, tx.now
            )
            if person is None:
                raise NotFoundError("Nothing is known about this volunteer.")
            return ContactView(volunteer_id=volunteer_id, name=person.name, phone=person.phone)

        return await once(work)

    return router


async def _activate(tx: Tx, volunteer: Volunteer, body: OfferingBody, caller: Caller) -> BaseModel:
    for hub_id in body.hub_ids:
        caller.must_see_hub(hub_id)
    offering = Offering(
        tuple(dict.fromkeys(body.hub_ids)),
        tuple(dict.fromkeys(body.task_kinds)),
        body.dbs_cleared,
        body.has_car,
    )
    view = await _move(tx, volunteering.activate(volunteer, offering, tx.now), keep_accepted=True)
    if body.name is not None or body.phone is not None:
        await volunteers.save_person(tx.connection, volunteer.volunteer_id, Person(body.name, body.phone))
    return view


async def _move(tx: Tx, moved: Moved, *, keep_accepted: bool) -> VolunteerView:
    volunteer = moved.volunteer
    await volunteers.save(tx, volunteer)
    for event in moved.events:
        tx.emit(event)
    if volunteer.state is VolunteerState.ACTIVE:
        tx.wake(MATCH)
    else:
        held = await tasks.lock_in_hand(tx, volunteer.volunteer_id)
        given_back = [t for t in held if not (keep_accepted and t.do_by)]
        await record_tasks(
            tx,
            {task.task_id: task for task in held},
            [(take_back(task, "volunteer-left", tx.now), None) for task in given_back],
        )
    return VolunteerView.model_validate(volunteer)


async def _locked(tx: Tx, volunteer_id: UUID, caller: Caller) -> Volunteer:
    volunteer = (await volunteers.lock(tx.connection, [volunteer_id])).get(volunteer_id)
    if volunteer is None or not (
        not volunteer.hub_ids or any(caller.sees_hub(hub_id) for hub_id in volunteer.hub_ids)
    ):
        raise NotFoundError("There is no such volunteer.")
    return volunteer
