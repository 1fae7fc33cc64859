"""How a route reads: a connection of the service's pool, for as long as it takes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Request

from bdcan_chassis.database import Connection
from bdcan_chassis.transaction import Transactions


def transactions_of(request: Request) -> Transactions:
    """The service's units of work."""
    return request.app.state.transactions


@asynccontextmanager
async def reading(request: Request) -> AsyncIterator[Connection]:
    """A connection for reading, without a transaction."""
    async with transactions_of(request).pool.acquire() as connection:
        yield connection
