"""`python -m bdcan_foodhub check-stock`: compute the levels again from the ledger and the parcels, and compare."""

from __future__ import annotations

import sys

from bdcan_chassis.transaction import Transactions
from bdcan_foodhub import store


async def check_stock(transactions: Transactions, _arguments: list[str]) -> int:
    """Name each item whose level differs from ledger and parcels; exit code 1 if there is one."""
    async with (
        transactions.pool.acquire() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        drifted = await store.stock.DRIFTED.all(connection)
    for level in drifted:
        sys.stdout.write(f"{level.site_id} {level.item_id}: level, ledger and parcels differ\n")
    sys.stdout.write(f"{len(drifted)} item(s) do not add up\n")
    return 1 if drifted else 0
