"""Every error as RFC 9457 problem+json, in one shape, naming every field at fault at once.

    ApiError                     an answer other than success, raised anywhere below a route
    ├── NotFoundError      404
    ├── ConflictError      409   the thing's state does not allow it
    ├── InvalidError       422   well-formed, but not acceptable; has `errors`
    ├── ForbiddenError     403
    └── UnauthorizedError  401

A body of another media type is 415. A body that claims to be JSON and is not is 400.

A service maps its domain errors to statuses in one table (see `create_api`). An unforeseen error is a 500, without a word
of the exception. A transient failure is a 503 with Retry-After. No answer repeats a value that was sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Self

import asyncpg
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from bdcan_chassis.errors import is_transient
from bdcan_chassis.logs import get_logger
from bdcan_contracts.envelope import Problem

log = get_logger(__name__)

MEDIA_TYPE = "application/problem+json"

_REF = "#/components/schemas/{model}"

_UNSTORABLE = (asyncpg.CharacterNotInRepertoireError, asyncpg.UntranslatableCharacterError)

_OWN_WORDS = {  # where pydantic's quote what was sent
    "extra_forbidden": "no such field",
    "union_tag_invalid": "no such kind",
    "uuid_parsing": "not a UUID",
}


class ApiError(Exception):
    """An answer other than success. `code` is a stable word for programs, `detail` a sentence for people."""

    status = HTTPStatus.INTERNAL_SERVER_ERROR
    code = "internal"

    def __init__(self, detail: str, *, code: str | None = None, errors: Sequence[Problem] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = tuple(errors)
        if code:
            self.code = code


class NotFoundError(ApiError):
    """The thing does not exist, or the caller may not know that it exists. The answer is the same in both cases."""

    status = HTTPStatus.NOT_FOUND
    code = "not-found"

    def __init__(self, detail: str = "There is no such thing, or it is not yours to see.") -> None:
        super().__init__(detail)


class ConflictError(ApiError):
    """The thing's state does not allow it."""

    status = HTTPStatus.CONFLICT
    code = "conflict"


class InvalidError(ApiError):
    """The request is well-formed, but not acceptable."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    code = "invalid"

    @classmethod
    def of(cls, *problems: Problem) -> Self:
        """The error that names these fields."""
        return cls(at_fault(problems), errors=problems)


class ForbiddenError(ApiError):
    """The caller is known, but lacks the permission."""

    status = HTTPStatus.FORBIDDEN
    code = "forbidden"


class UnauthorizedError(ApiError):
    """The caller is unknown."""

    status = HTTPStatus.UNAUTHORIZED
    code = "unauthorized"


class BodyTooLargeError(HTTPException):
    """The body is larger than the limit. An HTTPException, because FastAPI answers any other one with 400."""

    def __init__(self, most: int) -> None:
        super().__init__(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"A body has {most} bytes at most.")


class BodyBrokenOffError(HTTPException):
    """The sender went away before the whole body had arrived. An HTTPException, as above."""

    def __init__(self) -> None:
        super().__init__(HTTPStatus.BAD_REQUEST, "The body broke off: send it again.")


def at_fault(problems: Sequence[object]) -> str:
    """The sentence above a list of fields."""
    return "1 field is at fault." if len(problems) == 1 else f"{len(problems)} fields are at fault."


class ProblemBody(BaseModel):
    """What every error looks like: RFC 9457, `application/problem+json`. `request_id` finds the request in the logs."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str | None = None
    errors: list[Problem] = []


DOCUMENTED: dict[int | str, dict[str, Any]] = {
    status: {
        "description": text,
        "content": {MEDIA_TYPE: {"schema": {"$ref": _REF.format(model="ProblemBody")}}},
    }
    for status, text in {
        400: "The body is not JSON",
        401: "Nobody knows who is calling",
        403: "The scope that is needed is missing",
        404: "There is no such thing, or it is not yours to see",
        409: "The present state does not allow it",
        413: "The body is too large",
        415: "The body has another media type",
        422: "Well-formed, but not acceptable; `errors` names every field at fault",
        503: "Not possible just now; Retry-After says when to try again",
    }.items()
}
"""The errors that any route may answer with, for OpenAPI."""


def document_problems(document: dict[str, Any]) -> None:
    """Add to an OpenAPI document the schemas that `DOCUMENTED` refers to."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    if "ProblemBody" not in schemas:
        schema = ProblemBody.model_json_schema(ref_template=_REF)
        schemas |= schema.pop("$defs") | {"ProblemBody": schema}


def problem(
    status: int,
    code: str,
    detail: str,
    errors: Sequence[Problem] = (),
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """A problem+json response. `request_id` finds the request in the logs."""
    body: dict[str, Any] = {
        "type": f"urn:bdcan:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "request_id": structlog.contextvars.get_contextvars().get("request_id"),
    }
    if errors:
        body["errors"] = [{"field": e.field, "code": e.code, "message": e.message} for e in errors]
    return JSONResponse(body, status_code=status, media_type=MEDIA_TYPE, headers=dict(headers or {}))


def install_problem_handlers(app: FastAPI, domain_errors: Mapping[type[Exception], int]) -> None:
    """Answer every error of the app with problem+json. `domain_errors` maps a service's own errors to statuses."""

    async def on_api_error(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, ApiError)  # noqa: S101 # Starlette hands over what was registered
        headers = {"WWW-Authenticate": "Bearer"} if error.status == HTTPStatus.UNAUTHORIZED else None
        return problem(error.status, error.code, error.detail, error.errors, headers)

    async def on_invalid(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)  # noqa: S101 # as above
        if isinstance(error.body, bytes) and error.body:  # FastAPI parses what says that it is JSON
            return problem(415, "not-json", "Send JSON, and the header Content-Type: application/json.")
        found = [_field_problem(e) for e in error.errors()]
        if any(p.code == "json-invalid" for p in found):
            return problem(400, "bad-json", "The body is not JSON.")
        return problem(422, "invalid", at_fault(found), found)

    async def on_http(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)  # noqa: S101 # as above
        if isinstance(error, BodyTooLargeError):
            return problem(error.status_code, "too-large", error.detail)
        if isinstance(error, BodyBrokenOffError):
            return problem(error.status_code, "broken-off", error.detail)
        phrase = HTTPStatus(error.status_code).phrase
        return problem(error.status_code, phrase.lower().replace(" ", "-"), f"{phrase}.", (), error.headers)

    async def on_domain_error(_: Request, error: Exception) -> JSONResponse:
        status = next(domain_errors[c] for c in type(error).__mro__ if c in domain_errors)
        return problem(status, getattr(error, "code", "refused"), str(error), getattr(error, "errors", ()))

    app.add_exception_handler(ApiError, on_api_error)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(HTTPException, on_http)
    for kind in domain_errors:
        app.add_exception_handler(kind, on_domain_error)


def unforeseen(error: Exception) -> JSONResponse:
    """The answer to an exception without a mapping: 503 if it is transient, else 500. Logs it."""
    if isinstance(error, _UNSTORABLE):
        return problem(422, "unstorable-text", "A text holds a character that cannot be stored, such as NUL.")
    if is_transient(error):
        log.warning("http.unavailable", exc_info=error)
        return problem(
            503,
            "unavailable",
            "Not possible just now. Nothing was changed: try again.",
            (),
            {"Retry-After": "2"},
        )
    log.error("http.failed", exc_info=error)
    return problem(500, "internal", "This should not happen. The request_id finds it in the logs.")


def _field_problem(error: Mapping[str, Any]) -> Problem:
    location = [str(part) for part in error["loc"]]
    if location[0] == "body" and len(location) > 1:
        location = location[1:]
    message = _OWN_WORDS.get(error["type"], str(error["msg"]))
    return Problem(".".join(location), str(error["type"]).replace("_", "-"), message)
