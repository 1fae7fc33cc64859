"""Takes on the rows of a file in a few transactions, and keeps what was wrong with the others.

A file is not one transaction. Each row is worth taking on, the other services can begin, and intake serves callers between
two chunks. If the process dies half-way, the sender gets no answer and hands the file in again: its first rows are
then duplicates.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from uuid import UUID

from bdcan_chassis.transaction import Transactions
from bdcan_contracts.envelope import Problem
from bdcan_intake import store
from bdcan_intake.admission import Accepted, Duplicate, Refused, take_on
from bdcan_intake.books import Referrals
from bdcan_intake.csv_file import Row, Sheet
from bdcan_intake.store.imports import Import, RowProblem


async def import_rows(
    transactions: Transactions,
    sheet: Sheet,
    import_id: UUID,
    source: str,
    *,
    caller: str,
    sha256: str,
    imported_at: datetime,
    chunk: int,
    traceparent: str | None,
) -> Import:
    """Take on all rows, `chunk` in one transaction; returns the import with its figures, written down."""
    accepted = duplicates = 0
    problems: list[RowProblem] = []
    for start in range(0, len(sheet.cells), chunk):
        # in a thread: looking at a long list must not hold up somebody who rings
        rows = await asyncio.to_thread(
            sheet.rows, start, start + chunk, source, import_id, imported_at.date()
        )
        refused: dict[int, Refused] = {}
        good = [row for row in rows if row.examined]
        async with transactions.begin(traceparent) as tx:
            answers = await take_on(Referrals(tx), [row.examined for row in good if row.examined])
        for row, answer in zip(good, answers, strict=True):
            match answer:
                case Accepted():
                    accepted += 1
                case Duplicate():
                    duplicates += 1
                case Refused():
                    refused[row.line] = answer
        for row in rows:
            for problem in refused[row.line].problems if row.line in refused else row.problems:
                problems.append(_row_problem(import_id, len(problems), row, problem))
    total = len(sheet.cells)
    done = Import(
        import_id,
        source,
        caller,
        sha256,
        accepted=accepted,
        duplicates=duplicates,
        refused=total - accepted - duplicates,
        imported_at=imported_at,
    )
    async with transactions.begin(traceparent) as tx:
        await store.imports.IMPORT.insert(tx.connection, [done], tx.now)
        await store.imports.PROBLEM.insert(tx.connection, problems, tx.now)
    return done


def _row_problem(import_id: UUID, place: int, row: Row, problem: Problem) -> RowProblem:
    reference = row.reference[:100] if row.reference else None
    return RowProblem(import_id, place, row.line, reference, problem.field, problem.code, problem.message)
