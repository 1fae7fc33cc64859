"""What stands before each route: who calls, how often, what the query says, and how much they send. Nobody reads a body before.

A service makes its routes with `Routes`. A route under `/v1` names the scope that it needs, as `caller: Reader`. The guard
finds that dependency and runs it before FastAPI reads the body. A route that differs says how:

    @routes.post("/call-backs", openapi_extra=terms(body=16_000, signed_by="X-Signature", urgent=True))

What a route says stands in the OpenAPI document too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from functools import cached_property
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response, params
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import get_flat_params, request_params_to_args
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import TypeAdapter
from starlette.types import Message, Receive, Scope, Send

from bdcan_chassis import metrics
from bdcan_chassis.errors import ConfigurationError
from bdcan_chassis.http.auth import Authentication
from bdcan_chassis.http.limits import Door, Limiter
from bdcan_chassis.http.problems import (
    BadJsonError,
    BodyBrokenOffError,
    BodyTooLargeError,
    BodyTooSlowError,
    UnauthorizedError,
)
from bdcan_chassis.http.queries import no_unknown_query
from bdcan_chassis.http.wrong_fields import names_in
from bdcan_chassis.settings import ServiceSettings
from bdcan_contracts.json_door import JsonLimitError, RepeatedKeyError, read_json

_BODY = "x-most-body-bytes"
_URGENT = "x-urgent"
_SIGNED_BY = "x-signed-by"
_UNREAD = object()


def terms(*, body: int | None = None, urgent: bool = False, signed_by: str | None = None) -> dict[str, Any]:
    """What a route says about itself, for `openapi_extra`.

    `body` is the limit in bytes. An urgent route is the last to close. `signed_by` names the header that holds the
    credentials of a route whose callers sign the body.
    """
    said = {_BODY: body, _URGENT: urgent or None, _SIGNED_BY: signed_by}
    return {name: value for name, value in said.items() if value is not None}


class JsonRequest(Request):
    """A request whose JSON is read once, strictly, for all who ask."""

    _value: Any = _UNREAD

    async def json(self) -> Any:
        """The body's value. Raises BadJsonError."""
        if self._value is _UNREAD:
            try:
                self._value = read_json(await self.body())
            except RepeatedKeyError as error:
                raise BadJsonError(error.problem_among(self.scope["route"].names)) from error
            except JsonLimitError as error:
                raise BadJsonError(error.problem) from error
            except (ValueError, RecursionError) as error:
                raise BadJsonError(None) from error
        return self._value


class GuardedRoute(APIRoute):
    """A route that knows its caller before it reads the body."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler, which gets a request that reads its JSON once."""
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            return await handler(JsonRequest(request.scope, request.receive))

        return handle

    @cached_property
    def credentials(self) -> tuple[Authentication, ...]:
        """What finds out who calls, and whether they may."""
        return tuple(_authentications(self.dependant))

    @cached_property
    def terms(self) -> dict[str, Any]:
        """What the route says about itself."""
        return self.openapi_extra or {}

    @cached_property
    def names(self) -> frozenset[str]:
        """The names that callers may say: of parameters, and of fields of the body."""
        named = {field.alias for field in get_flat_params(self.dependant)}
        if self.body_field is not None:
            of_body = self.body_field.field_info
            form: Any = Annotated[of_body.annotation, of_body]  # pyright: ignore[reportInvalidTypeForm] # known at run time
            named.update(names_in(TypeAdapter(form).json_schema()))
        return frozenset(named)

    async def must_fit(self, request: Request) -> None:
        """Raise InvalidError or RequestValidationError for a path, a query or a header that is wrong."""
        await no_unknown_query(request)
        wrong: list[Any] = []
        for kind, received in (
            (params.Path, request.path_params),
            (params.Query, request.query_params),
            (params.Header, request.headers),
        ):
            fields = [field for field in self._parameters if isinstance(field.field_info, kind)]
            wrong += request_params_to_args(fields, received)[1]
        if wrong:
            raise RequestValidationError(wrong)

    @cached_property
    def _parameters(self) -> list[Any]:
        return list(get_flat_params(self.dependant))

    def must_ask_who_calls(self) -> None:
        """Raise ConfigurationError for a route under `/v1` that serves anybody."""
        if self.path.startswith("/v1") and not self.credentials and _SIGNED_BY not in self.terms:
            raise ConfigurationError(f"{self.path} asks nobody for credentials")

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Ask for credentials, look at the caller's rate and at the query, and then let the route read."""
        if scope["method"] in (self.methods or ()):
            state = scope["app"].state
            limiter: Limiter = state.limiter
            request = Request(scope)
            for credentials in self.credentials:
                try:
                    caller = await credentials(request)
                except UnauthorizedError:
                    limiter.count_failure(scope)
                    raise
                if credentials is self.credentials[0]:
                    limiter.admit(caller.name, self._door(scope["method"]))
            if (
                not self.credentials
                and (header := self.terms.get(_SIGNED_BY))
                and header not in request.headers
            ):
                limiter.count_failure(scope)
                raise UnauthorizedError(f"The header {header} is missing.")
            if scope["method"] != "GET":  # there may be a body, which nobody reads in vain
                await self.must_fit(request)
            most = self.terms.get(_BODY, state.settings.http_body_bytes)
            arriving = _Arriving(receive, request, state.settings, most, limiter, self._door(scope["method"]))
            try:
                await super().handle(scope, arriving.receive, send)
            finally:
                limiter.let_go(arriving.seen)
            return
        await super().handle(scope, receive, send)

    def _door(self, method: str) -> Door:
        if self.terms.get(_URGENT):
            return Door.URGENT
        if method == "GET":
            return Door.READING
        return Door.LISTS if _BODY in self.terms else Door.WRITING


class Routes(APIRouter):
    """The routes of a service. Each asks who calls before it reads a body."""

    def __init__(self, **options: Any) -> None:
        super().__init__(route_class=GuardedRoute, **options)


def _authentications(dependant: Dependant) -> Iterator[Authentication]:
    for inner in dependant.dependencies:
        if isinstance(inner.call, Authentication):
            yield inner.call
        yield from _authentications(inner)


class _Arriving:
    """A body on its way: so large and so slow, and no more."""

    def __init__(
        self,
        receive: Receive,
        request: Request,
        settings: ServiceSettings,
        most: int,
        limiter: Limiter,
        door: Door,
    ) -> None:
        self._limiter = limiter
        self._door = door
        self._receive = receive
        self._declared = request.headers.get("content-length", "0")
        self._settings = settings
        self._most = most
        self.seen = 0
        self._whole = False
        self._until: float | None = None

    async def receive(self) -> Message:
        """The next piece. Raises BodyTooLargeError, BodyTooSlowError, BodyBrokenOffError or NoRoomError."""
        if self._whole:
            return await self._receive()
        if self._declared.isdigit() and int(self._declared) > self._most:
            raise self._too_large()
        loop = asyncio.get_running_loop()
        if self._until is None:
            self._until = loop.time() + self._settings.http_body_time.total_seconds()
        try:
            # a body that comes steadily has all the time that it needs
            async with asyncio.timeout_at(self._until + self.seen / self._settings.http_body_rate):
                message = await self._receive()
        except TimeoutError:
            metrics.LIMITED.labels("body-time").inc()
            raise BodyTooSlowError from None
        if message["type"] == "http.disconnect":
            raise BodyBrokenOffError
        self._whole = not message.get("more_body", False)
        size = len(message.get("body", b""))
        self.seen += size
        self._limiter.hold(size, self._door)
        if self.seen > self._most:
            raise self._too_large()
        return message

    def _too_large(self) -> BodyTooLargeError:
        metrics.LIMITED.labels("body-size").inc()
        return BodyTooLargeError(self._most)
