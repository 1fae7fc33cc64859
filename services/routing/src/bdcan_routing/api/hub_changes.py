"""What people do with hubs beside configuring them: pause, resume, close, move wards, and read what was changed."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Request, Response
from pydantic import BaseModel, ConfigDict, Field

from bdcan_chassis.http.auth import Caller
from bdcan_chassis.http.bodies import Body, Reason, Slug
from bdcan_chassis.http.guard import Routes
from bdcan_chassis.http.idempotency import OnceOnly
from bdcan_chassis.http.paging import Page, PageAsked
from bdcan_chassis.http.problems import InvalidError, NotFoundError
from bdcan_chassis.http.reading import reading
from bdcan_chassis.ids import new_id
from bdcan_chassis.transaction import Tx
from bdcan_contracts.envelope import Problem
from bdcan_routing import store
from bdcan_routing.api.hubs import HubOut, Reader, Writer, changed
from bdcan_routing.books import Handovers, Hubs
from bdcan_routing.domain.errors import OpenWorkError
from bdcan_routing.domain.handover import progress, start
from bdcan_routing.domain.hubs import Coverage, Hub, close, move_wards, pause, resume
from bdcan_routing.domain.wards import ward_name

_WEEKS = 4
"""Weeks of requests that a preview counts."""


class Pause(Body):
    """Why a hub pauses, and what becomes of its open work: it keeps it, or hands it over to a hub (`to`) or to its cover."""

    reason: Reason
    open_work: Literal["keep", "hand-over"] | None = None
    to: Slug | None = None


class Resume(Body):
    """Nothing has to be said. Work that was handed over stays where it is: move it back by reassignment."""


class WardMove(Body):
    """A ward and the hub that covers it from now on."""

    ward: Annotated[str, Field(pattern=r"^E05\d{6}$")]
    hub_id: Slug


class WardMoves(Body):
    """Wards that change hubs, all at once. `dry_run`: only show what would happen."""

    reason: Reason
    moves: Annotated[list[WardMove], Field(min_length=1, max_length=50)]
    dry_run: bool = False


class WardShift(BaseModel):
    """A ward that changes hubs: what was asked for there lately, and the open referrals, which stay with their hub."""

    ward: str
    name: str
    from_hub_id: str | None = None
    to_hub_id: str
    requests: Annotated[int, Field(description=f"new referrals of the last {_WEEKS} weeks")]
    needs: Annotated[dict[str, int], Field(description="their needs, by code")]
    open_referrals: Annotated[int, Field(description="they stay with their hub until somebody moves them")]


class WardMovesOut(BaseModel):
    """What changes, or would change."""

    applied: bool
    shifts: list[WardShift]
    hubs: Annotated[list[HubOut], Field(description="the hubs that change, as they are afterwards")]


class HubChangeOut(BaseModel):
    """A change of a hub, and the hub as it was afterwards."""

    model_config = ConfigDict(from_attributes=True)
    version: int
    change: str
    caller: str
    reason: str | None = None
    changed_at: datetime
    hub: dict[str, Any]


def add_routes(routes: Routes) -> None:
    """Routes about changes of hubs."""

    @routes.post("/hubs/{hub_id}/pause", response_model=HubOut)
    async def pause_hub(hub_id: Slug, body: Pause, caller: Writer, once: OnceOnly) -> Response:
        """New referrals go to the hub's cover from now on. With open work, say what becomes of it."""

        async def work(tx: Tx) -> HubOut:
            hubs, before = await _lock(tx, hub_id, caller)
            step = pause(before, body.reason, tx.now)
            await _settle_open_work(hubs, before, body, caller, may_keep=True)
            return await changed(hubs, hubs.put(step), "paused", caller, body.reason)

        return await once(work)

    @routes.post("/hubs/{hub_id}/resume", response_model=HubOut)
    async def resume_hub(
        hub_id: Slug, caller: Writer, once: OnceOnly, _body: Resume | None = None
    ) -> Response:
        """The hub takes new referrals again, and hands no more work over."""

        async def work(tx: Tx) -> HubOut:
            hubs, before = await _lock(tx, hub_id, caller)
            hub = hubs.put(resume(before, tx.now))
            handovers = Handovers(tx)
            for begun in await handovers.lock(store.handovers.LOCK_OPEN, hub_id=hub_id):
                handovers.put(progress(begun, 0, tx.now, ended=True))
            await handovers.save()
            return await changed(hubs, hub, "resumed", caller)

        return await once(work)

    @routes.post("/hubs/{hub_id}/close", response_model=HubOut)
    async def close_hub(hub_id: Slug, body: Pause, caller: Writer, once: OnceOnly) -> Response:
        """Close a hub for good. Refused with a list while it covers wards; its open work must be handed over."""

        async def work(tx: Tx) -> HubOut:
            caller.must_see_hub(None)
            hubs, before = await _lock(tx, hub_id, caller)
            step = close(before, body.reason, tx.now)
            await _settle_open_work(hubs, before, body, caller, may_keep=False)
            return await changed(hubs, hubs.put(step), "closed", caller, body.reason)

        return await once(work)

    @routes.post("/wards/moves", response_model=WardMovesOut)
    async def shift_wards(body: WardMoves, caller: Writer, once: OnceOnly) -> Response:
        """Move wards between hubs in one step: none is without a hub, and none has two. Referrals that have a hub keep it."""

        async def work(tx: Tx) -> WardMovesOut:
            caller.must_see_hub(None)
            to = {one.ward: one.hub_id for one in body.moves}
            if len(to) != len(body.moves):
                raise InvalidError.of(Problem("moves", "ward-twice", "a ward can go to one hub only"))
            hubs = Hubs(tx)
            await hubs.lock_all()
            coverage = Coverage.of(hubs)
            steps = move_wards(coverage, to, tx.now)
            shifts = await _shifts(tx, coverage, to)
            if body.dry_run:
                after = [HubOut.of(step.state) for step in steps]
                return WardMovesOut(applied=False, shifts=shifts, hubs=after)
            for step in steps:
                hubs.put(step)
            after = [await changed(hubs, step.state, "wards moved", caller, body.reason) for step in steps]
            return WardMovesOut(applied=True, shifts=shifts, hubs=after)

        return await once(work)

    @routes.get("/hubs/{hub_id}/history")
    async def list_changes(
        hub_id: Slug, request: Request, caller: Reader, paging: PageAsked
    ) -> Page[HubChangeOut]:
        """What people changed of a hub, the newest first."""
        caller.must_see_hub(hub_id)
        [seq] = paging.after(int)
        async with reading(request) as connection:
            found = await store.hub_history.OF_HUB.all(connection, hub_id=hub_id, seq=seq, limit=paging.rows)
        return paging.page(found, HubChangeOut.model_validate, lambda one: (one.seq,))


async def _settle_open_work(hubs: Hubs, hub: Hub, body: Pause, caller: Caller, *, may_keep: bool) -> None:
    """Begin to hand the open work over, or leave it. Raises OpenWorkError if the caller has not said which."""
    tx = hubs.tx
    count = await store.handovers.COUNT.value(tx.connection, hub_id=hub.hub_id)
    if not count:
        return
    if body.open_work is None or (body.open_work == "keep" and not may_keep):
        choices = ['"hand-over": they go to the hub that you name in `to`, or without it to its cover']
        if may_keep:
            choices.insert(0, '"keep": they stay with the hub')
        raise OpenWorkError(
            f"{hub.name} has {count} open referrals. Say in `open_work` what becomes of them: {'; '.join(choices)}."
        )
    if body.open_work == "hand-over":
        handovers = Handovers(tx)
        handovers.put(start(Coverage.of(hubs), hub, body.to, new_id(), body.reason, caller.name, tx.now))
        await handovers.save()


async def _shifts(tx: Tx, coverage: Coverage, to: dict[str, str]) -> list[WardShift]:
    wards = sorted(gss for gss, hub_id in to.items() if _hub_of(coverage, gss) != hub_id)
    lately = {
        (row["ward"], row["code"]): (row["requests"], row["open_referrals"])
        for row in await store.assignments.COUNT_BY_WARD.records(
            tx.connection, wards=wards, since=tx.now, weeks=_WEEKS
        )
    }
    shifts = []
    for gss in wards:
        requests, open_referrals = lately.get((gss, None), (0, 0))
        needs = {
            code: n for (ward, code), (n, _open) in sorted(lately.items(), key=str) if ward == gss and code
        }
        shifts.append(
            WardShift(
                ward=gss,
                name=ward_name(gss),
                from_hub_id=_hub_of(coverage, gss),
                to_hub_id=to[gss],
                requests=requests,
                needs=needs,
                open_referrals=open_referrals,
            )
        )
    return shifts


def _hub_of(coverage: Coverage, gss: str) -> str | None:
    hub = coverage.by_ward.get(gss)
    return hub.hub_id if hub else None


async def _lock(tx: Tx, hub_id: str, caller: Caller) -> tuple[Hubs, Hub]:
    caller.must_see_hub(hub_id)
    hubs = Hubs(tx)
    await hubs.lock_all()
    found = hubs.get(hub_id)
    if found is None:
        raise NotFoundError
    return hubs, found
