"""What came of a task: done, done in part, or the volunteer did not come."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Request, Response
from pydantic import BaseModel, ConfigDict, Field

from bdcan_chassis.http.auth import Caller
from bdcan_chassis.http.bodies import Body
from bdcan_chassis.http.guard import Routes
from bdcan_chassis.http.idempotency import OnceOnly
from bdcan_chassis.http.problems import ForbiddenError, NotFoundError
from bdcan_chassis.http.reading import reading
from bdcan_chassis.step import Step
from bdcan_chassis.transaction import Tx
from bdcan_volunteer_match import store
from bdcan_volunteer_match.api.tasks import ByVolunteer, Reader, TaskView, Writer, decide_by, is_of
from bdcan_volunteer_match.books import Tasks, Volunteers
from bdcan_volunteer_match.domain.completion import (
    FIELDS,
    Completion,
    Handed,
    HowTheyWere,
    Missing,
    did_not_come,
    finish,
)
from bdcan_volunteer_match.domain.task import Task
from bdcan_volunteer_match.domain.volunteer import Volunteer, pause
from bdcan_volunteer_match.metrics import NO_SHOWS, PARTLY_DONE

_Pence = Annotated[int, Field(ge=0, le=50_000)]


class CompletionBody(ByVolunteer):
    """The form of a task that is done. Each kind asks for some of the fields; `missing` says that it was done in part."""

    missing: list[Missing] = Field(
        default=[], max_length=5, description="what was not done: the task is open again for the rest"
    )
    spent_pence: _Pence | None = Field(default=None, description="what was paid in the shop, in pence")
    receipt: bool | None = Field(default=None, description="whether the resident has the receipt")
    change_pence: _Pence | None = Field(default=None, description="the change that was given back, in pence")
    handed: Handed | None = Field(default=None, description="to whom it went")
    bags: int | None = Field(default=None, ge=1, le=50, description="bags that were handed over")
    arrived: bool | None = Field(default=None, description="whether the resident arrived")
    seen: HowTheyWere | None = Field(default=None, description="how the resident was")
    homes: int | None = Field(default=None, ge=0, le=20_000, description="homes that got a leaflet")


class CompletionView(BaseModel):
    """One report of a task."""

    model_config = ConfigDict(from_attributes=True)
    volunteer_id: UUID
    caller: str
    missing: list[str]
    spent_pence: int | None = None
    receipt: bool | None = None
    change_pence: int | None = None
    handed: str | None = None
    bags: int | None = None
    arrived: bool | None = None
    seen: str | None = None
    homes: int | None = None


class Completions(BaseModel):
    """The reports of a task, the newest first. An undone one stays in the list: the state of the task says what holds."""

    items: list[CompletionView]


class NoShowBody(Body):
    """Who was expected: the volunteer who has the task in hand."""

    volunteer_id: UUID


def router() -> Routes:
    """The routes."""
    router = Routes(prefix="/v1/tasks", tags=["tasks"])

    @router.post("/{task_id}/completion", response_model=TaskView)
    async def complete(task_id: UUID, body: CompletionBody, caller: Writer, once: OnceOnly) -> Response:
        """The task is done, or done in part (`missing`): then it is open again. The form depends on the kind of task."""
        return await once(lambda tx: _complete(tx, task_id, body, caller))

    @router.get("/{task_id}/completions", response_model_exclude_none=True)
    async def reports(task_id: UUID, request: Request, caller: Reader) -> Completions:
        """What was reported of the task."""
        async with reading(request) as connection:
            task = await store.tasks.TASK.get.first(connection, keys=[task_id])
            if task is None or not is_of(task, caller):
                raise NotFoundError
            found = await store.completions.OF_TASK.all(connection, task_id=task_id)
        return Completions(items=[CompletionView.model_validate(one) for one in found])

    @router.post("/{task_id}/no-show", response_model=TaskView)
    async def report_no_show(task_id: UUID, body: NoShowBody, caller: Writer, once: OnceOnly) -> Response:
        """The volunteer did not come, as the hub or the resident says. The task is open again for somebody else.

        The volunteer gets no offers until a person has spoken to them and activates them again.
        """
        if caller.volunteer_id is not None:
            raise ForbiddenError("People of the hub report this. Report a failure if you cannot go.")
        return await once(lambda tx: _no_show(tx, task_id, body.volunteer_id, caller))

    return router


async def _complete(tx: Tx, task_id: UUID, body: CompletionBody, caller: Caller) -> BaseModel:
    filled = body.model_dump(include=set(FIELDS), exclude_none=True)
    missing = tuple(dict.fromkeys(body.missing))
    before: list[Task] = []

    def decide(task: Task, who: Volunteer) -> Step[Task]:
        before.append(task)
        return finish(task, who.volunteer_id, filled, missing, tx.now)

    decided = await decide_by(tx, task_id, caller, body.volunteer_id, "completion", decide)
    if decided is not before[0] and decided.last is not None:
        report = Completion(
            task_id,
            decided.referral_id,
            decided.last.volunteer_id,
            caller.name,
            decided.kind,
            missing,
            **filled,
        )
        await store.completions.COMPLETION.insert(tx.connection, [report], tx.now)
        if missing:
            tx.count(PARTLY_DONE.labels(decided.kind))
    return TaskView.model_validate(decided)


async def _no_show(tx: Tx, task_id: UUID, volunteer_id: UUID, caller: Caller) -> BaseModel:
    volunteers, tasks = Volunteers(tx), Tasks(tx)
    await volunteers.lock_keys([volunteer_id])
    await tasks.lock_keys([task_id])
    task = caller.must_see(tasks.get(task_id))
    if task.volunteer_id != volunteer_id:
        raise NotFoundError
    decided = tasks.put(did_not_come(task, tx.now))
    await tasks.save()
    volunteer = volunteers[volunteer_id]
    if not volunteer.suspended:
        volunteers.put(pause(volunteer, None, tx.now))
        await volunteers.save()
    await store.acts.record(tx, task_id, "no-show", volunteer_id, caller.name)
    tx.count(NO_SHOWS.labels(decided.hub_id))
    return TaskView.model_validate(decided)
