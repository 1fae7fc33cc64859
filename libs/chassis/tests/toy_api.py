"""Routes that fail in every way that a route can."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

import asyncpg
from fastapi import Depends, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from bdcan_chassis.http.auth import Caller, needs
from bdcan_chassis.http.bodies import Body, Slug, Text
from bdcan_chassis.http.guard import Routes
from bdcan_chassis.http.idempotency import OnceOnly
from bdcan_chassis.http.paging import Page, PageAsked
from bdcan_chassis.http.problems import ConflictError
from bdcan_chassis.transaction import Transactions, Tx

DUE = datetime(2020, 3, 23, 9, tzinfo=UTC)


class ByPost(BaseModel):
    model_config = ConfigDict(extra="forbid")
    by: Literal["post"]
    postcode: str = Field(pattern="^[A-Z0-9 ]+$")


class ByPhone(BaseModel):
    model_config = ConfigDict(extra="forbid")
    by: Literal["phone"]
    number: str


class Person(BaseModel):
    """A body with something of every kind that can be at fault."""

    model_config = ConfigDict(extra="forbid")
    id: UUID
    name: str = Field(min_length=2, max_length=40)
    born: date
    household: int = Field(ge=1, le=20)
    contact: Annotated[ByPost | ByPhone, Field(discriminator="by")]
    needs: list[Literal["food", "call"]] = []


class Mood(StrEnum):
    GLAD = "glad"


class Inner(Body):
    born: date


class Delivery(Body):
    """A body with each kind of value that JSON has no word for."""

    lot: Slug
    note: Annotated[Text, Field(min_length=1)] | None = None
    quantity: int
    weight: float | None = None
    best_before: date | None = None
    counted_at: AwareDatetime | None = None
    mood: Mood = Mood.GLAD
    ids: tuple[UUID, ...] = ()
    inner: tuple[Inner, ...] = ()


class Kept(BaseModel):
    """An answer."""

    number: int


class Shown(BaseModel):
    """An item of a list."""

    number: int
    note: str | None = None


@dataclass
class Household:
    """Something that belongs to a hub."""

    hub_id: str


class ToyError(Exception):
    """A domain error that the service maps to 409."""


def toy_router() -> Routes:
    router = Routes(prefix="/toy")

    @router.post("/echo")
    async def echo(body: Delivery, _caller: Annotated[Caller, Depends(needs("tasks:write"))]) -> Delivery:
        return body

    @router.post("/kept-deliveries", status_code=201)
    async def kept(
        body: Delivery, _caller: Annotated[Caller, Depends(needs("tasks:write"))], once: OnceOnly
    ) -> Response:
        async def work(_tx: Tx) -> Kept:
            return Kept(number=body.quantity)

        return await once(work, status=201)

    @router.get("/said/{lot}")
    async def said(lot: Slug, told: Annotated[str, Query(alias="as", min_length=1)]) -> dict[str, str]:
        return {"lot": lot, "as": told}

    @router.post("/people", status_code=201)
    async def person(body: Person, _caller: Annotated[Caller, Depends(needs("tasks:write"))]) -> Kept:
        return Kept(number=body.household)

    @router.post("/entries/{account}", status_code=201)
    async def entry(
        account: UUID,
        body: Kept,
        _caller: Annotated[Caller, Depends(needs("tasks:write"))],
        once: OnceOnly,
    ) -> Response:
        async def work(tx: Tx) -> Kept:
            if body.number < 0:
                raise ConflictError("Not below nought.")
            await tx.connection.execute(
                "INSERT INTO account VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET numbers = account.numbers || excluded.numbers",
                account,
                [body.number],
            )
            return body

        return await once(work, status=201)

    @router.get("/accounts/{account}")
    async def account(
        account: UUID, request: Request, _caller: Annotated[Caller, Depends(needs("tasks:read"))]
    ) -> Kept:
        transactions: Transactions = request.app.state.transactions
        return Kept(
            number=await transactions.pool.fetchval("SELECT count(*) FROM account WHERE id = $1", account)
        )

    @router.post("/deliveries", status_code=201)
    async def delivery(body: Delivery) -> Kept:
        return Kept(number=body.quantity)

    @router.get("/numbers")
    async def numbers(paging: PageAsked) -> Page[Shown]:
        due_at, number = paging.after(datetime | None, int)
        below = number if due_at is None or due_at == DUE else 0
        found = [n for n in range(5) if below is None or n > below][: paging.rows]
        return paging.page(found, lambda n: Shown(number=n), lambda n: (DUE, n))

    @router.get("/hubs/{hub}")
    async def hub(hub: str, caller: Annotated[Caller, Depends(needs("tasks:read"))]) -> Kept:
        caller.must_see(Household(hub) if hub != "none" else None)
        return Kept(number=len(caller.visible_hubs or []))

    @router.get("/text")
    async def text(text: str, request: Request) -> Kept:
        transactions: Transactions = request.app.state.transactions
        return Kept(number=await transactions.pool.fetchval("SELECT length($1::text)", text))

    @router.get("/bug")
    async def bug() -> Kept:
        raise RuntimeError("Rose Tremain, 07700 900123")

    @router.get("/row")
    async def row(request: Request) -> Kept:
        transactions: Transactions = request.app.state.transactions
        await transactions.pool.execute(
            "INSERT INTO account VALUES ('07700900-1230-0000-0000-000000000000', '{}'), ('07700900-1230-0000-0000-000000000000', '{}')"
        )
        return Kept(number=0)

    @router.get("/deadlock")
    async def deadlock() -> Kept:
        raise asyncpg.DeadlockDetectedError("deadlock detected")

    @router.get("/refused")
    async def refused() -> Kept:
        raise ToyError("It is too late for that.")

    return router
