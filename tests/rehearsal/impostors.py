"""What runs in place of a process, to injure the system: `python -m tests.rehearsal.impostors ROLE …`.

bad-release worker    routing's worker, in which the handler of new referrals raises
council MOOD          the council's stand-in: `slow` is silent for longer than anybody waits, `refusing` takes no case
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from bdcan_chassis.process import run_service
from bdcan_simulator import council

_SLOW_SECONDS = 20.0
"""Longer than escalation's time-out; the council has the case afterwards."""


def main() -> int:
    """Run until told to stop."""
    role, rest = sys.argv[1], sys.argv[2:]
    if role == "bad-release":
        return _bad_release(rest)
    return _council(rest[0])


def _bad_release(arguments: list[str]) -> int:
    from bdcan_routing import handlers

    async def raises(*_: Any, **__: Any) -> None:
        raise KeyError("a bad release")

    handlers.on_received = raises
    return run_service("bdcan_routing.app", arguments)


def _council(mood: str) -> int:
    usual = council.create_app

    def moody(settings: council.CouncilSettings) -> FastAPI:
        app = usual(settings)

        @app.middleware("http")
        async def answer(request: Request, goes_on: Callable[[Request], Awaitable[Response]]) -> Response:
            if request.method == "POST" and mood == "refusing":
                return JSONResponse({"detail": "not like this"}, 422)
            if request.method == "POST":
                await asyncio.sleep(_SLOW_SECONDS)
            return await goes_on(request)

        return app

    council.create_app = moody
    return council.main()


if __name__ == "__main__":
    sys.exit(main())
