"""The list from which a hub makes its calls: what is most pressing, and the next call for whoever is free."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Request, Response
from pydantic import BaseModel

from bdcan_chassis.http.bodies import Slug
from bdcan_chassis.http.guard import Routes
from bdcan_chassis.http.idempotency import OnceOnly
from bdcan_chassis.http.paging import Page, PageAsked
from bdcan_chassis.http.reading import reading, transactions_of
from bdcan_chassis.transaction import Tx
from bdcan_volunteer_match import store
from bdcan_volunteer_match.api.calls import CallView, Reader, Writer, claimed, views_of
from bdcan_volunteer_match.api.shared import hubs_to_show, must_be_hub
from bdcan_volunteer_match.books import Calls
from bdcan_volunteer_match.domain.call import WelfareCall
from bdcan_volunteer_match.domain.call_list import Band, Urgency, bands, urgency_of
from bdcan_volunteer_match.domain.errors import NotAllowedError
from bdcan_volunteer_match.settings import Settings

_MOST_TRIED = 50
"""So many calls are tried for whoever wants the next one. Few cannot be claimed, and those stay on the list until a person has looked."""


class HubCounts(BaseModel):
    """How many calls of a hub should be made now, by group."""

    hub_id: str
    counts: dict[Urgency, int]


class ListCounts(BaseModel):
    """The lists of the caller's hubs, in numbers. A hub without a call is left out."""

    hubs: list[HubCounts]


def router(settings: Settings) -> Routes:
    """The routes."""
    router = Routes(prefix="/v1/call-list", tags=["call list"])

    @router.get("", response_model_exclude_none=True)
    async def show_list(
        request: Request,
        caller: Reader,
        paging: PageAsked,
        hub: Slug | None = None,
        urgency: Annotated[list[Urgency] | None, Query(description="only these groups")] = None,
    ) -> Page[CallView]:
        """Calls that should be made now: critically overdue, overdue, due soon, not due; in each, the priority first.

        All pages show the groups as they were at the first page.
        """
        as_of, band, due_at, referral_id = paging.after(datetime, int, datetime, UUID)
        now = as_of or transactions_of(request).clock.now()
        groups = bands(now)
        async with reading(request) as connection:
            await must_be_hub(connection, hub)
            found = await store.calls.FIND_LIST.all(
                connection,
                hubs=hubs_to_show(caller, hub),
                now=now,
                band=band,
                due_at=due_at,
                referral_id=referral_id,
                limit=paging.rows,
                **_limits(groups, urgency),
            )
            views = await views_of(connection, found, caller, now)
        return paging.page(
            found,
            views.__getitem__,
            lambda call: (now, _band_of(call, groups, now), call.due_at, call.referral_id),
        )

    @router.get("/counts")
    async def count_list(request: Request, caller: Reader, hub: Slug | None = None) -> ListCounts:
        """How many calls should be made now, by hub and group: the hub with the most pressing calls first."""
        now = transactions_of(request).clock.now()
        groups = bands(now)
        async with reading(request) as connection:
            await must_be_hub(connection, hub)
            rows = await store.calls.COUNT_LIST.records(
                connection, hubs=hubs_to_show(caller, hub), now=now, **_limits(groups, None)
            )
        counted: dict[str, dict[Urgency, int]] = {}
        for hub_id, band, number in rows:
            counts = counted.setdefault(hub_id, dict.fromkeys(Urgency, 0))
            counts[groups[band - 1].urgency] += number
        worst_first = sorted(counted.items(), key=lambda item: (*(-n for n in item[1].values()), item[0]))
        return ListCounts(hubs=[HubCounts(hub_id=hub_id, counts=counts) for hub_id, counts in worst_first])

    @router.post("/next", response_model=CallView)
    async def claim_next(
        caller: Writer,
        once: OnceOnly,
        hub: Annotated[Slug | None, Query(description="of this hub only")] = None,
    ) -> Response:
        """Claim the first call of the list, for 30 minutes. Whoever has one claimed already gets that one again."""

        async def work(tx: Tx) -> BaseModel:
            await must_be_hub(tx.connection, hub)
            hubs = hubs_to_show(caller, hub)
            mine = await store.calls.CLAIMED_BY.all(tx.connection, caller=caller.name)
            mine = [call for call in mine if hubs is None or call.hub_id in hubs]
            if mine:
                own = next((one for one in mine if one.claimed_with in (None, one.referral_id)), mine[0])
                return await claimed(Calls(tx), own.call_id, caller, settings)
            await store.calls.LOCK_NEXT.execute(tx.connection)
            first = await store.calls.FIND_LIST.all(
                tx.connection,
                hubs=hubs,
                now=tx.now,
                band=None,
                due_at=None,
                referral_id=None,
                limit=_MOST_TRIED,
                **_limits(bands(tx.now), None),
            )
            for call in first:
                with suppress(NotAllowedError):  # claimed by its id meanwhile, or a person must look first
                    return await claimed(Calls(tx), call.call_id, caller, settings)
            raise NotAllowedError("nobody-to-call", "Nobody has to be called now. Look again later.")

        return await once(work)

    return router


def _limits(groups: Sequence[Band], urgency: Sequence[Urgency] | None) -> dict[str, Any]:
    """The bands as the query takes them. One that is not asked for holds nothing."""
    asked = [band if urgency is None or band.urgency in urgency else None for band in groups]
    return {
        "priorities": [band.priority if band else None for band in asked],
        "later_than": [band.after if band else None for band in asked],
        "not_later": [band.until if band else None for band in asked],
    }


def _band_of(call: WelfareCall, groups: Sequence[Band], now: datetime) -> int:
    """The place of its band, from 1."""
    mine = (urgency_of(call, now), call.priority)
    return next(place for place, band in enumerate(groups, 1) if (band.urgency, band.priority) == mine)
