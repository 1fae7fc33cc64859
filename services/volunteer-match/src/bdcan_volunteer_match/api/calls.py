"""Welfare calls: which are to be made, who makes one, what came of it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from bdcan_chassis.http.auth import Caller, needs
from bdcan_chassis.http.bodies import Body, Slug
from bdcan_chassis.http.idempotency import OnceOnly
from bdcan_chassis.http.paging import Page, PageAsked, Paging
from bdcan_chassis.http.reading import reading, transactions_of
from bdcan_chassis.step import Step
from bdcan_chassis.transaction import Tx
from bdcan_contracts.models import CallNeedResult, Code, Household, Lane, Priority, WelfareCallCompleted
from bdcan_contracts.vocabulary import CallOutcome, Diet, Flag, NeedCode
from bdcan_volunteer_match import store
from bdcan_volunteer_match.api.shared import hubs_to_show
from bdcan_volunteer_match.books import Calls, Tasks, holders_of
from bdcan_volunteer_match.domain import report
from bdcan_volunteer_match.domain import task as tasking
from bdcan_volunteer_match.domain.call import CallState, WelfareCall, claim
from bdcan_volunteer_match.domain.following import follow
from bdcan_volunteer_match.domain.report import Answer, Finding
from bdcan_volunteer_match.store.calls import Attempt, UncountedAttempt

Reader = Annotated[Caller, Depends(needs("calls:read"))]
Writer = Annotated[Caller, Depends(needs("calls:write"))]


class AskedNeed(BaseModel):
    """A need that the call asks about."""

    model_config = ConfigDict(from_attributes=True)
    need_id: UUID
    code: str
    lane: Lane


class HouseholdBody(Body):
    """Who lives there. Babies under one year eat other food."""

    adults: int = Field(ge=0, le=20)
    children: int = Field(default=0, ge=0, le=20)
    infants: int = Field(default=0, ge=0, le=20)


class CallView(BaseModel):
    """A welfare call. Intake discloses whom to call, by `referral_id` and for the purpose `welfare_call`."""

    model_config = ConfigDict(from_attributes=True)
    call_id: UUID
    referral_id: UUID
    hub_id: str
    state: CallState
    priority: Priority
    attempts: int = Field(description="calls of this round so far")
    not_before: datetime = Field(description="the slot of the next call begins")
    due_at: datetime = Field(description="the next call is due")
    needs: list[AskedNeed] = Field(validation_alias="asks", description="what to ask about")
    household: Household | None = None
    diets: list[str]
    flags: list[str]
    confirm_address: bool = Field(
        validation_alias="confirm_at_call", description="the hub was guessed: ask for the address"
    )
    outreach: bool
    claimed_by: str | None = None
    claim_expires_at: datetime | None = None
    warnings: list[str] = Field(description="facts that changed since the call was claimed")
    review: str | None = Field(default=None, description="why a coordinator must look before anybody rings")
    review_by: datetime | None = Field(default=None, description="a coordinator must have looked by then")
    review_overdue: bool = Field(description="the alarm is on: nobody has looked in time")


class FindingBody(Body):
    """What the resident said about one need. A need that was `found` has no id yet."""

    need_id: UUID | None = None
    code: Annotated[Code, Field(examples=list(NeedCode))]
    result: CallNeedResult


class OutcomeBody(Body):
    """What came of a call. A need that is not named is confirmed.

    Intake amends the referral by what was corrected. It alone keeps notes, addresses and telephone numbers: send a note to
    intake's `POST /v1/referrals/{referral_id}/notes`.
    """

    outcome: CallOutcome
    needs: list[FindingBody] = Field(default=[], max_length=30)
    household: HouseholdBody | None = None
    diets: list[Diet] | None = Field(default=None, max_length=11)
    flags: list[Flag] | None = Field(
        default=None, max_length=20, description="all of them, as the resident said"
    )
    priority: Priority | None = None
    consent: bool | None = Field(default=None, description="whether the resident agrees to be contacted")
    next_attempt_at: AwareDatetime | None = Field(default=None, description="with `rescheduled`: when")


class OutcomeView(BaseModel):
    """The state of the call after the report. `next_attempt_at`: when to call again."""

    call_id: UUID
    referral_id: UUID
    state: CallState
    attempts: int
    counted: bool = Field(
        description="false: it was before the slot of the call, or at an hour at which nobody may be rung"
    )
    next_attempt_at: datetime | None = None
    task_ids: list[UUID] = Field(description="tasks that the call opened")


def router() -> APIRouter:
    """The routes."""
    router = APIRouter(prefix="/v1/welfare-calls", tags=["welfare calls"])

    @router.get("", response_model_exclude_none=True)
    async def list_calls(
        request: Request,
        caller: Reader,
        paging: PageAsked,
        hub: Slug | None = None,
        state: Annotated[
            CallState | None, Query(description="`due`: all that should be made now, after a miss as well")
        ] = None,
        review: Annotated[
            bool, Query(description="all at which a coordinator must look, the soonest first")
        ] = False,
    ) -> Page[CallView]:
        """Calls, the soonest due first."""
        due_at, referral_id = paging.after(datetime, UUID)
        if review:
            return await _reviews(request, paging, hubs_to_show(caller, hub), due_at, referral_id)
        page = {
            "hubs": hubs_to_show(caller, hub),
            "due_at": due_at,
            "referral_id": referral_id,
            "limit": paging.rows,
        }
        async with reading(request) as connection:
            if state is CallState.DUE:
                now = transactions_of(request).clock.now()
                found = await store.calls.FIND_DUE.all(connection, now=now, **page)
            else:
                found = await store.calls.FIND.all(connection, state=state, **page)
        return paging.page(found, CallView.model_validate, lambda call: (call.due_at, call.referral_id))

    @router.get("/{call_id}", response_model_exclude_none=True)
    async def show(call_id: UUID, request: Request, caller: Reader) -> CallView:
        """One call."""
        async with reading(request) as connection:
            call = await store.calls.GET_ROUND.first(connection, call_id=call_id)
        return CallView.model_validate(_visible(call, caller))

    @router.post("/{call_id}/claim", response_model=CallView)
    async def claim_call(call_id: UUID, caller: Writer, once: OnceOnly) -> Response:
        """Take a call for 30 minutes, so that nobody else calls the same person."""

        async def work(tx: Tx) -> BaseModel:
            calls = Calls(tx)
            claimed = calls.put(claim(await locked_call(calls, call_id, caller), caller.name, tx.now))
            await calls.save()
            return CallView.model_validate(claimed)

        return await once(work)

    @router.post("/{call_id}/outcome", response_model=OutcomeView)
    async def report_outcome(call_id: UUID, body: OutcomeBody, caller: Writer, once: OnceOnly) -> Response:
        """Report what came of a call that the caller has claimed."""

        async def work(tx: Tx) -> BaseModel:
            calls = Calls(tx)
            call = await locked_call(calls, call_id, caller)
            match body.outcome:
                case CallOutcome.ANSWERED:
                    step = report.answered(call, caller.name, _answer(body), tx.now)
                case CallOutcome.REFUSED:
                    step = report.refused(call, caller.name, tx.now)
                case outcome:
                    step = report.unanswered(
                        call, caller.name, outcome, body.next_attempt_at, tx.now, tx.calendar
                    )
            settled = calls.put(step)
            await calls.save()
            reached = settled.state is CallState.ANSWERED
            counted = reached or settled.attempts > call.attempts
            await _note(tx, call, settled, body.outcome, caller)
            waits = settled.state in (CallState.DUE, CallState.UNANSWERED)
            return OutcomeView(
                call_id=settled.call_id,
                referral_id=settled.referral_id,
                state=settled.state,
                attempts=settled.attempts,
                counted=counted,
                next_attempt_at=settled.not_before if waits else None,
                task_ids=await _settle_tasks(tx, call, step) if reached else [],
            )

        return await once(work)

    return router


async def _note(
    tx: Tx, call: WelfareCall, settled: WelfareCall, outcome: CallOutcome, caller: Caller
) -> None:
    """Write down that somebody rang."""
    if settled.attempts > call.attempts:
        made = Attempt(call.call_id, settled.attempts, call.referral_id, outcome, caller.name)
        await store.calls.ATTEMPT.insert(tx.connection, [made], tx.now)
    else:
        slip = UncountedAttempt(call.call_id, call.referral_id, outcome, caller.name)
        await store.calls.UNCOUNTED.insert(tx.connection, [slip], tx.now)


async def _reviews(
    request: Request,
    paging: Paging,
    hubs: list[str] | None,
    review_by: datetime | None,
    referral_id: UUID | None,
) -> Page[CallView]:
    async with reading(request) as connection:
        found = await store.calls.FIND_REVIEWS.all(
            connection, hubs=hubs, review_by=review_by, referral_id=referral_id, limit=paging.rows
        )
    return paging.page(found, CallView.model_validate, lambda call: (call.review_by, call.referral_id))


async def _settle_tasks(tx: Tx, before: WelfareCall, reported: Step[WelfareCall]) -> list[UUID]:
    """Live tasks follow what the resident said; needs without one get a task. Returns the tasks that were opened."""
    call = reported.state
    needs = [n for e in reported.events if isinstance(e, WelfareCallCompleted) for n in e.needs]
    tasks = Tasks(tx)
    earlier = await tasks.lock(store.tasks.LOCK_ALL_OF, referral_ids=[call.referral_id])
    holders = await holders_of(tx, earlier)
    for task in earlier:
        tasks.put(tasking.hear(task, needs, tx.now))
        tasks.put(follow(tasks[task.task_id], before, call, holders.get(task.volunteer_id), tx.now))
    steps = [tasking.for_need(call, need, tx.now, list(tasks)) for need in needs]
    opened = [tasks.put(step).task_id for step in steps if step is not None]
    await tasks.save()
    return opened


async def locked_call(calls: Calls, call_id: UUID, caller: Caller) -> WelfareCall:
    """The referral whose present round this is, locked. Raises NotFoundError."""
    found = await calls.lock(store.calls.LOCK_ROUND, call_id=call_id)
    return _visible(found[0] if found else None, caller)


def _visible(call: WelfareCall | None, caller: Caller) -> WelfareCall:
    return caller.must_see(call if call and call.hub_id and call.due_at else None)


def _answer(body: OutcomeBody) -> Answer:
    return Answer(
        findings=tuple(Finding(n.code, n.result, n.need_id) for n in body.needs),
        household=body.household and Household(**body.household.model_dump()),
        diets=None if body.diets is None else tuple(dict.fromkeys(body.diets)),
        flags=None if body.flags is None else tuple(dict.fromkeys(body.flags)),
        priority=body.priority,
        consent=body.consent,
    )
