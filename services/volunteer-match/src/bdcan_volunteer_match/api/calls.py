"""Welfare calls: which are to be made, who makes one, what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from bdcan_chassis.database import Connection
from bdcan_chassis.grants import Grant
from bdcan_chassis.http.auth import Caller, needs
from bdcan_chassis.http.bodies import Body, Reason, Slug
from bdcan_chassis.http.guard import Routes
from bdcan_chassis.http.idempotency import OnceOnly
from bdcan_chassis.http.paging import Page, PageAsked, Paging
from bdcan_chassis.http.reading import reading, transactions_of
from bdcan_chassis.step import Step
from bdcan_chassis.transaction import Tx
from bdcan_contracts.models import CallNeedResult, Code, Household, Lane, Priority, WelfareCallCompleted
from bdcan_contracts.vocabulary import CallOutcome, Diet, Flag, NeedCode
from bdcan_volunteer_match import store
from bdcan_volunteer_match.api.shared import hubs_to_show, must_be_hub
from bdcan_volunteer_match.books import Calls, Tasks, holders_of
from bdcan_volunteer_match.domain import report
from bdcan_volunteer_match.domain import task as tasking
from bdcan_volunteer_match.domain.call import LIVE, CallState, WelfareCall, give_up, release
from bdcan_volunteer_match.domain.call_list import Urgency, urgency_of
from bdcan_volunteer_match.domain.following import follow
from bdcan_volunteer_match.domain.joining import (
    Likeness,
    answers_of,
    claim_all,
    claimed_together,
    counts_for,
    linked,
    same_person,
    shares_call,
)
from bdcan_volunteer_match.domain.report import Answer, Finding
from bdcan_volunteer_match.settings import Settings
from bdcan_volunteer_match.store.calls import Attempt, UncountedAttempt

Reader = Annotated[Caller, Depends(needs("calls:read"))]
Writer = Annotated[Caller, Depends(needs("calls:write"))]


class AskedNeed(BaseModel):
    """A need that the call asks about."""

    model_config = ConfigDict(from_attributes=True)
    need_id: UUID
    code: str
    lane: Lane


class LinkedView(BaseModel):
    """Another referral that may be about the same person, or about somebody of the same household: a person decides."""

    referral_id: UUID
    call_id: UUID
    likeness: Likeness
    state: CallState
    shares_call: bool = Field(description="one call is about both: report what was said about its needs, too")
    needs: list[AskedNeed] = Field(description="what to ask about")
    review: str | None = Field(default=None, description="why a coordinator must look at it")
    last_outcome: str | None = Field(default=None, description="what came of its last call")
    last_called_at: datetime | None = None


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
    urgency: Urgency | None = Field(
        default=None, description="the group of the list of calls; absent where nobody has to ring"
    )
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
    same_person_ids: list[UUID] = Field(description="referrals that may be about the same person")
    same_household_ids: list[UUID] = Field(description="referrals that may be about the same household")
    grant: str | None = Field(
        default=None,
        description="of the answer to a claim: send it with intake's disclosure `welfare_call` while the claim holds",
    )
    linked: list[LinkedView] = Field(
        default=[], validation_alias="shown_links", description="those of them that the caller may see"
    )


class ReleaseBody(Body):
    """Why somebody else's claim ends, as a code. Nobody needs a reason for their own."""

    reason: Reason | None = None


class FindingBody(Body):
    """What the resident said about one need. A need that was `found` has no id yet."""

    need_id: UUID | None = None
    code: Annotated[Code, Field(examples=list(NeedCode))]
    result: CallNeedResult


class OutcomeBody(Body):
    """What came of a call. A need that is not named is confirmed, also one of a referral that shares the call.

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


class SharedOutcome(BaseModel):
    """Another referral that shared the call. `counted`: the outcome counts for it; otherwise it is on the list again."""

    model_config = ConfigDict(from_attributes=True)
    call_id: UUID
    referral_id: UUID
    state: CallState
    counted: bool
    next_attempt_at: datetime | None = None


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
    shared_with: list[SharedOutcome] = Field(description="other referrals that shared the call")


def router(settings: Settings) -> Routes:
    """The routes."""
    router = Routes(prefix="/v1/welfare-calls", tags=["welfare calls"])

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
        linked: Annotated[
            bool, Query(description="only those whose resident another referral may be about, too")
        ] = False,
        referral: Annotated[UUID | None, Query(description="the call of this referral alone")] = None,
    ) -> Page[CallView]:
        """Calls, the soonest due first."""
        due_at, referral_id = paging.after(datetime, UUID)
        now = transactions_of(request).clock.now()
        if referral is not None:
            return await _of_referral(request, referral, caller, now)
        if review:
            async with reading(request) as connection:
                await must_be_hub(connection, hub)
            return await _reviews(
                request, paging, caller, hubs_to_show(caller, hub), due_at, referral_id, now
            )
        page = {
            "hubs": hubs_to_show(caller, hub),
            "due_at": due_at,
            "referral_id": referral_id,
            "linked": linked,
            "limit": paging.rows,
        }
        async with reading(request) as connection:
            await must_be_hub(connection, hub)
            if state is CallState.DUE:
                found = await store.calls.FIND_DUE.all(connection, now=now, **page)
            else:
                found = await store.calls.FIND.all(connection, state=state, **page)
            views = await views_of(connection, found, caller, now)
        return paging.page(found, views.__getitem__, lambda call: (call.due_at, call.referral_id))

    @router.get("/{call_id}", response_model_exclude_none=True)
    async def show(call_id: UUID, request: Request, caller: Reader) -> CallView:
        """One call."""
        async with reading(request) as connection:
            call = _visible(await store.calls.GET_ROUND.first(connection, call_id=call_id), caller)
            return await view_of(connection, call, caller, transactions_of(request).clock.now())

    @router.post("/{call_id}/claim", response_model=CallView)
    async def claim_call(call_id: UUID, caller: Writer, once: OnceOnly) -> Response:
        """Take a call for 30 minutes, so that nobody else calls the same person. Referrals that share it come with it."""
        return await once(lambda tx: claimed(Calls(tx), call_id, caller, settings))

    @router.post("/{call_id}/release", response_model=CallView)
    async def release_call(call_id: UUID, body: ReleaseBody, caller: Writer, once: OnceOnly) -> Response:
        """End a claim: the call is on the list again, with those that were claimed with it.

        Somebody else's claim is ended for a reason, which is kept.
        """
        return await once(lambda tx: _release(Calls(tx), call_id, body.reason, caller))

    @router.post("/{call_id}/outcome", response_model=OutcomeView)
    async def report_outcome(call_id: UUID, body: OutcomeBody, caller: Writer, once: OnceOnly) -> Response:
        """Report what came of a call that the caller has claimed."""

        async def work(tx: Tx) -> BaseModel:
            calls = Calls(tx)
            call, others = await locked_calls(calls, call_id, caller)
            together = claimed_together(call, others, caller.name)
            steps = _steps(call, together, body, caller.name, tx)
            for step in steps:
                calls.put(step)
            await calls.save()
            reports = list(zip([call, *together], steps, strict=True))
            for before, step in reports:
                if step.state.last is not before.last:
                    await _note(tx, before, step.state, body.outcome, caller)
            settled = steps[0].state
            reached = [(before, step) for before, step in reports if step.state.state is CallState.ANSWERED]
            return OutcomeView(
                call_id=settled.call_id,
                referral_id=settled.referral_id,
                state=settled.state,
                attempts=settled.attempts,
                counted=_counted(call, settled),
                next_attempt_at=_next_attempt(settled),
                task_ids=await _settle_tasks(tx, reached) if reached else [],
                shared_with=[
                    SharedOutcome(
                        call_id=step.state.call_id,
                        referral_id=step.state.referral_id,
                        state=step.state.state,
                        counted=_counted(before, step.state),
                        next_attempt_at=_next_attempt(step.state),
                    )
                    for before, step in reports[1:]
                ],
            )

        return await once(work)

    return router


async def claimed(calls: Calls, call_id: UUID, caller: Caller, settings: Settings) -> CallView:
    """The call, which the caller has claimed now, with the grant for name and number. Raises NotAllowedError."""
    tx = calls.tx
    call, others = await locked_calls(calls, call_id, caller)
    taken = [calls.put(step) for step in claim_all(call, others, caller.name, tx.now)]
    await calls.save()
    view = await view_of(tx.connection, taken[0], caller, tx.now)
    grant = _grant([*taken, *claimed_together(taken[0], others, caller.name)], caller, tx.now)
    return view.model_copy(update={"grant": settings.grant_keys.sign(grant)})


async def _release(calls: Calls, call_id: UUID, reason: str | None, caller: Caller) -> CallView:
    call, others = await locked_calls(calls, call_id, caller)
    for one in (call, *claimed_together(call, others, call.claimed_by or "")):
        calls.put(give_up(one, caller.name, reason))
    await calls.save()
    if call.claimed_by != caller.name:
        await store.decisions.record(calls.tx, call.referral_id, "release", caller.name, reason or "")
    return await view_of(calls.tx.connection, calls[call.referral_id], caller, calls.tx.now)


def _grant(taken: Sequence[WelfareCall], caller: Caller, now: datetime) -> Grant:
    """What the claim of these calls opens. A call of the round before may have ended: `granted_at` is later than its report."""
    return Grant(
        holder=caller.name,
        purpose="welfare_call",
        subjects=tuple(dict.fromkeys(call.referral_id for call in taken)),
        granted_at=now,
        expires_at=taken[0].claim_expires_at or now,
    )


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


def _counted(before: WelfareCall, after: WelfareCall) -> bool:
    return after.state is CallState.ANSWERED or after.attempts > before.attempts


def _next_attempt(after: WelfareCall) -> datetime | None:
    return after.not_before if after.state in (CallState.DUE, CallState.UNANSWERED) else None


def _steps(
    call: WelfareCall, together: list[WelfareCall], body: OutcomeBody, caller: str, tx: Tx
) -> list[Step[WelfareCall]]:
    """What the report means for the call, and for each referral that shares it."""
    if body.outcome is CallOutcome.ANSWERED:
        parts = answers_of(call, together, _answer(body))
        return [report.answered(one, caller, answer, tx.now) for one, answer in parts]
    steps: list[Step[WelfareCall]] = []
    for one in (call, *together):
        if one is not call and not counts_for(call, one, body.outcome):
            steps.append(release(one))
        elif body.outcome is CallOutcome.REFUSED:
            steps.append(report.refused(one, caller, tx.now))
        else:
            put_off_to = body.next_attempt_at
            steps.append(report.unanswered(one, caller, body.outcome, put_off_to, tx.now, tx.calendar))
    return steps


async def view_of(connection: Connection, call: WelfareCall, caller: Caller, now: datetime) -> CallView:
    """A call as the caller may see it, with the referrals that are linked with it."""
    return (await views_of(connection, [call], caller, now))[call]


async def views_of(
    connection: Connection, calls: Sequence[WelfareCall], caller: Caller, now: datetime
) -> Views:
    """These calls as the caller may see them now."""
    ids = {other_id for call in calls for other_id in call.linked_ids}
    found = await store.calls.OF_REFERRALS.all(connection, referral_ids=list(ids)) if ids else []
    return Views([other for other in found if other.hub_id and caller.sees_hub(other.hub_id)], now)


class Views:
    """Calls as somebody may see them. `others`: the linked calls that they may see."""

    def __init__(self, others: Sequence[WelfareCall], now: datetime) -> None:
        self._others, self._now = others, now

    def __getitem__(self, call: WelfareCall) -> CallView:
        view = CallView.model_validate(call)
        return view.model_copy(
            update={
                "linked": [_linked_view(call, o) for o in self._others if linked(call, o)],
                "urgency": urgency_of(call, self._now),
            }
        )


def _linked_view(call: WelfareCall, other: WelfareCall) -> LinkedView:
    together = call.claimed_with is not None and other.claimed_with == call.claimed_with
    return LinkedView(
        referral_id=other.referral_id,
        call_id=other.call_id,
        likeness=Likeness.PERSON if same_person(call, other) else Likeness.HOUSEHOLD,
        state=other.state,
        shares_call=together
        or (call.state in LIVE and call.state is not CallState.CLAIMED and shares_call(call, other)),
        needs=[AskedNeed.model_validate(need) for need in other.asks],
        review=other.review,
        last_outcome=other.last and other.last.outcome,
        last_called_at=other.last and other.last.said_at,
    )


async def _of_referral(request: Request, referral_id: UUID, caller: Caller, now: datetime) -> Page[CallView]:
    async with reading(request) as connection:
        found = await store.calls.OF_REFERRALS.all(connection, referral_ids=[referral_id])
        own = [call for call in found if call.hub_id and call.due_at and caller.sees_hub(call.hub_id)]
        views = await views_of(connection, own, caller, now)
    return Page(items=[views[call] for call in own])


async def _reviews(
    request: Request,
    paging: Paging,
    caller: Caller,
    hubs: list[str] | None,
    review_by: datetime | None,
    referral_id: UUID | None,
    now: datetime,
) -> Page[CallView]:
    async with reading(request) as connection:
        found = await store.calls.FIND_REVIEWS.all(
            connection, hubs=hubs, review_by=review_by, referral_id=referral_id, limit=paging.rows
        )
        views = await views_of(connection, found, caller, now)
    return paging.page(found, views.__getitem__, lambda call: (call.review_by, call.referral_id))


async def _settle_tasks(tx: Tx, reports: Sequence[tuple[WelfareCall, Step[WelfareCall]]]) -> list[UUID]:
    """Live tasks follow what the residents said; needs without one get a task. Returns the tasks that were opened."""
    tasks = Tasks(tx)
    await tasks.lock(store.tasks.LOCK_ALL_OF, referral_ids=[before.referral_id for before, _ in reports])
    holders = await holders_of(tx, tasks)
    opened: list[UUID] = []
    for before, reported in reports:
        call = reported.state
        needs = [n for e in reported.events if isinstance(e, WelfareCallCompleted) for n in e.needs]
        for task in tasks.of(call.referral_id):
            tasks.put(tasking.hear(task, needs, tx.now))
            tasks.put(follow(tasks[task.task_id], before, call, holders.get(task.volunteer_id), tx.now))
        steps = [tasking.for_need(call, need, tx.now, tasks.of(call.referral_id)) for need in needs]
        opened += [tasks.put(step).task_id for step in steps if step is not None]
    await tasks.save()
    return opened


async def locked_calls(calls: Calls, call_id: UUID, caller: Caller) -> tuple[WelfareCall, list[WelfareCall]]:
    """The referral whose present round this is, and those that are linked with it, all locked. Raises NotFoundError.

    The links are read first: rows are locked in the order of their ids.
    """
    read = _visible(await store.calls.GET_ROUND.first(calls.tx.connection, call_id=call_id), caller)
    locked = await calls.lock_keys([read.referral_id, *read.linked_ids])
    call = next((one for one in locked if one.call_id == call_id), None)
    others = [one for one in locked if one.call_id != call_id]
    return _visible(call, caller), others


def _visible(call: WelfareCall | None, caller: Caller) -> WelfareCall:
    return caller.must_see(call if call and call.hub_id and call.due_at else None)


def _answer(body: OutcomeBody) -> Answer:
    return Answer(
        findings=tuple(Finding(n.code, n.result, n.need_id, place) for place, n in enumerate(body.needs)),
        household=body.household and Household(**body.household.model_dump()),
        diets=None if body.diets is None else tuple(dict.fromkeys(body.diets)),
        flags=None if body.flags is None else tuple(dict.fromkeys(body.flags)),
        priority=body.priority,
        consent=body.consent,
    )
