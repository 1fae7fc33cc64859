"""Health, readiness and metrics: the same three routes in an API and in a worker, without authentication.

`/livez` says that the process runs its event loop. `/readyz` says whether it can work now, and if not, why. `/metrics` is
for Prometheus. None of them shows anything about a person.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import REGISTRY
from prometheus_client.exposition import choose_encoder

from bdcan_chassis.database import Pool
from bdcan_chassis.errors import DATABASE_ERRORS

Check = Callable[[], Awaitable[str | None]]
"""None when all is well, otherwise what is not."""


def health_router(checks: dict[str, Check]) -> APIRouter:
    """The three routes."""
    router = APIRouter(include_in_schema=False)

    @router.get("/livez")
    async def livez() -> Response:
        return Response("ok\n", media_type="text/plain")

    @router.get("/readyz")
    async def readyz() -> JSONResponse:
        answers = await asyncio.gather(*(check() for check in checks.values()))
        wrong = {name: answer for name, answer in zip(checks, answers, strict=True) if answer}
        return JSONResponse({"ready": not wrong, "wrong": wrong}, status_code=503 if wrong else 200)

    @router.get("/metrics")
    async def metrics(request: Request) -> Response:
        # only OpenMetrics has exemplars: Prometheus asks for it
        encode, media_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(REGISTRY), media_type=media_type)

    return router


def database_check(pool: Pool) -> Check:
    """Whether the database answers and the migrations have run."""

    async def check() -> str | None:
        try:
            async with asyncio.timeout(3), pool.acquire(timeout=3) as connection:
                await connection.fetchval("SELECT count(*) FROM chassis.parked_key")
        except DATABASE_ERRORS as error:
            return type(error).__name__
        return None

    return check
