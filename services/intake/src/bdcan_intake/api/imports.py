"""Lists of people as CSV files: good rows go in, the others come back in a file that says what is wrong."""

from __future__ import annotations

import asyncio
import csv
import hashlib
import io
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from bdcan_chassis.http.auth import Caller
from bdcan_chassis.http.bodies import SLUG
from bdcan_chassis.http.problems import InvalidError, NotFoundError
from bdcan_chassis.http.reading import reading, transactions_of
from bdcan_chassis.ids import new_id
from bdcan_intake import csv_file
from bdcan_intake.api.common import Reader, Writer
from bdcan_intake.importing import import_rows
from bdcan_intake.settings import Settings
from bdcan_intake.store.imports import IMPORT, PROBLEMS_OF, Import, RowProblem

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class ImportShown(BaseModel):
    """What became of a file's rows. Every row is in one of the three figures."""

    import_id: UUID
    source: str
    accepted: int
    duplicates: int
    refused: int
    imported_at: datetime
    errors_url: str | None = None


def router(settings: Settings) -> APIRouter:
    """The routes."""
    routes = APIRouter(prefix="/v1/referral-imports", tags=["imports"])

    @routes.post(
        "",
        status_code=201,
        response_model_exclude_none=True,
        description="Columns, in any order, none required:\n\n"
        + "\n".join(f"- `{name}`: {text}" for name, text in csv_file.COLUMNS.items()),
        openapi_extra={
            "requestBody": {"required": True, "content": {"text/csv": {"schema": {"type": "string"}}}}
        },
    )
    async def hand_in(
        request: Request,
        caller: Writer,
        source: Annotated[str, Query(min_length=3, max_length=40, pattern=SLUG)],
    ) -> ImportShown:
        # no Idempotency-Key is needed: each row is known by its reference, or by what it says
        content = await request.body()
        transactions = transactions_of(request)
        try:
            sheet = await asyncio.to_thread(csv_file.take_apart, content, settings.import_rows)
        except csv_file.FileError as error:
            raise InvalidError(str(error), code="bad-file", errors=error.errors) from None
        done = await import_rows(
            transactions,
            sheet,
            new_id(),
            source,
            caller=caller.name,
            sha256=hashlib.sha256(content).hexdigest(),
            imported_at=transactions.clock.now(),
            chunk=settings.import_chunk,
            traceparent=request.state.traceparent,
        )
        return _shown(done)

    @routes.get("/{import_id}", response_model_exclude_none=True)
    async def show(request: Request, import_id: UUID, caller: Reader) -> ImportShown:
        async with reading(request) as connection:
            return _shown(_must_see(caller, await IMPORT.get.first(connection, keys=[import_id])))

    @routes.get(
        "/{import_id}/errors.csv",
        response_class=Response,
        responses={200: {"content": {"text/csv": {}}}},
    )
    async def errors(request: Request, import_id: UUID, caller: Reader) -> Response:
        async with reading(request) as connection:
            _must_see(caller, await IMPORT.get.first(connection, keys=[import_id]))
            found = await PROBLEMS_OF.all(connection, import_id=import_id)
        return Response(
            _as_csv(found),
            media_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="errors-{import_id}.csv"'},
        )

    return routes


def _must_see(caller: Caller, found: Import | None) -> Import:
    if found is None:
        raise NotFoundError
    if found.caller != caller.name:
        caller.must_see_hub(None)
    return found


def _shown(done: Import) -> ImportShown:
    return ImportShown(
        import_id=done.import_id,
        source=done.source,
        accepted=done.accepted,
        duplicates=done.duplicates,
        refused=done.refused,
        imported_at=done.imported_at,
        errors_url=f"/v1/referral-imports/{done.import_id}/errors.csv" if done.refused else None,
    )


def _as_csv(problems: list[RowProblem]) -> str:
    written = io.StringIO(newline="")
    writer: Any = csv.writer(written)
    writer.writerow(("line", "reference", "field", "code", "message"))
    for one in problems:
        cells = (one.reference or "", one.field, one.code, one.message)
        writer.writerow([one.line, *map(_harmless, cells)])
    return written.getvalue()


def _harmless(cell: str) -> str:
    """A spreadsheet must not treat what somebody sent as a formula."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
