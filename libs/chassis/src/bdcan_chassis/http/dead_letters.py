"""Dead letters by API: list, show, replay, discard. All need the scope `ops:dead-letters`; the last three need a reason."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from bdcan_chassis import dead_letters
from bdcan_chassis.http.auth import Caller, needs
from bdcan_chassis.http.bodies import Body, Text
from bdcan_chassis.http.guard import Routes
from bdcan_chassis.http.idempotency import OnceOnly
from bdcan_chassis.http.paging import Page, PageAsked
from bdcan_chassis.http.problems import GoneError, NotFoundError
from bdcan_chassis.http.reading import reading, transactions_of
from bdcan_chassis.transaction import Tx

Operator = Annotated[Caller, Depends(needs("ops:dead-letters"))]


class DeadLetterView(BaseModel):
    """A dead letter, without its body."""

    model_config = ConfigDict(from_attributes=True)
    id: UUID
    consumer: str
    topic: str
    partition: int
    offset: int
    event_type: str | None = None
    state: str
    reason: str
    error: str
    parked_at: datetime
    settled_at: datetime | None = None


class DeadLetterShown(BaseModel):
    """A dead letter with its headers and its body as text."""

    letter: DeadLetterView
    headers: dict[str, str]
    body: str | None = None


class Why(Body):
    """Why somebody looks or acts. The audit keeps it."""

    reason: Annotated[Text, Field(min_length=3, max_length=500)]


def dead_letter_router() -> Routes:
    """The routes, the same in every service."""
    router = Routes(prefix="/v1/dead-letters", tags=["operations"])

    @router.get("")
    async def list_letters(
        request: Request,
        _caller: Operator,
        paging: PageAsked,
        consumer: str | None = None,
        state: Literal["parked", "queued", "replayed", "discarded"] | None = None,
    ) -> Page[DeadLetterView]:
        """Open dead letters, or those in one state, the oldest first."""
        [seq] = paging.after(int)
        async with reading(request) as connection:
            found = await dead_letters.find(
                connection, consumer=consumer, state=state, limit=paging.rows, after=seq or 0
            )
        return paging.page(found, DeadLetterView.model_validate, lambda letter: (letter.seq,))

    @router.post("/{letter_id}/views")
    async def show(letter_id: UUID, body: Why, request: Request, caller: Operator) -> DeadLetterShown:
        # the body may be about a person: no Idempotency-Key, so that nothing is stored and each look is audited
        async with transactions_of(request).begin(request.state.traceparent) as tx:
            found = await dead_letters.show(tx, letter_id, caller.name, body.reason)
        if found is None:
            raise NotFoundError
        letter, content = found
        return DeadLetterShown(letter=DeadLetterView.model_validate(letter), **content)

    @router.post("/{letter_id}/replays", status_code=202, response_class=Response)
    async def replay(letter_id: UUID, body: Why, caller: Operator, once: OnceOnly) -> Response:
        return await once(_act(dead_letters.request_replay, letter_id, caller, body), status=202)

    @router.post("/{letter_id}/discards", status_code=204, response_class=Response)
    async def discard(letter_id: UUID, body: Why, caller: Operator, once: OnceOnly) -> Response:
        return await once(_act(dead_letters.discard, letter_id, caller, body), status=204)

    return router


def _act(act: Any, letter_id: UUID, caller: Caller, body: Why) -> Any:
    async def work(tx: Tx) -> None:
        if not await act(tx, letter_id, caller.name, body.reason):
            raise GoneError

    return work
