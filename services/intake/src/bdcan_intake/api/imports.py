"""Lists of people as CSV files: good rows go in, the others come back in a file that says what is wrong."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from bdcan_chassis.database import Connection
from bdcan_chassis.http.auth import Caller
from bdcan_chassis.http.bodies import Slug
from bdcan_chassis.http.guard import Routes, terms
from bdcan_chassis.http.paging import Page, PageAsked
from bdcan_chassis.http.problems import (
    BodyError,
    InvalidError,
    NotFoundError,
)
from bdcan_chassis.http.reading import reading, transactions_of
from bdcan_chassis.ids import new_id
from bdcan_contracts.typed.text import compatible
from bdcan_intake import csv_file
from bdcan_intake.api.common import DryRun, Reader, Sender, source_of
from bdcan_intake.domain.imports import Import, ImportState
from bdcan_intake.domain.referral import ReferralState
from bdcan_intake.importing import Importing, Rehearsal
from bdcan_intake.settings import Settings
from bdcan_intake.store.imports import DUPLICATES_OF, FIND, IMPORT, PROBLEMS_OF, DuplicateFound

_MOST_BYTES = 20_000_000
"""A list of 60,000 people fits."""
_MOST_ROWS = 1000
"""Duplicate rows that an answer names at most."""

_FORMULA = ("=", "+", "-", "\u2212", "@", "|")
_BLANK_STARTS = ("\t", "\r", "\n")


class ImportShown(BaseModel):
    """What became of a file's rows. Once it is `done`, each of its `row_count` rows is in one of the first three figures.

    `kept` counts accepted rows with a detail that nobody could read: it is kept as typed, and `errors_url` names it.
    `errors_url` lists 10,000 problems at most, 20 of a row; `unlisted_problems` counts the others.
    """

    model_config = ConfigDict(from_attributes=True, populate_by_name=True)
    import_id: UUID
    source: str
    state: ImportState
    row_count: int | None = None
    accepted: int
    duplicates: int
    refused: int
    kept: int
    unlisted_problems: Annotated[int, Field(validation_alias="unlisted")]
    imported_at: datetime
    ended_at: datetime | None = None
    errors_url: str | None = None
    duplicates_url: str | None = None


class DuplicateShown(BaseModel):
    """A row that says again what an earlier request said: its line in the file, and the referral that it duplicates."""

    model_config = ConfigDict(from_attributes=True)
    line: int
    reference: str | None = None
    referral_id: UUID
    state: ReferralState
    open: bool


class ProblemShown(BaseModel):
    """What is wrong with a row: its line in the file, the column, and what to correct."""

    model_config = ConfigDict(from_attributes=True)
    line: int
    reference: str | None = None
    field: str
    code: str
    message: str


class ImportWithRows(ImportShown):
    """An import with its first duplicate rows. `duplicates_url` has all of them.

    The answer of a dry run has no URLs, because nothing was stored: `problems` names what is wrong.
    """

    duplicate_rows: Annotated[
        list[DuplicateShown], Field(description=f"the first {_MOST_ROWS}, with the states of now")
    ]
    problems: Annotated[
        list[ProblemShown] | None, Field(description=f"of a dry run: the first {_MOST_ROWS}")
    ] = None
    dry_run: Annotated[
        bool | None, Field(description="nothing was stored: new ids in the answer belong to nothing")
    ] = None


_FILE = {"type": "string", "format": "binary"}


def router(settings: Settings) -> Routes:
    """The routes."""
    routes = Routes(prefix="/v1/referral-imports", tags=["imports"])

    @routes.post(
        "",
        status_code=201,
        response_model_exclude_none=True,
        description="The body is the CSV file itself; text/csv is taken, too. Columns, in any order, none required:\n\n"
        + "\n".join(f"- `{name}`: {text}" for name, text in csv_file.COLUMNS.items()),
        openapi_extra=terms(body=_MOST_BYTES)
        | {"requestBody": {"required": True, "content": {"application/octet-stream": {"schema": _FILE}}}},
    )
    async def hand_in(
        request: Request,
        response: Response,
        caller: Sender,
        source: Annotated[
            Slug | None,
            Query(
                min_length=3, max_length=40, description="one of the caller's sources; by default the first"
            ),
        ] = None,
        dry_run: DryRun = False,
    ) -> ImportWithRows:
        # no Idempotency-Key is needed: each row is known by its reference, or by what it says
        if request.headers.get("Content-Type", "").lower().startswith("multipart/"):
            raise csv_file.OtherFileError(
                "This is a form with a file in it. Send the file itself: curl --data-binary @list.csv, not -F or --form."
            )
        source = source_of(request, caller, source)
        if dry_run:
            response.headers["Dry-Run"] = "true"
            return await _rehearsed(request, source, caller, settings)
        importing = Importing(transactions_of(request), new_id(), request.state.traceparent)
        await importing.receive(source, caller.name)
        try:
            content = await request.body()
        except BodyError:
            await importing.break_off()
            raise
        done = await _run(importing, content, source, settings)
        async with reading(request) as connection:
            return await _with_rows(connection, done)

    @routes.get("", response_model_exclude_none=True)
    async def find(
        request: Request,
        caller: Reader,
        paging: PageAsked,
        state: ImportState | None = None,
        source: Slug | None = None,
    ) -> Page[ImportShown]:
        """The newest first. One that is `receiving` or `taking-on` for long, or `broken-off`, has to be sent again."""
        [import_id] = paging.after(UUID)
        async with reading(request) as connection:
            found = await FIND.all(
                connection,
                state=state,
                source=source,
                sources=None if caller.sees_hub(None) else list(caller.sources),
                import_id=import_id,
                limit=paging.rows,
            )
        return paging.page(found, _shown, lambda one: (one.import_id,))

    @routes.get("/{import_id}", response_model_exclude_none=True)
    async def show(request: Request, import_id: UUID, caller: Reader) -> ImportWithRows:
        async with reading(request) as connection:
            found = _must_see(caller, await IMPORT.get.first(connection, keys=[import_id]))
            return await _with_rows(connection, found)

    @routes.get(
        "/{import_id}/errors.csv",
        response_class=Response,
        responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
    )
    async def errors(request: Request, import_id: UUID, caller: Reader) -> Response:
        async with reading(request) as connection:
            shown = _must_see(caller, await IMPORT.get.first(connection, keys=[import_id]))
            found = await PROBLEMS_OF.all(connection, import_id=import_id, limit=None)
        listed = [(str(p.line), p.reference or "", p.field, p.code, p.message) for p in found]
        if shown.unlisted:
            message = (
                f"{shown.unlisted} more problems are not listed: correct these first, and send the file again"
            )
            listed.append(("", "", "", "more", message))
        return _file(f"errors-{import_id}.csv", ("line", "reference", "field", "code", "message"), listed)

    @routes.get(
        "/{import_id}/duplicates.csv",
        response_class=Response,
        responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
    )
    async def duplicates(request: Request, import_id: UUID, caller: Reader) -> Response:
        """Each row that was taken on before, with the referral that it duplicates and the state of that."""
        async with reading(request) as connection:
            _must_see(caller, await IMPORT.get.first(connection, keys=[import_id]))
            found = await DUPLICATES_OF.all(connection, import_id=import_id, limit=None)
        return _file(
            f"duplicates-{import_id}.csv",
            ("line", "reference", "referral_id", "state", "open"),
            (
                (str(d.line), d.reference or "", str(d.referral_id), d.state, "yes" if d.open else "no")
                for d in found
            ),
        )

    return routes


async def _run(importing: Importing, content: bytes, source: str, settings: Settings) -> Import:
    """The import of a file that has arrived. Raises InvalidError where nobody can read it."""
    try:
        sheet = await importing.read(content, settings.import_rows)
    except csv_file.FileError as error:
        raise InvalidError(str(error), code="bad-file", errors=error.errors) from None
    return await importing.take_on(sheet, source, settings.import_chunk)


async def _rehearsed(request: Request, source: str, caller: Caller, settings: Settings) -> ImportWithRows:
    """The answer as if."""
    content = await request.body()
    async with transactions_of(request).rehearsal(request.state.traceparent) as tx:
        importing = Importing(Rehearsal(tx), new_id(), request.state.traceparent)
        await importing.receive(source, caller.name)
        done = await _run(importing, content, source, settings)
        problems = await PROBLEMS_OF.all(tx.connection, import_id=done.import_id, limit=_MOST_ROWS)
        shown = await _with_rows(tx.connection, done)
    said = list(map(ProblemShown.model_validate, problems))
    return shown.model_copy(
        update={"problems": said, "dry_run": True, "errors_url": None, "duplicates_url": None}
    )


def _must_see(caller: Caller, found: Import | None) -> Import:
    if found is None:
        raise NotFoundError
    if found.source not in caller.sources:
        caller.must_see_hub(None)
    return found


def _shown(found: Import) -> ImportShown:
    shown = ImportShown.model_validate(found)
    if found.refused or found.kept or found.state is ImportState.UNREADABLE:
        shown.errors_url = f"/v1/referral-imports/{found.import_id}/errors.csv"
    if found.duplicates:
        shown.duplicates_url = f"/v1/referral-imports/{found.import_id}/duplicates.csv"
    return shown


async def _with_rows(connection: Connection, found: Import) -> ImportWithRows:
    rows: list[DuplicateFound] = []
    if found.duplicates:
        rows = await DUPLICATES_OF.all(connection, import_id=found.import_id, limit=_MOST_ROWS)
    return ImportWithRows(
        **_shown(found).model_dump(), duplicate_rows=list(map(DuplicateShown.model_validate, rows))
    )


def _file(name: str, header: Iterable[str], rows: Iterable[Iterable[str]]) -> Response:
    written = io.StringIO(newline="")
    writer: Any = csv.writer(written)
    writer.writerow(header)
    writer.writerows([harmless(cell) for cell in row] for row in rows)
    return Response(
        written.getvalue(),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def harmless(cell: str) -> str:
    """A spreadsheet must not treat what somebody sent as a formula, whatever stands invisibly before the sign."""
    return f"'{cell}" if cell.startswith(_BLANK_STARTS) or compatible(cell).startswith(_FORMULA) else cell
