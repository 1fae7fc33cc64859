"""Takes on the rows of a file in a few transactions, and keeps what was wrong with the others.

A file is not one transaction. Each row is worth taking on, the other services can begin, and intake serves callers between
two chunks. Each transaction brings the figures of the import up to date, so that they are true whatever happens next. If
the import breaks off, the sender hands the file in again: the rows that are in are then duplicates.

A dry run does the same in one transaction (`Rehearsal`), which is rolled back.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import date
from typing import Protocol
from uuid import UUID

from bdcan_chassis.database import backoff_seconds
from bdcan_chassis.errors import DATABASE_ERRORS, is_transient
from bdcan_chassis.transaction import Tx
from bdcan_contracts.envelope import Problem
from bdcan_intake import csv_file, store
from bdcan_intake.admission import Accepted, Duplicate, Refused, take_on
from bdcan_intake.books import Imports, Referrals
from bdcan_intake.csv_file import Row, Sheet
from bdcan_intake.domain import imports
from bdcan_intake.domain.errors import BrokenOffError
from bdcan_intake.domain.imports import Import, Taken
from bdcan_intake.domain.references import named_alike, told
from bdcan_intake.store.imports import DuplicateRow, RowProblem

MOST_PROBLEMS = 10_000
"""Problems of one file that are kept; the others are counted."""
_TRIES = 6
_PAUSE_SECONDS = 2.0


class Units(Protocol):
    """Where the transactions of an import come from."""

    @property
    def today(self) -> date: ...  # noqa: D102

    def begin(self, traceparent: str | None = None) -> AbstractAsyncContextManager[Tx]: ...  # noqa: D102


class Rehearsal:
    """Gives one transaction again and again. Whoever opened it rolls it back: the import leaves nothing behind."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx

    @property
    def today(self) -> date:
        """The local date."""
        return self._tx.today

    @asynccontextmanager
    async def begin(self, traceparent: str | None = None) -> AsyncIterator[Tx]:  # noqa: ARG002 # it has begun
        """The transaction. It goes on after the block."""
        yield self._tx
        await self._tx.flush()


class Importing:
    """Runs one import. Each of its transactions leaves a true record."""

    def __init__(self, transactions: Units, import_id: UUID, traceparent: str | None) -> None:
        self._transactions = transactions
        self._import_id = import_id
        self._traceparent = traceparent

    async def receive(self, source: str, caller: str) -> None:
        """Put the import on record, before a byte of the file is read."""
        async with self._transactions.begin(self._traceparent) as tx:
            book = Imports(tx)
            book.put(imports.receive(self._import_id, source, caller, tx.now))
            await book.save()

    async def break_off(self) -> None:
        """Record that the file did not arrive."""
        async with self._transactions.begin(self._traceparent) as tx:
            book = Imports(tx)
            for found in await book.lock_keys([self._import_id]):
                if step := imports.break_off(found, tx.now):
                    book.put(step)
            await book.save()

    async def read(self, content: bytes, most_rows: int) -> Sheet:
        """The rows of the file. Raises FileError or OtherFileError; the problems are then on record."""
        sha256 = hashlib.sha256(content).hexdigest()
        try:
            sheet = await asyncio.to_thread(csv_file.take_apart, content, most_rows)
        except (csv_file.FileError, csv_file.OtherFileError) as error:
            await self._unreadable(sha256, error.errors)
            raise
        async with self._transactions.begin(self._traceparent) as tx:
            book = Imports(tx)
            [found] = await book.lock_keys([self._import_id])
            book.put(imports.arrived(found, sha256, len(sheet.records), tx.now))
            await book.save()
        return sheet

    async def take_on(self, sheet: Sheet, source: str, chunk: int) -> Import:
        """Take on all rows, `chunk` in one transaction; returns the import. Raises BrokenOffError."""
        for start in range(0, len(sheet.records), chunk):
            await self._take_on(sheet, source, start, start + chunk)
        async with self._transactions.begin(self._traceparent) as tx:
            [done] = await store.imports.IMPORT.get.all(tx.connection, keys=[self._import_id])
        return done

    async def _unreadable(self, sha256: str, wrong: Sequence[Problem]) -> None:
        async with self._transactions.begin(self._traceparent) as tx:
            book = Imports(tx)
            [found] = await book.lock_keys([self._import_id])
            book.put(imports.unreadable(found, sha256, tx.now))
            await book.save()
            await self._keep(tx, 0, [(1, None, problem) for problem in wrong])

    async def _take_on(self, sheet: Sheet, source: str, start: int, stop: int) -> None:
        """Take on some rows. After a deadlock or a lost connection it tries again."""
        # in a thread: looking at a long list must not hold up somebody who rings
        today = self._transactions.today
        rows = await asyncio.to_thread(sheet.rows, start, stop, source, self._import_id, today)
        attempt = 0
        while True:
            attempt += 1
            try:
                async with self._transactions.begin(self._traceparent) as tx:
                    return await self._chunk(tx, rows, start)
            except DATABASE_ERRORS as error:
                if not is_transient(error) or isinstance(self._transactions, Rehearsal):
                    raise
                if attempt >= _TRIES:
                    raise self._broken_off(sheet, start) from error
                await asyncio.sleep(backoff_seconds(attempt, most=_PAUSE_SECONDS))

    async def _chunk(self, tx: Tx, rows: list[Row], start: int) -> None:
        book = Imports(tx)
        [found] = await book.lock_keys([self._import_id])
        if found.rows_seen > start:
            return  # these rows were committed, and only the answer was lost
        good = [row for row in rows if row.examined]
        causes = tx.begin_traces("row", [(self._import_id, row.line) for row in good])
        answers = await take_on(Referrals(tx), [row.examined for row in good if row.examined], causes)
        by_line = {row.line: answer for row, answer in zip(good, answers, strict=True)}
        repeated: list[DuplicateRow] = []
        problems: list[tuple[int, str | None, Problem]] = []
        for row in rows:
            person = row.examined.submission.person if row.examined else None
            reference = told(found.source, row.reference, person)[:100] if row.reference else None
            answer = by_line.get(row.line)
            if isinstance(answer, Duplicate | Refused) and reference:
                reference = named_alike(answer.told_reference, reference)
            match answer:
                case Accepted():
                    wrong = row.kept
                case Refused(found_wrong):
                    wrong = found_wrong
                case Duplicate(referral_id):
                    wrong = ()
                    repeated.append(DuplicateRow(self._import_id, row.line, reference, referral_id))
                case None:
                    wrong = row.problems
            problems += [(row.line, reference, problem) for problem in wrong]
        accepted = sum(isinstance(answer, Accepted) for answer in answers)
        kept = sum(bool(row.kept) and isinstance(by_line[row.line], Accepted) for row in good)
        listed = await store.imports.COUNT_PROBLEMS.value(tx.connection, import_id=self._import_id)
        room = max(0, MOST_PROBLEMS - listed)
        unlisted = sum(row.more for row in rows) + len(problems[room:])
        taken = Taken(accepted, len(repeated), len(rows) - accepted - len(repeated), kept, unlisted)
        book.put(imports.took_on(found, taken, tx.now))
        await book.save()
        await store.imports.DUPLICATE.insert(tx.connection, repeated, tx.now)
        await self._keep(tx, listed, problems[:room])

    async def _keep(self, tx: Tx, first: int, problems: Sequence[tuple[int, str | None, Problem]]) -> None:
        rows = [
            RowProblem(
                self._import_id,
                place,
                line,
                reference,
                problem.field,
                problem.code,
                problem.message,
            )
            for place, (line, reference, problem) in enumerate(problems, first)
        ]
        await store.imports.PROBLEM.insert(tx.connection, rows, tx.now)

    def _broken_off(self, sheet: Sheet, start: int) -> BrokenOffError:
        return BrokenOffError(
            f"The first {start} of {len(sheet.records)} rows are done, and the others are not. Send the file again:"
            f" nobody is taken on twice. The import is {self._import_id}."
        )
