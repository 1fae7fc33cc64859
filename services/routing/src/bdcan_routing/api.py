"""Routing's API: where a referral stands and why, the triage list and its decisions, hubs, and the postcode table."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from bdcan_chassis.database import Pool
from bdcan_chassis.http.auth import ALL_HUBS, Caller, needs
from bdcan_chassis.http.idempotency import OnceOnly
from bdcan_chassis.http.problems import ConflictError, InvalidError, NotFoundError
from bdcan_chassis.transaction import Transactions, Tx
from bdcan_contracts.envelope import Problem
from bdcan_routing import hub_changes, views
from bdcan_routing.domain import assignment
from bdcan_routing.domain.assignment import Assignment
from bdcan_routing.paging import read_cursor, write_cursor
from bdcan_routing.placing import publish
from bdcan_routing.settings import Settings
from bdcan_routing.store import assignments, gazetteer, hubs

Reader = Annotated[Caller, Depends(needs("routing:read"))]
Writer = Annotated[Caller, Depends(needs("routing:write"))]
HubId = Annotated[str, Path(min_length=1, max_length=60, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]


def router(_settings: Settings) -> APIRouter:
    """The routes."""
    routes = APIRouter(prefix="/v1", tags=["routing"])
    _referral_routes(routes)
    _triage_routes(routes)
    _hub_routes(routes)
    return routes


def _referral_routes(routes: APIRouter) -> None:
    @routes.get("/referrals/{referral_id}/assignment")
    async def show_assignment(referral_id: UUID, request: Request, caller: Reader) -> views.AssignmentOut:
        async with _pool(request).acquire() as connection:
            found = await assignments.get(connection, referral_id)
        if found is None:
            raise NotFoundError("There is no such thing.")
        caller.must_see_hub(found.hub_id)
        return views.AssignmentOut.of(found)

    @routes.post("/referrals/{referral_id}/reassignment")
    async def reassign(
        referral_id: UUID, body: views.Reassignment, caller: Writer, once: OnceOnly
    ) -> Response:
        async def work(tx: Tx) -> views.AssignmentOut:
            before = await _lock(tx, referral_id)
            caller.must_see_hub(before.hub_id)
            await _must_take_referrals(tx, body.hub_id)
            after, events = assignment.reassigned(before, body.hub_id, body.reason, caller.name, tx.now)
            publish(tx, before, after, events)
            await assignments.save(tx.connection, [after], tx.now)
            return views.AssignmentOut.of(after)

        return await once(work)


def _triage_routes(routes: APIRouter) -> None:
    @routes.get("/triage")
    async def list_held(
        request: Request,
        caller: Reader,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
        after: Annotated[str | None, Query(max_length=100)] = None,
    ) -> views.TriageList:
        if ALL_HUBS not in caller.scopes:  # nobody's hub yet, and so no hub's business
            return views.TriageList(items=[])
        async with _pool(request).acquire() as connection:
            found = await assignments.held(connection, read_cursor(after), limit)
        last = found[-1] if len(found) == limit else None
        return views.TriageList(
            items=[views.TriageItem.of(held) for held in found],
            next=write_cursor(last.triage_due_at, last.referral_id) if last else None,
        )

    @routes.post("/triage/{referral_id}/decision")
    async def decide(referral_id: UUID, body: views.Decision, caller: Writer, once: OnceOnly) -> Response:
        async def work(tx: Tx) -> views.AssignmentOut:
            before = await _lock(tx, referral_id)
            caller.must_see_hub(before.hub_id)
            if body.hub_id is not None:
                await _must_take_referrals(tx, body.hub_id)
            after, events = assignment.decided(before, body.hub_id, body.reason, caller.name, tx.now)
            publish(tx, before, after, events)
            await assignments.save(tx.connection, [after], tx.now)
            return views.AssignmentOut.of(after)

        return await once(work)


def _hub_routes(routes: APIRouter) -> None:
    @routes.get("/hubs")
    async def list_hubs(request: Request, _caller: Reader) -> views.HubList:
        async with _pool(request).acquire() as connection:
            return views.HubList(items=[views.HubOut.of(row) for row in await hubs.all_hubs(connection)])

    @routes.put("/hubs/{hub_id}")
    async def configure_hub(hub_id: HubId, body: views.HubIn, caller: Writer, once: OnceOnly) -> Response:
        async def work(tx: Tx) -> views.HubOut:
            _must_see_all_hubs(caller)
            return views.HubOut.of(await hub_changes.configure(tx, hub_id, body))

        return await once(work)

    @routes.post("/hubs/{hub_id}/pause")
    async def pause_hub(hub_id: HubId, body: views.Reason, caller: Writer, once: OnceOnly) -> Response:
        async def work(tx: Tx) -> views.HubOut:
            caller.must_see_hub(hub_id)
            return views.HubOut.of(await hub_changes.pause(tx, hub_id, body.reason))

        return await once(work)

    @routes.post("/hubs/{hub_id}/resume")
    async def resume_hub(hub_id: HubId, caller: Writer, once: OnceOnly) -> Response:
        async def work(tx: Tx) -> views.HubOut:
            caller.must_see_hub(hub_id)
            return views.HubOut.of(await hub_changes.resume(tx, hub_id))

        return await once(work)

    @routes.get("/gazetteer", tags=["gazetteer"])
    async def show_gazetteer(request: Request, _caller: Reader) -> views.GazetteerOut:
        async with _pool(request).acquire() as connection:
            release = await gazetteer.active(connection)
        if release is None:
            raise NotFoundError("No postcode table is loaded yet; `migrate` loads the shipped one.")
        return views.GazetteerOut.of(release)


async def _lock(tx: Tx, referral_id: UUID) -> Assignment:
    found = await assignments.lock(tx, [referral_id])
    if referral_id not in found:
        raise NotFoundError("There is no such thing.")
    return found[referral_id]


async def _must_take_referrals(tx: Tx, hub_id: str) -> None:
    row = await hubs.lock(tx.connection, hub_id)
    if row is None:
        raise InvalidError(
            "1 field(s) at fault.", errors=[Problem("hub_id", "unknown-hub", "there is no such hub")]
        )
    if row.hub.paused:
        raise ConflictError(f"{row.hub.name} is paused and takes no referrals.", code="hub-paused")


def _must_see_all_hubs(caller: Caller) -> None:
    caller.must_see_hub(None)


def _pool(request: Request) -> Pool:
    transactions: Transactions = request.app.state.transactions
    return transactions.pool
