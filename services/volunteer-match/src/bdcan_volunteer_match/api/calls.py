"""Welfare calls: which are to be made, who makes one, what came of it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, Field

from bdcan_chassis.http.auth import Caller, needs
from bdcan_chassis.http.idempotency import OnceOnly
from bdcan_chassis.http.problems import NotFoundError
from bdcan_chassis.step import Step
from bdcan_chassis.transaction import Transactions, Tx
from bdcan_contracts.models import (
    CallNeedResult,
    Diet,
    Flag,
    Household,
    NeedCode,
    Priority,
    UnansweredOutcome,
    WelfareCallCompleted,
)
from bdcan_volunteer_match import store
from bdcan_volunteer_match.api.shared import HUB_ID, After, Body, Limit, hubs_to_show
from bdcan_volunteer_match.books import Calls, Tasks
from bdcan_volunteer_match.domain import report
from bdcan_volunteer_match.domain.call import CallState, WelfareCall, claim
from bdcan_volunteer_match.domain.report import Answer, Finding
from bdcan_volunteer_match.domain.task import for_need
from bdcan_volunteer_match.store.calls import Attempt

Reader = Annotated[Caller, Depends(needs("calls:read"))]
Writer = Annotated[Caller, Depends(needs("calls:write"))]


class AskedNeed(BaseModel):
    """A need that the call asks about."""

    need_id: UUID
    code: NeedCode


class HouseholdBody(Body):
    """Who lives there. Babies under one year eat other food."""

    adults: int = Field(ge=0, le=20)
    children: int = Field(default=0, ge=0, le=20)
    infants: int = Field(default=0, ge=0, le=20)


class CallView(BaseModel):
    """A welfare call. Who to ring is intake's to disclose (purpose `welfare_call`), by `referral_id`."""

    call_id: UUID
    referral_id: UUID
    hub_id: str
    state: CallState
    priority: Priority
    attempts: int = Field(description="calls of this round so far")
    not_before: datetime = Field(description="the slot of the next call begins")
    due_at: datetime = Field(description="the next call is due")
    needs: list[AskedNeed] = Field(description="what to ask about")
    household: HouseholdBody | None = None
    diets: list[Diet]
    flags: list[Flag]
    confirm_address: bool = Field(description="the hub was guessed: ask for the address")
    outreach: bool
    claimed_by: str | None = None
    claim_expires_at: datetime | None = None


class CallList(BaseModel):
    """Calls, the soonest due first. `next` asks for the page that follows; absent on the last."""

    items: list[CallView]
    next: UUID | None = None


class FindingBody(Body):
    """What the resident said about one need. A need that was `found` has no id yet."""

    need_id: UUID | None = None
    code: NeedCode
    result: CallNeedResult


class OutcomeBody(Body):
    """What came of a call. A need that is not named stands as it was asked for: confirmed."""

    outcome: Literal["answered", "refused", "no-answer", "voicemail", "wrong-number", "rescheduled"]
    needs: list[FindingBody] = Field(default=[], max_length=30)
    household: HouseholdBody | None = None
    diets: list[Diet] | None = Field(default=None, max_length=11)
    next_attempt_at: AwareDatetime | None = Field(default=None, description="with `rescheduled`: when")


class OutcomeView(BaseModel):
    """Where the call stands now. `next_attempt_at`: when to ring again."""

    call_id: UUID
    referral_id: UUID
    state: CallState
    attempts: int
    next_attempt_at: datetime | None = None
    task_ids: list[UUID] = Field(description="tasks that the call opened")


def router() -> APIRouter:
    """The routes."""
    router = APIRouter(prefix="/v1/welfare-calls", tags=["welfare calls"])

    @router.get("", response_model_exclude_none=True)
    async def list_calls(
        request: Request,
        caller: Reader,
        hub: Annotated[str | None, Query(pattern=HUB_ID, max_length=60)] = None,
        state: Annotated[
            CallState | None, Query(description="`due`: all that should be made now, after a miss as well")
        ] = None,
        limit: Limit = 50,
        after: After = None,
    ) -> CallList:
        """Calls, the soonest due first."""
        transactions: Transactions = request.app.state.transactions
        visible = hubs_to_show(caller, hub)
        async with transactions.pool.acquire() as connection:
            if state is CallState.DUE:
                found = await store.calls.FIND_DUE.all(
                    connection, now=transactions.clock.now(), hubs=visible, after=after, limit=limit
                )
            else:
                found = await store.calls.FIND.all(
                    connection, state=state, hubs=visible, after=after, limit=limit
                )
        return CallList(
            items=[_view(call) for call in found], next=found[-1].call_id if len(found) == limit else None
        )

    @router.get("/{call_id}", response_model_exclude_none=True, responses={404: {}})
    async def show(call_id: UUID, request: Request, caller: Reader) -> CallView:
        """One call."""
        transactions: Transactions = request.app.state.transactions
        async with transactions.pool.acquire() as connection:
            call = await store.calls.GET_ROUND.first(connection, call_id=call_id)
        return _view(_visible(call, caller))

    @router.post("/{call_id}/claim", response_model=CallView, responses={404: {}, 409: {}})
    async def claim_call(call_id: UUID, caller: Writer, once: OnceOnly) -> Response:
        """Take a call for 30 minutes, so that nobody else rings the same person."""

        async def work(tx: Tx) -> BaseModel:
            calls = Calls(tx)
            claimed = calls.put(claim(await _locked(calls, call_id, caller), caller.name, tx.now))
            await calls.save()
            return _view(claimed)

        return await once(work)

    @router.post("/{call_id}/outcome", response_model=OutcomeView, responses={404: {}, 409: {}})
    async def report_outcome(call_id: UUID, body: OutcomeBody, caller: Writer, once: OnceOnly) -> Response:
        """Say what came of a call that one has claimed."""

        async def work(tx: Tx) -> BaseModel:
            calls = Calls(tx)
            call = await _locked(calls, call_id, caller)
            match body.outcome:
                case "answered":
                    step = report.answered(call, caller.name, _answer(body), tx.now)
                case "refused":
                    step = report.refused(call, caller.name, tx.now)
                case outcome:
                    step = report.unanswered(
                        call, caller.name, UnansweredOutcome(outcome), body.next_attempt_at, tx.now
                    )
            settled = calls.put(step)
            await calls.save()
            attempt = Attempt(call_id, settled.attempts, call.referral_id, body.outcome, caller.name)
            await store.calls.ATTEMPT.insert(tx.connection, [attempt], tx.now)
            opened = await _open_tasks(tx, step)
            waits = settled.state is CallState.UNANSWERED
            return OutcomeView(
                call_id=settled.call_id,
                referral_id=settled.referral_id,
                state=settled.state,
                attempts=settled.attempts,
                next_attempt_at=settled.not_before if waits else None,
                task_ids=opened,
            )

        return await once(work)

    return router


async def _open_tasks(tx: Tx, reported: Step[WelfareCall]) -> list[UUID]:
    steps = [
        step
        for event in reported.events
        if isinstance(event, WelfareCallCompleted)
        for need in event.needs
        if (step := for_need(reported.state, need, tx.now)) is not None
    ]
    tasks = Tasks(tx)
    known = {task.task_id for task in await tasks.lock_keys(step.state.task_id for step in steps)}
    opened = [tasks.put(step).task_id for step in steps if step.state.task_id not in known]
    await tasks.save()
    return opened


async def _locked(calls: Calls, call_id: UUID, caller: Caller) -> WelfareCall:
    found = await calls.lock(store.calls.LOCK_ROUND, call_id=call_id)
    return _visible(found[0] if found else None, caller)


def _visible(call: WelfareCall | None, caller: Caller) -> WelfareCall:
    if call is None or call.hub_id is None:
        raise NotFoundError("There is no such call, or a later one has taken its place.")
    caller.must_see_hub(call.hub_id)
    return call


def _answer(body: OutcomeBody) -> Answer:
    return Answer(
        findings=tuple(Finding(n.code, n.result, n.need_id) for n in body.needs),
        household=body.household and Household(**body.household.model_dump()),
        diets=None if body.diets is None else tuple(dict.fromkeys(body.diets)),
    )


def _view(call: WelfareCall) -> CallView:
    household = call.household
    return CallView.model_validate(
        {
            "call_id": call.call_id,
            "referral_id": call.referral_id,
            "hub_id": call.hub_id,
            "state": call.state,
            "priority": call.priority,
            "attempts": call.attempts,
            "not_before": call.not_before,
            "due_at": call.due_at,
            "needs": [{"need_id": n.need_id, "code": n.code} for n in call.asks],
            "household": household and household.model_dump(),
            "diets": call.diets,
            "flags": call.flags,
            "confirm_address": call.confirm_at_call,
            "outreach": call.outreach,
            "claimed_by": call.claimed_by,
            "claim_expires_at": call.claim_expires_at,
        }
    )
