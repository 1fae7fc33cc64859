"""The API app of a service: request ids, traces, access log, metrics, problem+json, health, and the routers given."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import structlog
from fastapi import Depends, FastAPI, Response
from fastapi_offline import FastAPIOffline
from prometheus_client import Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bdcan_chassis import metrics
from bdcan_chassis.errors import ConfigurationError
from bdcan_chassis.http.auth import Authenticator
from bdcan_chassis.http.document import DESCRIPTION, complete, operation_id
from bdcan_chassis.http.guard import GuardedRoute, Routes
from bdcan_chassis.http.headers import ON_A_PAGE, ON_EVERY_ANSWER
from bdcan_chassis.http.health import database_check, health_router
from bdcan_chassis.http.limits import Limiter
from bdcan_chassis.http.problems import install_problem_handlers, problem, unforeseen
from bdcan_chassis.http.queries import no_unknown_query
from bdcan_chassis.http.tidied import tidied_scope
from bdcan_chassis.logs import get_logger
from bdcan_chassis.settings import ServiceSettings
from bdcan_chassis.tracing import Tracer, Unit, fresh_context
from bdcan_chassis.transaction import Transactions

log = get_logger(__name__)

_QUIET = {"/livez", "/readyz", "/metrics"}


def create_api(
    title: str,
    settings: ServiceSettings,
    transactions: Transactions,
    routers: Sequence[Routes],
    domain_errors: Mapping[type[Exception], int],
) -> FastAPI:
    """An app with authentication on. Routes find `transactions`, `settings` and `authenticator` in `app.state`."""
    app = FastAPIOffline(  # the browser that shows /docs may reach no other host
        title=title,
        description=DESCRIPTION,
        license_info={"name": "MIT", "identifier": "MIT"},
        servers=[{"url": "/", "description": "The host that serves this document."}],
        generate_unique_id_function=operation_id,
        redoc_url=None,
        openapi_url="/openapi.json",
        redirect_slashes=False,
        # FastAPI's own telemetry would look for a provider at each request
        telemetry={"tracing": False, "metrics": False, "logs": False},
        dependencies=[Depends(no_unknown_query)],
    )
    app.state.transactions = transactions
    app.state.settings = settings
    app.state.authenticator = Authenticator(settings)
    app.state.limiter = Limiter(settings)
    install_problem_handlers(app, domain_errors)
    _describe_fully(app, routers)
    app.include_router(health_router({"database": database_check(transactions.pool)}))
    for router in routers:
        for route in router.routes:
            if not isinstance(route, GuardedRoute):
                raise ConfigurationError("a service makes its routes with Routes")
            route.must_ask_who_calls()
        app.include_router(router)
    app.add_middleware(_Edge, tracer=transactions.tracer)
    return app


def _describe_fully(app: FastAPI, routers: Sequence[Routes]) -> None:
    """Add to the app's OpenAPI document what FastAPI cannot know."""
    without = app.openapi
    made: dict[str, Any] | None = None

    def document() -> dict[str, Any]:
        nonlocal made
        if made is None:
            made = without()
            complete(made, [route for router in routers for route in router.routes])
        return made

    app.openapi = document


class _Edge:
    """The outermost layer: what every request gets, and the last place that turns an exception into an answer."""

    def __init__(self, app: ASGIApp, tracer: Tracer | None) -> None:
        self._app = app
        self._tracer = tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif self._tracer is None or scope["path"] in _QUIET:
            await self._answer(scope, receive, send, None)
        else:
            with self._tracer.request(scope["method"]) as unit:
                await self._answer(scope, receive, send, unit)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, unit: Unit | None) -> None:
        scope = tidied_scope(scope)
        headers = dict(scope["headers"])
        # never the sender's: a name or a telephone number fits every grammar
        request_id = secrets.token_hex(8).encode()
        # nor their trace: whoever chooses it would choose what is sampled
        place = fresh_context() if unit is None else unit.own.context
        scope.setdefault("state", {})["traceparent"] = place.traceparent
        structlog.contextvars.bind_contextvars(request_id=request_id.decode())
        if unit is None:
            structlog.contextvars.bind_contextvars(trace=f"{place.trace:032x}")
        started, status = time.perf_counter(), 0
        only_headers = scope["method"] == "HEAD"  # answered as GET, without the body
        of_all = ON_A_PAGE if scope["path"] == "/docs" else ON_EVERY_ANSWER
        added = [(b"x-request-id", request_id), *of_all]

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", []), *added]
            elif only_headers:
                message = {**message, "body": b""}
            await send(message)

        inner = {**scope, "method": "GET"} if only_headers else scope
        try:
            if headers.get(b"content-encoding", b"identity").strip().lower() not in {b"identity", b""}:
                await _packed()(scope, receive, sending)
                return
            await self._app(inner, receive, sending)
        except Exception as error:  # the one place where the API catches
            if status:
                raise  # half of the answer is sent: let the server cut the connection
            await unforeseen(error)(scope, receive, sending)
        finally:
            self._account(inner, status, time.perf_counter() - started, unit)
            structlog.contextvars.clear_contextvars()

    def _account(self, scope: Scope, status: int, seconds: float, unit: Unit | None) -> None:
        route = getattr(scope.get("route"), "path", "unmatched")
        if unit is not None:
            unit.answered(route, status)
        requests, request_seconds = _metrics_of(scope["method"], route, status)
        requests.inc()
        request_seconds.observe(seconds, unit and unit.exemplar)
        if route not in _QUIET:
            caller = scope.get("state", {}).get("caller")
            log.info(
                "http.request",
                method=scope["method"],
                route=route,
                status=status,
                milliseconds=round(seconds * 1000, 1),
                caller=caller.name if caller else None,
            )


def _packed() -> Response:
    detail = "The body is packed. Send it as it is, without the header Content-Encoding."
    return problem(415, "packed-body", detail, (), {"Accept-Encoding": "identity"})


@lru_cache(maxsize=1000)
def _metrics_of(method: str, route: str, status: int) -> tuple[Counter, Histogram]:
    labels = metrics.REQUESTS.labels(method, route, str(status))
    return labels, metrics.REQUEST_SECONDS.labels(method, route)
