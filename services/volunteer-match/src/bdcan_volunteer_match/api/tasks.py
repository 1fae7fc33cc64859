"""Tasks: what there is to do, and what volunteers say about it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query, Request, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from bdcan_chassis.http.auth import Caller, needs
from bdcan_chassis.http.bodies import Body, Reason, Slug, Text
from bdcan_chassis.http.guard import Routes, terms
from bdcan_chassis.http.idempotency import OnceOnly
from bdcan_chassis.http.paging import Page, PageAsked
from bdcan_chassis.http.problems import NotFoundError
from bdcan_chassis.http.reading import reading, transactions_of
from bdcan_chassis.ids import new_id
from bdcan_chassis.step import Step
from bdcan_chassis.transaction import Tx
from bdcan_contracts.models import Lane, Priority
from bdcan_contracts.vocabulary import NEEDS, Flag, NeedCode
from bdcan_volunteer_match import store
from bdcan_volunteer_match.api.grants import granted
from bdcan_volunteer_match.api.shared import hubs_to_show, known_volunteer, must_be_hub, speaks_for
from bdcan_volunteer_match.books import Calls, Tasks, holders_of
from bdcan_volunteer_match.domain import following
from bdcan_volunteer_match.domain import task as tasking
from bdcan_volunteer_match.domain.call import unknown
from bdcan_volunteer_match.domain.task import Task, TaskState
from bdcan_volunteer_match.domain.volunteer import Volunteer
from bdcan_volunteer_match.settings import Settings
from bdcan_volunteer_match.store.tasks import Concern

Reader = Annotated[Caller, Depends(needs("tasks:read"))]
Writer = Annotated[Caller, Depends(needs("tasks:write"))]


class TaskView(BaseModel):
    """A task. Whoever has accepted it asks intake what to fetch, where, and for whom.

    Intake's disclosure of the purpose `task` takes `task_id`, `volunteer_id` and the `grant`.
    """

    model_config = ConfigDict(from_attributes=True)
    task_id: UUID
    referral_id: UUID
    need_id: UUID | None = None
    parcel_id: UUID | None = None
    kind: str
    hub_id: str
    priority: Priority
    state: TaskState
    requires_dbs: bool
    due_at: datetime
    volunteer_id: UUID | None = None
    offer_expires_at: datetime | None = None
    do_by: datetime | None = Field(default=None, description="an accepted task must be done by then")
    offers_made: int
    failures: int
    unfilled: bool = Field(description="the alarm is on: nobody was found in time")
    returned_because: str | None = Field(default=None, description="why its last volunteer no longer has it")
    stopped_by: str | None = Field(
        default=None, description="nobody may go there until a person has looked at the referral"
    )
    undecided: list[str] = Field(
        description="flags that nobody here knows: the strictest check holds until a flag decision"
    )
    warnings: list[str] = Field(
        description="facts that changed after the volunteer accepted, or `parcel-stopped`: tell them, and look at the disclosure again"
    )

    grant: str | None = Field(
        default=None,
        description="opens at intake for whom it is and where, for 15 minutes and only while the task is in hand. The answer to"
        " an acceptance has it, and the task that its volunteer reads; accepting again gives another",
    )


class ByVolunteer(Body):
    """Who says so. A volunteer's own account says so for that volunteer; people of the hub name the volunteer."""

    volunteer_id: UUID | None = None


class FailureBody(ByVolunteer):
    """Why it could not be done, as a code: the resident's story has no place here."""

    reason: Reason


def _about_safety(code: NeedCode) -> NeedCode:
    if NEEDS[code].lane is not Lane.SAFEGUARDING:
        choices = ", ".join(code for code, known in NEEDS.items() if known.lane is Lane.SAFEGUARDING)
        raise ValueError(f"is not about somebody's safety: choose one of {choices}")
    return code


class FlagDecision(Body):
    """Which known flags stand for those that nobody here knows, and why. None: they ask for no check."""

    flags: list[Flag] = Field(max_length=10)
    reason: Text = Field(min_length=3, max_length=500)


class ConcernBody(Body):
    """What worries the volunteer: which of the safeguarding needs."""

    code: Annotated[NeedCode, AfterValidator(_about_safety)]
    volunteer_id: UUID | None = None


class ConcernView(BaseModel):
    """The concern is on its way to Community Solutions."""

    concern_id: UUID
    task_id: UUID


def router(settings: Settings) -> Routes:
    """The routes."""
    router = Routes(prefix="/v1/tasks", tags=["tasks"])

    @router.get("", response_model_exclude_none=True)
    async def list_tasks(
        request: Request,
        caller: Reader,
        paging: PageAsked,
        state: TaskState | None = None,
        hub: Slug | None = None,
        volunteer: UUID | None = None,
        attention: Annotated[
            bool,
            Query(
                description="only those at which a coordinator must look: stopped, returned, undecided, unfilled, warned"
            ),
        ] = False,
        linked: Annotated[
            bool, Query(description="only those whose resident another referral may be about, too")
        ] = False,
    ) -> Page[TaskView]:
        """Tasks, the soonest due first. A volunteer's account sees those that they are offered, have in hand or have done."""
        due_at, task_id = paging.after(datetime, UUID)
        visible = hubs_to_show(caller, hub)
        if caller.volunteer_id is not None:  # they see no hub, and of all hubs what is theirs
            visible = None
        async with reading(request) as connection:
            await must_be_hub(connection, hub)
            if volunteer is not None:
                await known_volunteer(connection, volunteer, caller)
            found = await store.tasks.FIND.all(
                connection,
                state=state,
                hubs=visible,
                volunteer_id=caller.volunteer_id or volunteer,
                attention=attention,
                linked=linked,
                due_at=due_at,
                task_id=task_id,
                limit=paging.rows,
            )
        return paging.page(found, TaskView.model_validate, lambda task: (task.due_at, task.task_id))

    @router.get("/{task_id}", response_model_exclude_none=True)
    async def show(task_id: UUID, request: Request, caller: Reader) -> TaskView:
        """One task."""
        async with reading(request) as connection:
            found = await store.tasks.TASK.get.first(connection, keys=[task_id])
        if found is None or not is_of(found, caller):
            raise NotFoundError
        shown = TaskView.model_validate(found)
        if caller.volunteer_id is None:
            return shown
        grant = granted(found, caller, settings, transactions_of(request).clock.now())
        return shown.model_copy(update={"grant": grant})

    @router.post("/{task_id}/acceptance", response_model=TaskView)
    async def accept(task_id: UUID, body: ByVolunteer, caller: Writer, once: OnceOnly) -> Response:
        """The volunteer accepts the task, if they may still do it. Accepting again changes nothing, and gives another grant."""
        return await once(lambda tx: _accept(tx, task_id, caller, body, settings))

    @router.post("/{task_id}/refusal", response_model=TaskView)
    async def refuse(task_id: UUID, body: ByVolunteer, caller: Writer, once: OnceOnly) -> Response:
        """The volunteer refuses the task: somebody else is asked."""
        return await once(
            lambda tx: _say(
                tx,
                task_id,
                caller,
                body,
                "refusal",
                lambda t, who: tasking.refuse(t, who.volunteer_id, tx.now),
            )
        )

    @router.post("/{task_id}/undo", response_model=TaskView)
    async def undo(task_id: UUID, body: ByVolunteer, caller: Writer, once: OnceOnly) -> Response:
        """What the volunteer reported was a slip: within 30 minutes they have the offer or the task again."""
        return await once(
            lambda tx: _say(
                tx,
                task_id,
                caller,
                body,
                "undo",
                lambda t, who: tasking.undo_report(t, who, tx.now, tx.calendar),
            )
        )

    @router.post("/{task_id}/failure", response_model=TaskView)
    async def fail(task_id: UUID, body: FailureBody, caller: Writer, once: OnceOnly) -> Response:
        """The volunteer could not do the task: somebody else is asked."""
        return await once(
            lambda tx: _say(
                tx,
                task_id,
                caller,
                body,
                "failure",
                lambda t, who: tasking.report_failure(t, who.volunteer_id, body.reason, tx.now),
            )
        )

    @router.post("/{task_id}/flag-decision", response_model=TaskView)
    async def decide_flags(task_id: UUID, body: FlagDecision, caller: Writer, once: OnceOnly) -> Response:
        """Say what the flags mean that nobody here knows, after asking. The check follows; the decision is recorded."""

        async def work(tx: Tx) -> BaseModel:
            found = await store.tasks.TASK.get.first(tx.connection, keys=[task_id])
            calls, tasks = Calls(tx), Tasks(tx)
            await calls.lock_keys([found.referral_id] if found else [])
            task = await _locked(tasks, task_id, caller)
            call = calls.get(task.referral_id) or unknown(task.referral_id)
            holders = await holders_of(tx, [task])
            decided = tasks.put(
                following.decide_flags(task, call, body.flags, holders.get(task.volunteer_id), tx.now)
            )
            await tasks.save()
            said = f"flags {' '.join(task.undecided)} mean {' '.join(body.flags) or 'nothing'}"
            await store.decisions.record(tx, task_id, said, caller.name, body.reason)
            return TaskView.model_validate(decided)

        return await once(work)

    @router.post(
        "/{task_id}/concerns",
        status_code=201,
        response_model=ConcernView,
        openapi_extra=terms(urgent=True),
    )
    async def raise_concern(task_id: UUID, body: ConcernBody, caller: Writer, once: OnceOnly) -> Response:
        """A volunteer saw something that worries them. Community Solutions gets it at once.

        They may say so long after, of each task that they have ever accepted or refused.
        """
        named = body.volunteer_id
        volunteer_id = speaks_for(caller, named) if named or caller.volunteer_id else None

        return await once(lambda tx: _concern(tx, task_id, body.code, volunteer_id, caller), status=201)

    return router


async def decide_by(
    tx: Tx,
    task_id: UUID,
    caller: Caller,
    named: UUID | None,
    act: str,
    decide: Callable[[Task, Volunteer], Step[Task]],
) -> Task:
    """What a volunteer says, or somebody at the hub for them: decided, saved and written down."""
    volunteer_id = speaks_for(caller, named)
    tasks = Tasks(tx)
    await tasks.lock_keys([task_id])
    task = tasks.get(task_id)
    if task is None or not (is_of(task, caller) or task.was_of(caller.volunteer_id)):
        raise NotFoundError
    # read after the lock of the task: see store
    volunteer = await known_volunteer(tx.connection, volunteer_id, caller, (task.volunteer_id, *task.asked))
    decided = tasks.put(decide(task, volunteer))
    await tasks.save()
    await store.acts.record(tx, task_id, act, volunteer_id, caller.name)
    return decided


async def _accept(tx: Tx, task_id: UUID, caller: Caller, body: ByVolunteer, settings: Settings) -> BaseModel:
    taken = await decide_by(
        tx, task_id, caller, body.volunteer_id, "acceptance", lambda t, who: tasking.accept(t, who, tx.now)
    )
    return _view(taken, granted(taken, caller, settings, tx.now))


async def _say(
    tx: Tx,
    task_id: UUID,
    caller: Caller,
    body: ByVolunteer,
    act: str,
    decide: Callable[[Task, Volunteer], Step[Task]],
) -> BaseModel:
    return _view(await decide_by(tx, task_id, caller, body.volunteer_id, act, decide))


def _view(task: Task, grant: str | None = None) -> TaskView:
    return TaskView.model_validate(task).model_copy(update={"grant": grant})


async def _concern(
    tx: Tx, task_id: UUID, code: NeedCode, volunteer_id: UUID | None, caller: Caller
) -> BaseModel:
    tasks = Tasks(tx)
    await tasks.lock_keys([task_id])
    task = tasks.get(task_id)
    if task is None or not (is_of(task, caller) or await _had(tx, task, caller)):
        raise NotFoundError
    if volunteer_id is not None:
        await known_volunteer(tx.connection, volunteer_id, caller)
    concern = Concern(new_id(), task_id, code, volunteer_id)
    await store.acts.record(tx, task_id, "concern", volunteer_id, caller.name)
    await store.tasks.CONCERN.insert(tx.connection, [concern], tx.now)
    tasks.put(tasking.raise_concern(task, concern.concern_id, concern.code, tx.now))
    await tasks.save()
    return ConcernView(concern_id=concern.concern_id, task_id=task_id)


def is_of(task: Task, caller: Caller) -> bool:
    """Whether a task is the caller's to see: it is in the volunteer's hands, or belongs to a hub of the person."""
    if caller.volunteer_id is not None:
        return task.volunteer_id == caller.volunteer_id
    return caller.sees_hub(task.hub_id)


async def _had(tx: Tx, task: Task, caller: Caller) -> bool:
    """Whether the caller is a volunteer who once had the task."""
    who = caller.volunteer_id
    if who is None:
        return False
    return task.was_of(who) or await store.acts.HAS_ACTED.value(
        tx.connection, task_id=task.task_id, volunteer_id=who
    )


async def _locked(tasks: Tasks, task_id: UUID, caller: Caller) -> Task:
    await tasks.lock_keys([task_id])
    return caller.must_see(tasks.get(task_id))
