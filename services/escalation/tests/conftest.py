"""Escalation on a fresh database, beside a small intake that discloses and the real stand-in council."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

sys.path.insert(0, str(Path(__file__).parent))  # escalation_story.py is shared by the tests of this service

from escalation_story import SECRET

from bdcan_chassis.testing.harness import Harness, harness
from bdcan_chassis.testing.serving import serving
from bdcan_escalation.app import service
from bdcan_escalation.settings import Settings
from bdcan_simulator.council import CouncilSettings, create_app

COUNCIL_KEY = "council-key"
INTAKE_KEY = "intake-key"


@dataclass
class FakeIntake:
    """Answers disclosures. Set `status` to have it fail."""

    status: int = 200
    fields: dict[str, Any] = field(
        default_factory=lambda: {
            "name": "Ada Example",
            "phone": "07700 900123",
            "household": {"adults": 1},
        }
    )
    asked: list[dict[str, Any]] = field(default_factory=list)

    def app(self) -> FastAPI:
        app = FastAPI()

        @app.post("/v1/disclosures")
        async def disclose(request: Request) -> Response:
            assert request.headers["X-API-Key"] == INTAKE_KEY
            self.asked.append(await request.json())
            return JSONResponse(self.fields, self.status)

        return app


@dataclass
class Faults:
    """Stands before the council and spoils its answers: a status to say, after the case was taken or instead of it.

    `answer`: status, body and headers that the council says instead of its own.
    """

    council: Any
    status: int | None = None
    answer: tuple[int, bytes, dict[str, str]] | None = None
    taken_first: bool = False
    hang: asyncio.Event | None = None
    keys: list[str] = field(default_factory=list)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["path"] != "/v1/cases" or scope["method"] != "POST":
            await self.council(scope, receive, send)
            return
        self.keys.append(dict(scope["headers"])[b"idempotency-key"].decode())
        if self.taken_first:
            await self.council(scope, receive, _deaf)
        if self.hang is not None:
            await self.hang.wait()
        if self.answer is not None:
            status, body, headers = self.answer
            await Response(body, status, headers)(scope, receive, send)
        elif self.status is not None:
            await Response(status_code=self.status)(scope, receive, send)
        elif not self.taken_first:
            await self.council(scope, receive, send)


async def _deaf(_message: Any) -> None:
    """Nobody hears the answer."""


@dataclass
class World:
    """The service and the two systems beside it."""

    service: Harness
    intake: FakeIntake
    faults: Faults

    async def cases(self) -> list[dict[str, Any]]:
        """What the council has."""
        url = self.service.service.settings.council_url  # pyright: ignore[reportAttributeAccessIssue]
        answer = await self.service.http.get(f"{url}/v1/cases", headers={"X-API-Key": COUNCIL_KEY})
        return answer.json()


@pytest_asyncio.fixture(loop_scope="session")
async def world(postgres_server, tmp_path) -> AsyncIterator[World]:
    """The council's call-backs go to a port that we learn only when the service runs: a relay passes them on."""
    intake, target = FakeIntake(), {"url": ""}
    relay = FastAPI()

    @relay.post("/v1/call-backs")
    async def pass_on(request: Request) -> Response:
        async with _client() as client:
            answer = await client.post(
                f"{target['url']}/v1/call-backs",
                content=await request.body(),
                headers={"X-Signature": request.headers["X-Signature"]},
            )
        return Response(answer.content, answer.status_code)

    async with serving(relay) as relay_url, serving(intake.app()) as intake_url:
        council = create_app(
            CouncilSettings.model_validate(
                {
                    "port": 0,
                    "api_key": COUNCIL_KEY,
                    "callback_secret": SECRET,
                    "callback_url": f"{relay_url}/v1/call-backs",
                    "state": str(tmp_path / "council.sqlite"),
                    "step_seconds": 0.02,
                    "declined_share": 0,
                }
            )
        )
        faults = Faults(council)
        async with (
            serving(faults, lifespan="on") as council_url,
            harness(
                postgres_server,
                service,
                Settings,
                council_url=council_url,
                council_api_key=COUNCIL_KEY,
                council_callback_secret=SECRET,
                council_timeout=0.5,
                intake_url=intake_url,
                intake_api_key=INTAKE_KEY,
            ) as running,
        ):
            target["url"] = running.url
            yield World(running, intake, faults)


def _client() -> Any:
    import httpx

    return httpx.AsyncClient(timeout=5, trust_env=False)


@pytest.fixture
def eventually() -> Callable[..., Any]:
    """Wait, with a limit, until a condition holds."""

    async def until(condition: Callable[[], Any], seconds: float = 10) -> Any:
        async with asyncio.timeout(seconds):
            while not (found := await condition()):  # noqa: ASYNC110 # the other side is another server
                await asyncio.sleep(0.02)
        return found

    return until
