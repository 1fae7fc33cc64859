"""How a route reads: it borrows a connection of the service's pool."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Request

from bdcan_chassis.database import Connection
from bdcan_chassis.transaction import Transactions


def transactions_of(request: Request) -> Transactions:
    """The service's transactions."""
    return request.app.state.transactions


@asynccontextmanager
async def reading(request: Request) -> AsyncIterator[Connection]:
    """A connection for reading, without a transaction."""
    async with transactions_of(request).pool.acquire() as connection:
        yield connection
