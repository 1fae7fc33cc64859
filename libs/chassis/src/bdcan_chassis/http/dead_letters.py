"""Dead letters by API: list, show, replay, discard. Needs the scope `ops:dead-letters`; whoever acts gives a reason."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from bdcan_chassis import dead_letters
from bdcan_chassis.http.auth import Caller, needs
from bdcan_chassis.http.idempotency import OnceOnly
from bdcan_chassis.http.problems import NotFoundError
from bdcan_chassis.transaction import Transactions, Tx

Operator = Annotated[Caller, Depends(needs("ops:dead-letters"))]


class DeadLetterView(BaseModel):
    """A record that was set aside, without its body."""

    model_config = ConfigDict(from_attributes=True)
    id: UUID
    consumer: str
    topic: str
    partition: int
    offset: int
    event_type: str | None
    state: str
    reason: str
    error: str
    parked_at: datetime
    settled_at: datetime | None


class DeadLetterList(BaseModel):
    """Open records, oldest first."""

    items: list[DeadLetterView]


class DeadLetterShown(BaseModel):
    """A record with its headers and its body as text."""

    letter: DeadLetterView
    headers: dict[str, str]
    body: str | None


class Reason(BaseModel):
    """Why; goes to the audit."""

    model_config = ConfigDict(extra="forbid")
    reason: str = Field(min_length=3, max_length=500)


def dead_letter_router() -> APIRouter:
    """The routes, the same in every service."""
    router = APIRouter(prefix="/v1/dead-letters", tags=["operations"])

    @router.get("")
    async def list_letters(
        request: Request,
        _caller: Operator,
        loop: str | None = None,
        state: Literal["parked", "queued", "replayed", "discarded"] | None = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> DeadLetterList:
        transactions: Transactions = request.app.state.transactions
        async with transactions.pool.acquire() as connection:
            found = await dead_letters.find(connection, consumer=loop, state=state, limit=limit)
        return DeadLetterList(items=[DeadLetterView.model_validate(letter) for letter in found])

    @router.post("/{letter_id}/views")
    async def show(letter_id: UUID, body: Reason, caller: Operator, once: OnceOnly) -> Response:
        async def work(tx: Tx) -> BaseModel:
            found = await dead_letters.show(tx.connection, letter_id, caller.name, body.reason)
            if found is None:
                raise NotFoundError("There is no such record.")
            letter, content = found
            return DeadLetterShown(letter=DeadLetterView.model_validate(letter), **content)

        return await once(work)

    @router.post("/{letter_id}/replays", status_code=202)
    async def replay(letter_id: UUID, body: Reason, caller: Operator, once: OnceOnly) -> Response:
        return await once(_act(dead_letters.request_replay, letter_id, caller, body), status=202)

    @router.post("/{letter_id}/discards", status_code=204)
    async def discard(letter_id: UUID, body: Reason, caller: Operator, once: OnceOnly) -> Response:
        return await once(_act(dead_letters.discard, letter_id, caller, body), status=204)

    return router


def _act(act: Any, letter_id: UUID, caller: Caller, body: Reason) -> Any:
    async def work(tx: Tx) -> None:
        if not await act(tx.connection, letter_id, caller.name, body.reason):
            raise NotFoundError("No open record has this id.")

    return work
