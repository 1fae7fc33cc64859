"""Every error as RFC 9457 problem+json, in one shape, naming the fields at fault at once, and saying how many more there are.

    ApiError                     an answer other than success, raised anywhere below a route
    ├── NotFoundError      404
    │   └── GoneError          it is settled: not there to act on
    ├── ConflictError      409   the thing's state does not allow it
    ├── InvalidError       422   well-formed, but not acceptable; has `errors`
    ├── ForbiddenError     403
    ├── UnauthorizedError  401
    └── TooManyRequestsError 429 with Retry-After

A body of another media type is 415. A body that claims to be JSON and is not is 400.

A service maps its domain errors to statuses in one table (see `create_api`). An unforeseen error is a 500, without a word
of the exception. A transient failure is a 503 with Retry-After. No answer repeats a value or a name that was sent.
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
from bdcan_chassis.http.wrong_fields import found_wrong
from bdcan_chassis.logs import get_logger
from bdcan_contracts.envelope import Problem

log = get_logger(__name__)

MEDIA_TYPE = "application/problem+json"

_UNSTORABLE = (asyncpg.CharacterNotInRepertoireError, asyncpg.UntranslatableCharacterError)


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


class GoneError(NotFoundError):
    """The thing is settled and no longer there to act on. A repeated request may get the reply of the first one."""


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
        return cls(at_fault(len(problems)), errors=problems)


class ForbiddenError(ApiError):
    """The caller is known, but lacks the permission."""

    status = HTTPStatus.FORBIDDEN
    code = "forbidden"


class UnauthorizedError(ApiError):
    """The caller is unknown."""

    status = HTTPStatus.UNAUTHORIZED
    code = "unauthorized"


class TooManyRequestsError(ApiError):
    """The caller has called too often."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    code = "too-many-requests"

    def __init__(self, seconds: int) -> None:
        super().__init__(f"Too many requests. Try again in {seconds} seconds.")
        self.seconds = seconds


class BodyError(HTTPException):
    """The body could not be read. An HTTPException, because FastAPI answers any other one with 400."""

    code = "bad-request"
    errors: tuple[Problem, ...] = ()


class BodyTooLargeError(BodyError):
    """The body is larger than the limit."""

    code = "too-large"

    def __init__(self, most: int) -> None:
        super().__init__(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"A body has {most} bytes at most here.")


class BodyBrokenOffError(BodyError):
    """The sender went away before the whole body had arrived."""

    code = "broken-off"

    def __init__(self) -> None:
        super().__init__(HTTPStatus.BAD_REQUEST, "The body broke off: send it again.")


class BodyTooSlowError(BodyError):
    """The body did not arrive in time."""

    code = "too-slow"

    def __init__(self) -> None:
        super().__init__(HTTPStatus.REQUEST_TIMEOUT, "The body took too long: send it again.")


class NoRoomError(BodyError):
    """The bodies that the process is reading fill its memory."""

    code = "busy"

    def __init__(self) -> None:
        super().__init__(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "Too much is being sent just now. Nothing was changed: try again.",
            {"Retry-After": "5"},
        )


class BadJsonError(BodyError):
    """The body is not JSON, or, with a problem, JSON that no form has."""

    def __init__(self, wrong: Problem | None) -> None:
        if wrong is None:
            super().__init__(HTTPStatus.BAD_REQUEST, "The body is not JSON.")
            self.code = "bad-json"
        else:
            super().__init__(HTTPStatus.UNPROCESSABLE_ENTITY, at_fault(1))
            self.code, self.errors = "invalid", (wrong,)


MOST_ERRORS = 20
"""Fields that one answer names at most."""


def at_fault(count: int) -> str:
    """The sentence above a list of fields."""
    if count == 1:
        return "1 field is at fault."
    more = f" Here are {MOST_ERRORS} of them." if count > MOST_ERRORS else ""
    return f"{count} fields are at fault.{more}"


class ProblemBody(BaseModel):
    """What every error looks like: RFC 9457, `application/problem+json`. `request_id` finds the request in the logs.

    `errors` names 20 fields at most, and `more_errors` counts the others.
    """

    type: str
    title: str
    status: int
    detail: str
    request_id: str | None = None
    errors: list[Problem] = []
    more_errors: int | None = None


def problem(
    status: int,
    code: str,
    detail: str,
    errors: Sequence[Problem] = (),
    headers: Mapping[str, str] | None = None,
    more: int = 0,
) -> JSONResponse:
    """A problem+json response. `request_id` finds the request in the logs. `more` errors are not in `errors`."""
    body: dict[str, Any] = {
        "type": f"urn:bdcan:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "request_id": structlog.contextvars.get_contextvars().get("request_id"),
    }
    if errors:
        body["errors"] = [
            {"field": e.field, "code": e.code, "message": e.message} for e in errors[:MOST_ERRORS]
        ]
    more += max(0, len(errors) - MOST_ERRORS)
    if more:
        body["more_errors"] = more
    return JSONResponse(body, status_code=status, media_type=MEDIA_TYPE, headers=dict(headers or {}))


def install_problem_handlers(app: FastAPI, domain_errors: Mapping[type[Exception], int]) -> None:
    """Answer every error of the app with problem+json. `domain_errors` maps a service's own errors to statuses."""

    async def on_api_error(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, ApiError)  # noqa: S101 # Starlette hands over what was registered
        headers = None
        if isinstance(error, UnauthorizedError):
            headers = {"WWW-Authenticate": "Bearer"}
        elif isinstance(error, TooManyRequestsError):
            headers = {"Retry-After": str(error.seconds)}
        return problem(error.status, error.code, error.detail, error.errors, headers)

    async def on_invalid(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)  # noqa: S101 # as above
        if isinstance(error.body, bytes) and error.body:  # FastAPI parses what says that it is JSON
            return problem(415, "not-json", "Send JSON, and the header Content-Type: application/json.")
        wrong = error.errors()
        if any(
            e["loc"][0] == "path" and e["type"].startswith("uuid") for e in wrong
        ):  # nothing has such an id
            return await on_api_error(request, NotFoundError())
        found = found_wrong(wrong[:MOST_ERRORS], request.scope["route"].names, error.body)
        return problem(422, "invalid", at_fault(len(wrong)), found, more=len(wrong) - len(found))

    async def on_http(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)  # noqa: S101 # as above
        if isinstance(error, BodyError):
            return problem(error.status_code, error.code, error.detail, error.errors, error.headers)
        if error.status_code == HTTPStatus.NOT_FOUND:
            return await on_api_error(request, NotFoundError())
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
