"""Rounds: which deliveries of a hub somebody makes on one trip, in which order."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request, Response
from pydantic import BaseModel

from bdcan_chassis.database import Connection
from bdcan_chassis.http.auth import Caller, needs
from bdcan_chassis.http.bodies import Slug
from bdcan_chassis.http.guard import Routes
from bdcan_chassis.http.idempotency import OnceOnly
from bdcan_chassis.http.paging import Page, PageAsked
from bdcan_chassis.http.reading import reading, transactions_of
from bdcan_chassis.ids import new_id
from bdcan_chassis.transaction import Tx
from bdcan_contracts.vocabulary import Reason
from bdcan_volunteer_match import store
from bdcan_volunteer_match.api.planning import Planned, plan_rounds, put_in_order
from bdcan_volunteer_match.api.round_sheet import print_sheet
from bdcan_volunteer_match.api.round_views import (
    LeftOutView,
    OrderBody,
    PlanBody,
    PlanView,
    RoundView,
    view_of,
)
from bdcan_volunteer_match.api.shared import hubs_to_show, must_be_hub
from bdcan_volunteer_match.books import Rounds, Tasks
from bdcan_volunteer_match.domain import rounds as going
from bdcan_volunteer_match.domain import task as tasking
from bdcan_volunteer_match.domain.drops import LeftOut, WhyLeftOut
from bdcan_volunteer_match.domain.rounds import Given, Progress, Round, RoundState
from bdcan_volunteer_match.domain.task import Task
from bdcan_volunteer_match.metrics import LEFT_OUT
from bdcan_volunteer_match.settings import Settings

Reader = Annotated[Caller, Depends(needs("tasks:read"))]
Writer = Annotated[Caller, Depends(needs("tasks:write"))]


def router(settings: Settings) -> Routes:
    """The routes."""
    router = Routes(prefix="/v1/rounds", tags=["rounds"])

    @router.post("", status_code=201, response_model=PlanView)
    async def plan(request: Request, body: PlanBody, caller: Writer, once: OnceOnly) -> Response:
        """Propose rounds for some deliveries. No task changes before a round is confirmed.

        The same tasks, people and times give the same rounds. What nobody can bring is left out, with the reason.
        """
        caller.must_see_hub(body.hub_id)
        planned = await plan_rounds(request, body, caller, settings)

        async def work(tx: Tx) -> BaseModel:
            return await _proposed(tx, planned, caller)

        return await once(work, status=201)

    @router.get("", response_model_exclude_none=True)
    async def list_rounds(
        request: Request,
        caller: Reader,
        paging: PageAsked,
        hub: Slug | None = None,
        state: RoundState | None = None,
        volunteer: UUID | None = None,
        day: date | None = None,
    ) -> Page[RoundView]:
        """Rounds, the earliest first; of a day, those that begin on it. A volunteer's account sees its own."""
        leaves_at, round_id = paging.after(datetime, UUID)
        visible = hubs_to_show(caller, hub) if caller.volunteer_id is None else None
        begins, ends = _day(request, day)
        async with reading(request) as connection:
            await must_be_hub(connection, hub)
            found = await store.rounds.FIND.all(
                connection,
                hubs=visible,
                state=state,
                volunteer_id=caller.volunteer_id or volunteer,
                begins=begins,
                ends=ends,
                leaves_at=leaves_at,
                round_id=round_id,
                limit=paging.rows,
            )
            tasks = await tasks_of(connection, found)
        return paging.page(found, lambda one: view_of(one, tasks), lambda one: (one.leaves_at, one.round_id))

    @router.get("/{round_id}", response_model_exclude_none=True)
    async def show_round(round_id: UUID, request: Request, caller: Reader) -> RoundView:
        """One round, and what became of its stops."""
        async with reading(request) as connection:
            found = await round_to_show(connection, round_id, caller)
            return view_of(found, await tasks_of(connection, [found]))

    @router.post("/{round_id}/confirmation", response_model=RoundView)
    async def confirm(round_id: UUID, caller: Writer, once: OnceOnly) -> Response:
        """The person goes: each stop's task is theirs. What somebody else took meanwhile is left out, and named.

        The rules of an offer hold for each task. An offer that somebody else has not answered is withdrawn.
        """

        async def work(tx: Tx) -> BaseModel:
            rounds = Rounds(tx)
            found = await _locked(rounds, round_id, caller)
            going.must_be_open(found, tx.now)
            tasks = Tasks(tx)
            await tasks.lock_keys(found.task_ids)
            if found.state is RoundState.PROPOSED:
                found = await _given(tx, rounds, found, tasks, caller)
            return view_of(found, {task.task_id: task for task in tasks})

        return await once(work)

    @router.post("/{round_id}/cancellation", response_model=RoundView)
    async def cancel(round_id: UUID, caller: Writer, once: OnceOnly) -> Response:
        """Nobody goes. What is not done yet is open again, and others are asked."""

        async def work(tx: Tx) -> BaseModel:
            rounds = Rounds(tx)
            found = await _locked(rounds, round_id, caller)
            return await _cancelled(tx, rounds, found)

        return await once(work)

    @router.put("/{round_id}/stops", response_model=RoundView)
    async def reorder(
        round_id: UUID, request: Request, body: OrderBody, caller: Writer, once: OnceOnly
    ) -> Response:
        """Put the stops in another order; the times follow. A window that it misses is shown as `late`, and not refused."""
        async with reading(request) as connection:
            before = await round_to_show(connection, round_id, caller)
            tasks = await tasks_of(connection, [before])
        course = await put_in_order(before, tasks, body.task_ids, caller, settings)

        async def work(tx: Tx) -> BaseModel:
            rounds = Rounds(tx)
            found = await _locked(rounds, round_id, caller)
            changed = rounds.put(going.reorder(found, body.version, course, tx.now))
            await rounds.save()
            return view_of(changed, tasks)

        return await once(work)

    _add_sheet(router, settings)
    return router


def _add_sheet(router: Routes, settings: Settings) -> None:
    @router.get(
        "/{round_id}/sheet",
        response_class=Response,
        responses={200: {"content": {"application/pdf": {"schema": {"type": "string", "format": "binary"}}}}},
    )
    async def show_sheet(round_id: UUID, request: Request, caller: Reader) -> Response:
        """The round on paper (PDF): names and addresses as intake discloses them to you now. Each look is in its audit."""
        async with reading(request) as connection:
            found = await round_to_show(connection, round_id, caller)
            tasks = await tasks_of(connection, [found])
        return await print_sheet(request, found, tasks, caller, settings)


async def round_to_show(connection: Connection, round_id: UUID, caller: Caller) -> Round:
    """A round that the caller may see: of their hub, or their own. Raises NotFoundError."""
    found = await store.rounds.ROUND.get.first(connection, keys=[round_id])
    if found is not None and caller.volunteer_id is not None and caller.volunteer_id == found.volunteer_id:
        return found
    return caller.must_see(found)


async def tasks_of(connection: Connection, found: Sequence[Round]) -> dict[UUID, Task]:
    """The tasks of some rounds, by id."""
    ids = {task_id for one in found for task_id in one.task_ids}
    tasks = await store.tasks.TASK.get.all(connection, keys=list(ids)) if ids else []
    return {task.task_id: task for task in tasks}


async def _proposed(tx: Tx, planned: Planned, caller: Caller) -> PlanView:
    rounds, plan_id = Rounds(tx), new_id()
    proposed = [
        rounds.put(
            going.propose(new_id(), plan_id, planned.hub_id, planned.start, doer, course, caller.name, tx.now)
        )
        for doer, course in planned.courses
        if course.stops
    ]
    await rounds.save()
    tx.count(*(LEFT_OUT.labels(one.reason) for one in planned.left_out))
    return PlanView(
        plan_id=plan_id,
        rounds=[view_of(one, planned.tasks) for one in proposed],
        left_out=list(map(LeftOutView.of, planned.left_out)),
        more=planned.more,
    )


async def _given(tx: Tx, rounds: Rounds, found: Round, tasks: Tasks, caller: Caller) -> Round:
    """Give each task to whoever goes. The volunteer is read after the lock of the tasks: see store."""
    volunteer = await store.volunteers.VOLUNTEER.get.first(tx.connection, keys=[found.volunteer_id])
    left_out: list[LeftOut] = []
    given: list[Given] = []
    for task_id in found.task_ids:
        how = volunteer and going.give(tasks.get(task_id), found.hub_id, volunteer, tx.now, tx.calendar)
        if how is None or isinstance(how, WhyLeftOut):
            left_out.append(LeftOut(task_id, how or WhyLeftOut.NOBODY_MAY))
            continue
        given.append(how)
        await store.acts.record(tx, task_id, "acceptance", found.volunteer_id, caller.name)
    for how in given:
        if how.withdrawn:
            tasks.put(how.withdrawn)
    await tasks.save()
    for how in given:
        if how.offered:
            tasks.put_offer(how.offered, going.offer_of(how.offered.state, tx.now, caller.name))
    await tasks.save()
    for how in given:
        if how.accepted:
            tasks.put(how.accepted)
    await tasks.save()
    confirmed = rounds.put(going.confirm(found, left_out, tx.now))
    await rounds.save()
    tx.count(*(LEFT_OUT.labels(one.reason) for one in left_out))
    return confirmed


async def _cancelled(tx: Tx, rounds: Rounds, found: Round) -> RoundView:
    """Cancel a round; what is not done yet is open again."""
    tasks = Tasks(tx)
    await tasks.lock_keys(found.task_ids)
    if found.state is RoundState.CONFIRMED:
        for task in tasks:
            if going.progress(found, task) is Progress.TO_DO:
                tasks.put(tasking.withhold(task, Reason.ROUND_CANCELLED, tx.now))
    await tasks.save()
    cancelled = rounds.put(going.cancel(found, tx.now))
    await rounds.save()
    return view_of(cancelled, {task.task_id: task for task in tasks})


async def _locked(rounds: Rounds, round_id: UUID, caller: Caller) -> Round:
    await rounds.lock_keys([round_id])
    return caller.must_see(rounds.get(round_id))


def _day(request: Request, day: date | None) -> tuple[datetime | None, datetime | None]:
    if day is None:
        return None, None
    calendar = transactions_of(request).calendar
    return calendar.instant(day, time(0)), calendar.instant(day + timedelta(days=1), time(0))
