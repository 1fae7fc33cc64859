"""What all routes share: paging, path ids, and which hubs a list may show."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Query, Request
from pydantic import BaseModel, ConfigDict

from bdcan_chassis.database import Pool
from bdcan_chassis.http.auth import Caller
from bdcan_chassis.transaction import Transactions

HUB_ID = r"^[a-z0-9]+(-[a-z0-9]+)*$"

Limit = Annotated[int, Query(ge=1, le=1000, description="items of one page at most")]
After = Annotated[UUID | None, Query(description="`next` of the page before")]


class Body(BaseModel):
    """A request's body: a field that is not known is an error, not a surprise."""

    model_config = ConfigDict(extra="forbid")


def pool_of(request: Request) -> Pool:
    """Connections for reading."""
    transactions: Transactions = request.app.state.transactions
    return transactions.pool


def hubs_to_show(caller: Caller, hub: str | None) -> list[str] | None:
    """The hubs that a list is about; None for all. Raises NotFoundError for a hub that the caller does not see."""
    if hub is None:
        return caller.visible_hubs
    caller.must_see_hub(hub)
    return [hub]
