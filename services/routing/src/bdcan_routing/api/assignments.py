"""Where a referral is and why, the referrals in triage, and what people decide about them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

import msgspec
from fastapi import Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from bdcan_chassis.database import Connection
from bdcan_chassis.http.auth import ALL_HUBS, Caller, needs
from bdcan_chassis.http.bodies import Body, Reason, Slug
from bdcan_chassis.http.guard import Routes
from bdcan_chassis.http.idempotency import OnceOnly
from bdcan_chassis.http.paging import Page, PageAsked
from bdcan_chassis.http.problems import InvalidError, NotFoundError
from bdcan_chassis.http.reading import reading
from bdcan_chassis.step import Step
from bdcan_chassis.transaction import Tx
from bdcan_contracts.envelope import Problem
from bdcan_contracts.models import AssignmentMethod, Priority
from bdcan_contracts.vocabulary import Reason as Slip
from bdcan_routing import store
from bdcan_routing.api.hubs import WardOut
from bdcan_routing.books import Assignments, Hubs
from bdcan_routing.domain.assignment import UNDO_FOR, Assignment, decide, decide_anew, reassign, undo
from bdcan_routing.domain.claims import must_be_free_for
from bdcan_routing.domain.gazetteer import OutOfArea
from bdcan_routing.domain.hubs import Hub
from bdcan_routing.domain.placement import Hold, ToHub
from bdcan_routing.settings import Settings
from bdcan_routing.store.assignments import Held

MOST_CANDIDATES = 50
"""Hubs that an event about triage names at most."""
_MOST_DECISIONS = 100
"""Decisions that an assignment shows at most: there is a list of all."""

Reader = Annotated[Caller, Depends(needs("routing:read"))]
Writer = Annotated[Caller, Depends(needs("routing:write"))]


class Decision(Body):
    """A person's decision on a held referral: a hub, or out of area."""

    hub_id: Slug | None = None
    out_of_area: Literal[True] | None = None
    reason: Reason

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.hub_id is None) == (self.out_of_area is None):
            raise ValueError("either hub_id, or out_of_area: true")
        return self


class Reassignment(Decision):
    """Another hub for an assigned referral, or out of area."""


class Undo(Body):
    """Nothing has to be said: a slip explains itself."""


class Reopening(Body):
    """Why it must be decided anew, as a code."""

    reason: Reason


class DecisionOut(BaseModel):
    """What a person decided, and why."""

    model_config = ConfigDict(from_attributes=True)
    decision: str
    caller: str
    reason: str
    decided_at: datetime


class AssignmentOut(BaseModel):
    """Where a referral is, and why."""

    referral_id: UUID
    state: str
    version: int
    hub_id: str | None = None
    ward: WardOut | None = None
    method: AssignmentMethod | None = None
    confidence: float | None = None
    confirm_at_call: bool | None = None
    explanation: str | None = None
    because: Annotated[
        str | None,
        Field(
            description="why it is not the ward's own hub: `hub-full`, `same-household`, `hub-handed-over`; `all-full`: it is"
        ),
    ] = None
    district_gss: str | None = None
    triage_reason: str | None = None
    candidate_hubs: list[str] | None = None
    triage_due_at: datetime | None = None
    contact_due_at: datetime | None = None
    decided_by: str | None = None
    same_person_ids: Annotated[
        list[UUID], Field(description="referrals that may be about the same person: it may have another hub")
    ] = []
    same_household_ids: Annotated[
        list[UUID], Field(description="referrals that may be about the same household")
    ] = []
    undo_until: Annotated[
        datetime | None, Field(description="the last decision of a person can be undone until then")
    ] = None
    decisions: Annotated[
        list[DecisionOut],
        Field(description=f"what people decided, the newest last: {_MOST_DECISIONS} at most"),
    ] = []
    earlier_decisions: Annotated[
        bool, Field(description="whether there are older ones: `decisions` of the referral lists all")
    ] = False

    @classmethod
    def of(cls, a: Assignment) -> Self:
        """From the assignment."""
        out = cls(
            referral_id=a.referral_id,
            state=a.state.value,
            version=a.version,
            triage_due_at=a.triage_due_at,
            contact_due_at=a.contact_due_at,
            decided_by=a.decided_by,
            same_person_ids=list(a.same_person_ids),
            same_household_ids=list(a.same_household_ids),
            undo_until=a.earlier and a.earlier.decided_at + UNDO_FOR,
        )
        match a.verdict:
            case ToHub() as verdict:
                out.hub_id = verdict.hub_id
                out.ward = WardOut.of(verdict.ward) if verdict.ward else None
                out.method = verdict.method
                out.confidence = verdict.confidence
                out.confirm_at_call = verdict.confirm_at_call
                out.explanation = verdict.explanation
                out.because = verdict.because
            case OutOfArea(district, explanation):
                out.district_gss, out.explanation = district, explanation
            case Hold(reason, candidates):
                out.triage_reason, out.candidate_hubs = reason, list(candidates)
            case None:
                pass
        return out


class TriageItem(BaseModel):
    """A referral that waits for a person. Intake's disclosure API says who the resident is."""

    referral_id: UUID
    reason: str
    candidate_hubs: list[str]
    needs: list[str]
    priority: Priority
    held_at: datetime
    triage_due_at: datetime
    same_person_ids: list[UUID]
    same_household_ids: list[UUID]
    claimed_by: Annotated[str | None, Field(description="who decides about it, until `claim_expires_at`")] = (
        None
    )
    claim_expires_at: datetime | None = None

    @classmethod
    def of_assignment(cls, one: Assignment) -> Self:
        """From an assignment that is held."""
        return cls.of(msgspec.convert(one, Held, from_attributes=True))

    @classmethod
    def of(cls, held: Held) -> Self:
        """From a row of the list."""
        return cls(
            referral_id=held.referral_id,
            reason=held.verdict.reason,
            candidate_hubs=list(held.verdict.candidates),
            needs=[need.code for need in held.facts.needs],
            priority=held.facts.priority,
            held_at=held.held_at,
            triage_due_at=held.triage_due_at,
            same_person_ids=list(held.same_person_ids),
            same_household_ids=list(held.same_household_ids),
            claimed_by=held.claimed_by,
            claim_expires_at=held.claim_expires_at,
        )


def add_routes(routes: Routes, settings: Settings) -> None:
    """Routes about referrals."""

    @routes.get("/referrals/{referral_id}/assignment")
    async def show_assignment(referral_id: UUID, request: Request, caller: Reader) -> AssignmentOut:
        """Where a referral is, and why."""
        async with reading(request) as connection:
            found = await store.assignments.ASSIGNMENT.get.first(connection, keys=[referral_id])
            if found is None:
                raise NotFoundError
            caller.must_see_hub(found.hub_id)
            return await _shown(connection, found)

    @routes.get("/referrals/{referral_id}/decisions")
    async def list_decisions(
        referral_id: UUID, request: Request, caller: Reader, paging: PageAsked
    ) -> Page[DecisionOut]:
        """What people decided about a referral, the oldest first."""
        [seq] = paging.after(int)
        async with reading(request) as connection:
            assignment = await store.assignments.ASSIGNMENT.get.first(connection, keys=[referral_id])
            if assignment is None:
                raise NotFoundError
            caller.must_see_hub(assignment.hub_id)
            found = await store.decisions.OF_REFERRAL.all(
                connection, referral_id=referral_id, seq=seq, limit=paging.rows
            )
        return paging.page(found, DecisionOut.model_validate, lambda one: (one.seq,))

    @routes.post("/referrals/{referral_id}/reassignment", response_model=AssignmentOut)
    async def move(referral_id: UUID, body: Reassignment, caller: Writer, once: OnceOnly) -> Response:
        """Move an assigned referral to another hub, or out of area."""

        async def work(tx: Tx) -> AssignmentOut:
            assignments, before = await _lock(tx, referral_id, caller)
            hub = await _lock_hub(tx, body.hub_id) if body.hub_id else None
            step = reassign(before, hub, body.reason, caller.name, tx.now)
            return await _decided(assignments, step, "reassignment", caller, body.reason)

        return await once(work)

    @routes.post("/referrals/{referral_id}/undo", response_model=AssignmentOut)
    async def undo_decision(
        referral_id: UUID, caller: Writer, once: OnceOnly, _body: Undo | None = None
    ) -> Response:
        """Undo the last decision of a person, within 30 minutes: what held before holds again."""

        async def work(tx: Tx) -> AssignmentOut:
            assignments, before = await _lock(tx, referral_id, caller)
            step = undo(before, caller.name, settings.triage_times, tx.now)
            return await _decided(assignments, step, "undo", caller, Slip.DECISION_UNDONE)

        return await once(work)

    @routes.post("/referrals/{referral_id}/reopening", response_model=AssignmentOut)
    async def reopen(referral_id: UUID, body: Reopening, caller: Writer, once: OnceOnly) -> Response:
        """Return a referral that was found out of area to triage, at any time, for a reason."""

        async def work(tx: Tx) -> AssignmentOut:
            assignments, before = await _lock(tx, referral_id, caller)
            hubs = tuple(hub.hub_id for hub in await store.hubs.FIND.all(tx.connection) if not hub.paused)
            step = decide_anew(before, hubs[:MOST_CANDIDATES], caller.name, settings.triage_times, tx.now)
            return await _decided(assignments, step, "reopening", caller, body.reason)

        return await once(work)

    @routes.get("/triage")
    async def list_held(
        request: Request,
        caller: Reader,
        paging: PageAsked,
        linked: Annotated[
            bool, Query(description="only those whose resident another referral may be about, too")
        ] = False,
    ) -> Page[TriageItem]:
        """Referrals that wait for a person, those due first. They have no hub, so no hub's people see them."""
        if ALL_HUBS not in caller.scopes:
            return Page(items=[])
        due_at, referral_id = paging.after(datetime, UUID)
        async with reading(request) as connection:
            found = await store.assignments.FIND_HELD.all(
                connection, linked=linked, due_at=due_at, referral_id=referral_id, limit=paging.rows
            )
        return paging.page(found, TriageItem.of, lambda held: (held.triage_due_at, held.referral_id))

    @routes.post("/triage/{referral_id}/decision", response_model=AssignmentOut)
    async def place(referral_id: UUID, body: Decision, caller: Writer, once: OnceOnly) -> Response:
        """Place a held referral with a hub, or find it out of area."""

        async def work(tx: Tx) -> AssignmentOut:
            assignments, before = await _lock(tx, referral_id, caller)
            hub = await _lock_hub(tx, body.hub_id) if body.hub_id else None
            must_be_free_for(before, caller.name, tx.now)
            step = decide(before, hub, body.reason, caller.name, tx.now)
            return await _decided(assignments, step, "triage", caller, body.reason)

        return await once(work)


async def _decided(
    assignments: Assignments, step: Step[Assignment], what: str, caller: Caller, reason: str
) -> AssignmentOut:
    """Save what a person decided, and who, what and why."""
    tx = assignments.tx
    after = assignments.put(step)
    await assignments.save()
    where = after.hub_id or after.state.value
    await store.decisions.record(tx, after.referral_id, f"{what}: {where}", caller.name, reason)
    return await _shown(tx.connection, after)


async def _shown(connection: Connection, assignment: Assignment) -> AssignmentOut:
    """The assignment with what people decided last."""
    newest = await store.decisions.NEWEST.all(
        connection, referral_id=assignment.referral_id, limit=_MOST_DECISIONS + 1
    )
    out = AssignmentOut.of(assignment)
    out.decisions = list(map(DecisionOut.model_validate, newest[:_MOST_DECISIONS][::-1]))
    out.earlier_decisions = len(newest) > _MOST_DECISIONS
    return out


async def _lock(tx: Tx, referral_id: UUID, caller: Caller) -> tuple[Assignments, Assignment]:
    assignments = Assignments(tx)
    await assignments.lock_keys([referral_id])
    found = assignments.get(referral_id)
    if found is None:
        raise NotFoundError
    caller.must_see_hub(found.hub_id)
    return assignments, found


async def _lock_hub(tx: Tx, hub_id: str) -> Hub:
    found = await Hubs(tx).lock_keys([hub_id])
    if not found:
        known = ", ".join(hub.hub_id for hub in await store.hubs.FIND.all(tx.connection))
        raise InvalidError.of(
            Problem("hub_id", "unknown-hub", f"there is no such hub: choose one of {known}")
        )
    return found[0]
