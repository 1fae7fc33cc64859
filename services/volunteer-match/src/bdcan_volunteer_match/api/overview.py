"""The state of everything in a few numbers, and the hubs."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request
from pydantic import BaseModel, ConfigDict

from bdcan_chassis.http.auth import Caller, needs
from bdcan_chassis.http.guard import Routes
from bdcan_chassis.http.reading import reading
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

    @router.get("/hubs")
    async def list_hubs(request: Request, _caller: Reader) -> HubList:
        """The hubs that calls and tasks belong to."""
        async with reading(request) as connection:
            return HubList(
                items=[HubView.model_validate(hub) for hub in await store.hubs.FIND.all(connection)]
            )

    return router
