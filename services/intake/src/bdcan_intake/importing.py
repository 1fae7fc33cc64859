"""Takes on the rows of a file in a few transactions, and keeps what was wrong with the others.

A file is not one transaction: its rows are worth taking on one by one, the other services can begin, and somebody who
rings meanwhile is served between two chunks. If the process dies half-way nobody was told that the file is in;
handed in again, its first rows are duplicates.
"""

from __future__ import annotations

import asyncio

from bdcan_chassis.transaction import Transactions
from bdcan_intake.admission import Accepted, Duplicate, Refused, take_on
from bdcan_intake.csv_file import Row, Sheet
from bdcan_intake.store import imports
from bdcan_intake.store.imports import Import, RowError


async def import_rows(
    transactions: Transactions, sheet: Sheet, new: Import, chunk: int, traceparent: str | None
) -> Import:
    """Take on all rows, `chunk` in one transaction; returns the import with its figures, written down."""
    accepted = duplicates = 0
    errors: list[RowError] = []
    today = new.imported_at.date()
    for start in range(0, len(sheet.cells), chunk):
        # in a thread: looking at a long list must not hold up somebody who rings
        rows = await asyncio.to_thread(sheet.rows, start, start + chunk, new.source, new.import_id, today)
        refused: dict[int, Refused] = {}
        good = [row for row in rows if row.examined]
        async with transactions.begin(traceparent) as tx:
            answers = await take_on(tx, [row.examined for row in good if row.examined])
        for row, answer in zip(good, answers, strict=True):
            match answer:
                case Accepted():
                    accepted += 1
                case Duplicate():
                    duplicates += 1
                case Refused():
                    refused[row.line] = answer
        errors.extend(error for row in rows for error in _errors(row, refused.get(row.line)))
    total = len(sheet.cells)
    done = new._replace(accepted=accepted, duplicates=duplicates, refused=total - accepted - duplicates)
    async with transactions.begin(traceparent) as tx:
        await imports.add(tx.connection, done, errors)
    return done


def _errors(row: Row, refused: Refused | None) -> list[RowError]:
    problems = refused.problems if refused else row.problems
    reference = row.reference[:100] if row.reference else None
    return [RowError(row.line, reference, p.field, p.code, p.message) for p in problems]
