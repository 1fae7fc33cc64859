"""Who decides about which held referral: take the next one, claim, release."""

from __future__ import annotations

from uuid import UUID

from fastapi import Response
from pydantic import BaseModel

from bdcan_chassis.http.guard import Routes
from bdcan_chassis.http.idempotency import OnceOnly
from bdcan_chassis.http.problems import NotFoundError
from bdcan_chassis.step import Step
from bdcan_chassis.transaction import Tx
from bdcan_routing import store
from bdcan_routing.api.assignments import TriageItem, Writer
from bdcan_routing.books import Assignments
from bdcan_routing.domain.assignment import Assignment
from bdcan_routing.domain.claims import claim, release
from bdcan_routing.metrics import TRIAGE_CLAIMS


class NextItem(BaseModel):
    """The referral to decide about. Without one, nobody waits whom nobody else decides about."""

    item: TriageItem | None = None


def add_routes(routes: Routes) -> None:
    """Routes about claims in triage. They ask for the caller of all hubs: a held referral has no hub."""

    @routes.post("/triage/next", response_model=NextItem)
    async def take_next(caller: Writer, once: OnceOnly) -> Response:
        """Claim the referral that must be decided first and that nobody else decides about."""

        async def work(tx: Tx) -> NextItem:
            caller.must_see_hub(None)
            assignments = Assignments(tx)
            found = await assignments.lock(store.assignments.LOCK_NEXT_HELD, now=tx.now, caller=caller.name)
            if not found:
                return NextItem(item=None)
            return NextItem(item=await _saved(assignments, claim(found[0], caller.name, tx.now), "next"))

        return await once(work)

    @routes.post("/triage/{referral_id}/claim", response_model=TriageItem)
    async def claim_one(referral_id: UUID, caller: Writer, once: OnceOnly) -> Response:
        """Have a held referral to yourself for 15 minutes. Again: for 15 more. 409 while somebody else has it."""

        async def work(tx: Tx) -> TriageItem:
            caller.must_see_hub(None)
            assignments, found = await _lock(tx, referral_id)
            return await _saved(assignments, claim(found, caller.name, tx.now), "claimed")

        return await once(work)

    @routes.post("/triage/{referral_id}/release", response_model=TriageItem)
    async def release_one(referral_id: UUID, caller: Writer, once: OnceOnly) -> Response:
        """Give a held referral back before the claim ends."""

        async def work(tx: Tx) -> TriageItem:
            caller.must_see_hub(None)
            assignments, found = await _lock(tx, referral_id)
            return await _saved(assignments, release(found, caller.name, tx.now), "released")

        return await once(work)


async def _lock(tx: Tx, referral_id: UUID) -> tuple[Assignments, Assignment]:
    assignments = Assignments(tx)
    await assignments.lock_keys([referral_id])
    found = assignments.get(referral_id)
    if found is None or found.triage_due_at is None:
        raise NotFoundError("Nobody waits in triage under this id: somebody may have decided.")
    return assignments, found


async def _saved(assignments: Assignments, step: Step[Assignment], how: str) -> TriageItem:
    after = assignments.put(step)
    await assignments.save()
    TRIAGE_CLAIMS.labels(how).inc()
    return TriageItem.of_assignment(after)
