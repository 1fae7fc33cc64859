"""Calls that are over: undo a report, ring again, or decide about a referral at which a person must look."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from uuid import UUID

from fastapi import Response
from pydantic import BaseModel, Field

from bdcan_chassis.http.auth import Caller
from bdcan_chassis.http.bodies import Body, Reason, Text
from bdcan_chassis.http.guard import Routes
from bdcan_chassis.http.idempotency import OnceOnly
from bdcan_chassis.step import Step
from bdcan_chassis.transaction import Tx
from bdcan_contracts.vocabulary import TaskKind
from bdcan_volunteer_match import store
from bdcan_volunteer_match.api.calls import CallView, Writer, locked_calls, view_of
from bdcan_volunteer_match.books import Calls, Tasks, holders_of
from bdcan_volunteer_match.domain import reopening
from bdcan_volunteer_match.domain import task as tasking
from bdcan_volunteer_match.domain.call import WelfareCall
from bdcan_volunteer_match.domain.errors import NotAllowedError
from bdcan_volunteer_match.domain.following import follow
from bdcan_volunteer_match.domain.joining import reported_together
from bdcan_volunteer_match.domain.reopening import Decision


class ReopeningBody(Body):
    """Why there is another call, as a code."""

    reason: Reason


class ReviewBody(Body):
    """What the person decided, and why. It is kept for the audit."""

    decision: Decision
    reason: Text = Field(min_length=3, max_length=500)


def router() -> Routes:
    """The routes."""
    router = Routes(prefix="/v1/welfare-calls", tags=["welfare calls"])

    @router.post("/{call_id}/undo", response_model=CallView)
    async def undo(call_id: UUID, caller: Writer, once: OnceOnly) -> Response:
        """Undo a report that was a slip, within 30 minutes. The resident is on the list of calls again."""
        return await once(
            lambda tx: _change(
                tx, call_id, caller, "undo", "a slip", lambda call: reopening.undo(call, tx.now)
            )
        )

    @router.post("/{call_id}/reopening", response_model=CallView)
    async def reopen(call_id: UUID, body: ReopeningBody, caller: Writer, once: OnceOnly) -> Response:
        """Ring again about the needs of a call that is over, at any time, for a reason."""
        return await once(
            lambda tx: _change(
                tx,
                call_id,
                caller,
                "reopen",
                body.reason,
                lambda call: reopening.reopen(call, body.reason, tx.now),
            )
        )

    @router.post("/{call_id}/review", response_model=CallView)
    async def review(call_id: UUID, body: ReviewBody, caller: Writer, once: OnceOnly) -> Response:
        """Decide about a referral at which a person must look."""

        async def work(tx: Tx) -> BaseModel:
            view = await _change(
                tx,
                call_id,
                caller,
                body.decision,
                body.reason,
                lambda call: reopening.decide(call, body.decision, tx.now),
            )
            if body.decision is Decision.VISIT:
                await _open_visit(tx, call_id)
            return view

        return await once(work)

    return router


async def _change(
    tx: Tx,
    call_id: UUID,
    caller: Caller,
    what: str,
    reason: str,
    decide: Callable[[WelfareCall], Step[WelfareCall]],
) -> BaseModel:
    """Change a call that is over, and the tasks that it opened; write down who did, and why.

    Referrals that shared the call follow, where the same can be done with them.
    """
    calls = Calls(tx)
    call, others = await locked_calls(calls, call_id, caller)
    changes = [(call, decide(call)), *_also(reported_together(call, others), decide)]
    for _, step in changes:
        calls.put(step)
    await calls.save()
    tasks = Tasks(tx)
    await tasks.lock(store.tasks.LOCK_LIVE_OF, referral_ids=[before.referral_id for before, _ in changes])
    holders = await holders_of(tx, tasks)
    for before, step in changes:
        changed = step.state
        await store.decisions.record(tx, before.referral_id, what, caller.name, reason)
        for task in tasks.of(before.referral_id):
            if changed.call_id != before.call_id:
                tasks.put(tasking.undo(task, before, tx.now))
            tasks.put(follow(tasks[task.task_id], before, changed, holders.get(task.volunteer_id), tx.now))
    await tasks.save()
    return await view_of(tx.connection, changes[0][1].state, caller, tx.now)


def _also(
    others: Iterable[WelfareCall], decide: Callable[[WelfareCall], Step[WelfareCall]]
) -> Iterator[tuple[WelfareCall, Step[WelfareCall]]]:
    for other in others:
        with suppress(NotAllowedError):  # somebody has rung about it since: it stays as it is
            yield other, decide(other)


async def _open_visit(tx: Tx, call_id: UUID) -> None:
    calls, tasks = Calls(tx), Tasks(tx)
    [call] = await calls.lock(store.calls.LOCK_ROUND, call_id=call_id)
    visits = [
        task
        for task in await tasks.lock(store.tasks.LOCK_ALL_OF, referral_ids=[call.referral_id])
        if task.kind == TaskKind.DOORSTEP_VISIT
    ]
    latest = max(visits, key=lambda task: task.opened_at, default=None)
    step = tasking.for_visit(latest, call, tx.now)
    if step is not None:
        tasks.put(step)
        await tasks.save()
