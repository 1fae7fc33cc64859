"""Why somebody was asked for a task, who could be asked now, and an offer by hand."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from bdcan_chassis.calendar import Calendar
from bdcan_chassis.database import Connection
from bdcan_chassis.http.auth import Caller, needs
from bdcan_chassis.http.bodies import Body, Text
from bdcan_chassis.http.guard import Routes
from bdcan_chassis.http.idempotency import OnceOnly
from bdcan_chassis.http.reading import reading, transactions_of
from bdcan_chassis.transaction import Tx
from bdcan_volunteer_match import sectors, store
from bdcan_volunteer_match.api.shared import known_volunteer
from bdcan_volunteer_match.api.tasks import TaskView
from bdcan_volunteer_match.books import Tasks, Volunteers
from bdcan_volunteer_match.domain.distance import Distances
from bdcan_volunteer_match.domain.eligibility import (
    WEEK,
    WIDENS_AFTER,
    Candidate,
    Obstacle,
    Ring,
    counted_in_words,
    must_be_suitable,
    must_be_there,
    what_is_missing,
    widest_ring,
)
from bdcan_volunteer_match.domain.matching import Chosen, Known, rank, reasons
from bdcan_volunteer_match.domain.offers import Offer, OfferState, explained
from bdcan_volunteer_match.domain.task import Task, TaskState, offer
from bdcan_volunteer_match.domain.volunteer import asked
from bdcan_volunteer_match.store.offers import visits_to

Reader = Annotated[Caller, Depends(needs("tasks:read"))]
Writer = Annotated[Caller, Depends(needs("tasks:write"))]

MOST_OFFERS = 50
MOST_SUGGESTED = 5


class OfferView(BaseModel):
    """An offer, and why it went to this volunteer."""

    model_config = ConfigDict(from_attributes=True)
    volunteer_id: UUID
    offered_at: datetime
    expires_at: datetime
    state: OfferState
    ended_at: datetime | None = None
    because: list[str] = Field(description="what spoke for this volunteer, to be read out")
    not_asked: list[str] = Field(description="how many others were not asked, and why, to be read out")
    by_hand: bool = Field(description="a person chose this volunteer")
    reason: str | None = Field(default=None, description="why a person chose this volunteer")

    @classmethod
    def of(cls, made: Offer) -> OfferView:
        """The offer in words."""
        return cls(
            volunteer_id=made.volunteer_id,
            offered_at=made.offered_at,
            expires_at=made.expires_at,
            state=made.state,
            ended_at=made.ended_at,
            because=list(made.because),
            not_asked=counted_in_words({Obstacle(why): count for why, count in made.not_asked.items()}),
            by_hand=made.caller is not None,
            reason=made.reason,
        )


class Suggestion(BaseModel):
    """A volunteer who may be asked now. The best comes first."""

    volunteer_id: UUID
    because: list[str]


class MatchingNow(BaseModel):
    """Who could be asked at this moment, apart from all other tasks."""

    ring: Ring = Field(description="how far the search goes by now")
    neighbours_from: datetime = Field(
        description="from then on volunteers of the neighbour hubs are asked, too"
    )
    borough_from: datetime = Field(description="from then on volunteers of all hubs are asked")
    may_be_asked: int
    suggestions: list[Suggestion]
    not_asked: list[str]
    missing: str | None = Field(default=None, description="what is missing where nobody may be asked")


class MatchingView(BaseModel):
    """The offers of a task, the newest first. `now`: only while the task is open."""

    task_id: UUID
    state: TaskState
    offers: list[OfferView]
    now: MatchingNow | None = None


class OfferBody(Body):
    """Whom the task is offered to, and why."""

    volunteer_id: UUID
    reason: Text = Field(min_length=3, max_length=500)


def router() -> Routes:
    """The routes."""
    router = Routes(prefix="/v1/tasks", tags=["matching"])
    distances = sectors.load()

    @router.get("/{task_id}/matching", response_model_exclude_none=True)
    async def show_matching(task_id: UUID, request: Request, caller: Reader) -> MatchingView:
        """Who was asked for a task and why, who was not and why, and what is missing where nobody can be found."""
        transactions = transactions_of(request)
        now = transactions.clock.now()
        async with reading(request) as connection:
            task = caller.must_see(await store.tasks.TASK.get.first(connection, keys=[task_id]))
            offers = await store.offers.OF_TASK.all(connection, task_id=task_id, limit=MOST_OFFERS)
            found = None
            if task.state is TaskState.OPEN:
                known = await _known(connection, task, distances, transactions.calendar)
                found = _now(task, await _candidates(connection, task, now), known, now)
        return MatchingView(
            task_id=task_id, state=task.state, offers=[OfferView.of(one) for one in offers], now=found
        )

    @router.post("/{task_id}/offer", response_model=TaskView)
    async def offer_by_hand(task_id: UUID, body: OfferBody, caller: Writer, once: OnceOnly) -> Response:
        """Offer an open task to a volunteer of your choice. The checks of every offer hold: 409 names each that failed."""
        return await once(lambda tx: _offer(tx, task_id, body, caller, distances))

    return router


def _now(task: Task, candidates: list[Candidate], known: Known, now: datetime) -> MatchingNow:
    ring, widens = widest_ring(task, now), WIDENS_AFTER[task.priority]
    ranked, counts = rank(task, candidates, ring, known)
    return MatchingNow(
        ring=ring,
        neighbours_from=task.opened_at + widens[Ring.NEIGHBOURS],
        borough_from=task.opened_at + widens[Ring.BOROUGH],
        may_be_asked=len(ranked),
        suggestions=[
            Suggestion(
                volunteer_id=one.candidate.volunteer_id,
                because=list(reasons(one.candidate, task, one.metres, known)),
            )
            for one in ranked[:MOST_SUGGESTED]
        ],
        not_asked=counted_in_words(counts),
        missing=None if ranked and not task.stopped_by else what_is_missing(task, counts, ring),
    )


async def _offer(tx: Tx, task_id: UUID, body: OfferBody, caller: Caller, distances: Distances) -> BaseModel:
    tasks, volunteers = Tasks(tx), Volunteers(tx)
    await tasks.lock_keys([task_id])
    task = caller.must_see(tasks.get(task_id))
    await known_volunteer(tx.connection, body.volunteer_id, caller)
    await volunteers.lock_keys([body.volunteer_id])
    must_be_there(task, volunteers[body.volunteer_id])
    [candidate] = await _candidates(tx.connection, task, tx.now, body.volunteer_id)
    metres = distances.metres(candidate.sector, task.sector)
    must_be_suitable(candidate, task, metres)
    step = offer(task, volunteers[body.volunteer_id], tx.now, tx.calendar)
    known = await _known(tx.connection, task, distances, tx.calendar)
    ring = Ring.OWN if task.hub_id in candidate.hub_ids else Ring.BOROUGH
    chosen = Chosen(ring, reasons(candidate, task, metres, known), {}, metres)
    volunteers.put(asked(volunteers[body.volunteer_id], tx.now))
    offered = tasks.put_offer(step, explained(step.state, chosen, tx.now, caller.name, body.reason))
    await tasks.save()
    await volunteers.save()
    await store.acts.record(tx, task_id, "offer", body.volunteer_id, caller.name)
    return TaskView.model_validate(offered)


async def _known(connection: Connection, task: Task, distances: Distances, calendar: Calendar) -> Known:
    visits = await visits_to(connection, [task])
    return Known(distances, calendar, visits, await store.hubs.neighbours(connection))


async def _candidates(
    connection: Connection, task: Task, now: datetime, volunteer_id: UUID | None = None
) -> list[Candidate]:
    """Those who do tasks of this kind. With an id: that volunteer, whatever they do, unless they have left."""
    return await store.offers.CANDIDATES.all(
        connection,
        now=now,
        since=now - WEEK,
        kinds=None if volunteer_id else [task.kind],
        volunteer_ids=[volunteer_id] if volunteer_id else None,
    )
