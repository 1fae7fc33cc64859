"""The state of everything in a few numbers, and the hubs."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from bdcan_chassis.http.auth import Caller, needs
from bdcan_chassis.http.guard import Routes
from bdcan_chassis.http.reading import reading, transactions_of
from bdcan_volunteer_match import store

Reader = Annotated[Caller, Depends(needs("calls:read"))]


class Summary(BaseModel):
    """Counts by state. `unfilled_tasks`: nobody was found in time, and offers continue."""

    model_config = ConfigDict(from_attributes=True)
    calls: dict[str, int]
    tasks: dict[str, int]
    volunteers: dict[str, int]
    unfilled_tasks: int


class HubView(BaseModel):
    """A hub, as routing last announced it."""

    model_config = ConfigDict(from_attributes=True)
    hub_id: str
    name: str
    paused: bool


class HubList(BaseModel):
    """All hubs."""

    items: list[HubView]


class MatchingFigures(BaseModel):
    """How well and how fairly a hub's tasks found volunteers in the last seven days. A figure with nothing to count is absent."""

    model_config = ConfigDict(from_attributes=True)
    hub: str
    volunteers: int = Field(description="active ones")
    asked_share: float | None = Field(default=None, description="of them, the share who got an offer")
    offers_each: float | None = Field(default=None, description="offers for each of them")
    gini: float | None = Field(
        default=None, description="of the tasks that each of them accepted: 0 is even, 1 is one person"
    )
    tasks: int = Field(description="those that were offered, or are open and were never offered")
    matched_share: float | None = Field(
        default=None, description="of these, the share that somebody accepted"
    )
    done_share: float | None = Field(
        default=None,
        description="of the offered ones that are done or past their time, the share that is done",
    )
    metres: float | None = Field(default=None, description="the median way of an offer")


class MatchingFiguresList(BaseModel):
    """All hubs of the caller."""

    items: list[MatchingFigures]


def router() -> Routes:
    """The routes."""
    router = Routes(prefix="/v1", tags=["overview"])

    @router.get("/summary")
    async def show_summary(request: Request, caller: Reader) -> Summary:
        """Welfare calls, tasks and volunteers of the caller's hubs, by state."""
        async with reading(request) as connection:
            return Summary.model_validate(
                await store.summary.COUNT.first(connection, hubs=caller.visible_hubs)
            )

    @router.get("/matching-figures", response_model_exclude_none=True)
    async def show_matching_figures(request: Request, caller: Reader) -> MatchingFiguresList:
        """How well and how fairly tasks found volunteers in the last seven days, by hub."""
        now = transactions_of(request).clock.now()
        async with reading(request) as connection:
            found = await store.figures.FIND.all(connection, now=now, hubs=caller.visible_hubs)
        return MatchingFiguresList(items=[MatchingFigures.model_validate(one) for one in found])

    @router.get("/hubs")
    async def list_hubs(request: Request, _caller: Reader) -> HubList:
        """The hubs that calls and tasks belong to."""
        async with reading(request) as connection:
            return HubList(
                items=[HubView.model_validate(hub) for hub in await store.hubs.FIND.all(connection)]
            )

    return router
