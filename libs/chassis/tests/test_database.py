"""COPY of many rows at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import pytest

from bdcan_chassis.database import MANY_ROWS, copied
from bdcan_chassis.testing.harness import START, Harness
from bdcan_chassis.transaction import Tx


async def copy(tx: Tx, rows: Sequence[tuple[Any, ...]]) -> bool:
    return await copied(tx.connection, "account", ("id", "numbers", "changed_at"), rows)


def new_rows(count: int) -> list[tuple[Any, ...]]:
    return [(uuid4(), [number], START) for number in range(count)]


async def test_many_new_rows_are_copied(ledger: Harness) -> None:
    async with ledger.transactions.begin() as tx:
        assert await copy(tx, new_rows(MANY_ROWS))
    assert len(await ledger.fetch("SELECT FROM account")) == MANY_ROWS


async def test_few_rows_are_left_to_the_caller(ledger: Harness) -> None:
    async with ledger.transactions.begin() as tx:
        assert not await copy(tx, new_rows(MANY_ROWS - 1))
        assert not await copy(tx, [])
    assert await ledger.fetch("SELECT FROM account") == []


@pytest.mark.parametrize("place", [0, MANY_ROWS])
async def test_copy_that_meets_a_known_row_writes_none(ledger: Harness, place: int) -> None:
    [known], rows = new_rows(1), new_rows(MANY_ROWS)
    async with ledger.transactions.begin() as tx:
        await tx.connection.execute("INSERT INTO account VALUES ($1, $2, $3)", *known)
    rows.insert(place, known)
    async with ledger.transactions.begin() as tx:
        assert not await copy(tx, rows)
        await tx.connection.execute("INSERT INTO account VALUES ($1, $2, $3)", *rows[1 - (place > 0)])
    assert len(await ledger.fetch("SELECT FROM account")) == 2
