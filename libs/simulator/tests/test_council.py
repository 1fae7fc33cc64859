"""The stand-in council: a case once per key, signed call-backs in order, nothing forgotten at a restart."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest_asyncio
from fastapi import FastAPI, Request, Response

from bdcan_chassis.testing.serving import serving
from bdcan_simulator import council
from bdcan_simulator.council import CouncilSettings, create_app

SECRET = "call-back-secret"
KEY = {"X-API-Key": "council-key"}


@dataclass
class Listener:
    """Hears call-backs. `statuses` are the first answers it gives; then it takes everything."""

    statuses: list[int] = field(default_factory=list)
    heard: list[dict[str, Any]] = field(default_factory=list)
    signatures: list[tuple[str, bytes]] = field(default_factory=list)

    def app(self) -> FastAPI:
        app = FastAPI()

        @app.post("/v1/call-backs")
        async def hear(request: Request) -> Response:
            body = await request.body()
            self.signatures.append((request.headers["X-Signature"], body))
            if self.statuses:
                return Response(status_code=self.statuses.pop(0))
            self.heard.append(json.loads(body))
            return Response(status_code=200)

        return app

    async def hears(self, count: int) -> list[dict[str, Any]]:
        async with asyncio.timeout(10):
            while len(self.heard) < count:  # noqa: ASYNC110 # the council is another server
                await asyncio.sleep(0.01)
        return self.heard


@pytest_asyncio.fixture(loop_scope="session")
async def listener() -> AsyncIterator[tuple[Listener, str]]:
    ears = Listener()
    async with serving(ears.app()) as url:
        yield ears, f"{url}/v1/call-backs"


def settings(callback_url: str, **more: Any) -> CouncilSettings:
    values = {
        "port": 0,
        "api_key": "council-key",
        "callback_secret": SECRET,
        "callback_url": callback_url,
        "step_seconds": 0.01,
        "declined_share": 0,
    }
    return CouncilSettings.model_validate(values | more)


@asynccontextmanager
async def running(made: CouncilSettings) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        serving(create_app(made), lifespan="on") as url,
        httpx.AsyncClient(base_url=url, headers=KEY, trust_env=False) as client,
    ):
        yield client


def case(escalation_id: UUID | None = None) -> dict[str, Any]:
    return {
        "escalation_id": str(escalation_id or uuid4()),
        "kind": "complex",
        "codes": ["housing"],
        "priority": "standard",
        "person": {"name": "Ada Example", "phone": "07700 900123"},
    }


async def sent(client: httpx.AsyncClient, body: dict[str, Any]) -> httpx.Response:
    return await client.post("/v1/cases", json=body, headers={"Idempotency-Key": body["escalation_id"]})


async def test_case_sent_twice_is_one_case(listener):
    async with running(settings(listener[1])) as client:
        body = case()
        first, again = await sent(client, body), await sent(client, body)
        cases = (await client.get("/v1/cases")).json()
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert [c["escalation_id"] for c in cases] == [body["escalation_id"]]
    assert cases[0]["person_fields"] == ["name", "phone"]


async def test_key_used_for_another_case_is_refused(listener):
    async with running(settings(listener[1])) as client:
        body = case()
        await sent(client, body)
        other = case() | {"codes": ["debt"]}
        answer = await client.post(
            "/v1/cases", json=other, headers={"Idempotency-Key": body["escalation_id"]}
        )
    assert answer.status_code == 422


async def test_accepted_case_calls_back_signed_and_in_order(listener):
    ears, url = listener
    async with running(settings(url)) as client:
        taken = (await sent(client, case())).json()
        heard = await ears.hears(3)
    assert [h["event"] for h in heard] == ["acknowledged", "accepted", "closed"]
    assert {(h["case_id"], h["reference"]) for h in heard} == {(taken["case_id"], taken["reference"])}
    assert heard[2]["outcome"]
    for header, body in ears.signatures:
        at, _, signature = header.removeprefix("t=").partition(",v1=")
        wanted = hmac.new(SECRET.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
        assert signature == wanted


async def test_declining_council_gives_a_reason_and_no_more(listener):
    ears, url = listener
    async with running(settings(url, declined_share=1)) as client:
        await sent(client, case())
        heard = await ears.hears(2)
    assert [h["event"] for h in heard] == ["acknowledged", "declined"]
    assert heard[1]["reason"]


async def test_call_backs_keep_their_order_when_retried(listener):
    ears, url = listener
    ears.statuses = [503, 401, 404]
    async with running(settings(url)) as client:
        await sent(client, case())
        heard = await ears.hears(3)
    assert [h["event"] for h in heard] == ["acknowledged", "accepted", "closed"]
    assert len({json.loads(body)["event_id"] for _, body in ears.signatures[:4]}) == 1


async def test_refused_call_back_is_dropped_and_the_next_is_sent(
    listener,
):
    ears, url = listener
    ears.statuses = [409]
    async with running(settings(url)) as client:
        await sent(client, case())
        heard = await ears.hears(2)
    assert [h["event"] for h in heard] == ["accepted", "closed"]


async def test_case_and_unsent_call_backs_survive_a_restart(listener, tmp_path):
    ears, url = listener
    made = settings("http://127.0.0.1:1/nobody", state=str(tmp_path / "council.sqlite"))
    body = case()
    async with running(made) as client:
        first = await sent(client, body)
    async with running(settings(url, state=made.state)) as client:
        again = await sent(client, body)
        heard = await ears.hears(3)
    assert (again.status_code, again.json()) == (200, first.json())
    assert [h["event"] for h in heard] == ["acknowledged", "accepted", "closed"]


async def test_two_councils_decide_alike_on_the_same_keys(listener):
    ears, url = listener
    bodies = [case(UUID(int=n)) for n in range(12)]
    fates = []
    for _ in range(2):
        ears.heard.clear()
        async with running(settings(url, declined_share=0.5)) as client:
            for body in bodies:
                await sent(client, body)
            await ears.hears(24)
            decided = {
                h["escalation_id"]: h["event"]
                for h in list(ears.heard)
                if h["event"] in {"accepted", "declined"}
            }
            fates.append(decided)
    assert set(fates[0].values()) == {"accepted", "declined"}
    assert all(fates[1].get(k, v) == v for k, v in fates[0].items())


async def test_case_without_a_key_is_refused(listener):
    async with running(settings(listener[1])) as client:
        wrong = await client.post(
            "/v1/cases", json=case(), headers={"X-API-Key": "x", "Idempotency-Key": "k"}
        )
        no_key = await client.post("/v1/cases", json=case())
        bad = await client.post("/v1/cases", json={"kind": "complex"}, headers={"Idempotency-Key": "k"})
        cases = (await client.get("/v1/cases")).json()
    assert (wrong.status_code, no_key.status_code, bad.status_code, cases) == (401, 422, 422, [])


def test_missing_settings_are_named_at_the_start(monkeypatch, capsys):
    for name in ("PORT", "API_KEY", "CALLBACK_SECRET", "CALLBACK_URL"):
        monkeypatch.delenv(f"BDCAN_COUNCIL_{name}", raising=False)
    monkeypatch.setenv("BDCAN_COUNCIL_PORT", "many")
    assert council.main() == 2
    told = capsys.readouterr().err
    for name in ("PORT", "API_KEY", "CALLBACK_SECRET", "CALLBACK_URL"):
        assert f"BDCAN_COUNCIL_{name}:" in told


def test_settings_are_read_from_a_folder_of_secrets(tmp_path):
    (tmp_path / "bdcan_council_api_key").write_text("from a file\n")
    (tmp_path / "bdcan_council_callback_secret").write_text("hidden")
    environment = {
        "BDCAN_SECRETS_DIR": str(tmp_path),
        "BDCAN_COUNCIL_PORT": "8300",
        "BDCAN_COUNCIL_CALLBACK_URL": "http://localhost/v1/call-backs",
        "BDCAN_COUNCIL_CALLBACK_SECRET": "from the environment",
    }
    made = CouncilSettings.load(environment)
    assert made.api_key.get_secret_value() == "from a file"
    assert made.callback_secret.get_secret_value() == "from the environment"
    assert "file" not in repr(made)
