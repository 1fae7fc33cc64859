"""The client against real servers that fail on purpose: it repeats requests under one key, and never gives up."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter

import pytest
from aiohttp import web
from joserfc import jwt

from bdcan_simulator.client import BrokenError, Client, ServiceError
from bdcan_simulator.identity import Machine, person

CALLER = person("caller-heath", "calls:read calls:write", "heath")


async def test_failed_request_is_retried_with_the_same_key_until_answered(serving, client_of):
    # given: overloaded, restarting, broken once, and a connection that is cut after the work was done
    keys: list[str | None] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        keys.append(request.headers.get("Idempotency-Key"))
        match len(keys):
            case 1:
                return web.json_response({}, status=503)
            case 2:
                return web.json_response({}, status=429)
            case 3:
                return web.json_response({}, status=500)
            case 4:
                assert request.transport is not None
                request.transport.abort()
                return web.json_response({})
            case _:
                return web.json_response({"done": True}, status=201)

    # when
    async with serving(handler) as url, client_of(url) as client:
        got = await client.post(CALLER, "intake", "/v1/things", {"a": 1}, key="k-1")
    # then
    assert got.status == 201
    assert got.json() == {"done": True}
    assert keys == ["k-1"] * 5
    assert sum(client.tried_again.values()) == 4


async def test_request_arrives_once_the_server_listens(serving, client_of, eventually):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    up = asyncio.Event()

    async def handler(_: web.Request) -> web.StreamResponse:
        return web.json_response({"up": up.is_set()})

    async with client_of(f"http://127.0.0.1:{port}") as client:
        asking = asyncio.create_task(client.get(CALLER, "intake", "/v1/summary"))
        await eventually(lambda: client.tried_again)
        up.set()
        async with serving(handler, port):
            got = await asyncio.wait_for(asking, 20)
    assert got.json() == {"up": True}


async def test_request_to_a_hanging_server_times_out_and_is_retried(serving, client_of):
    asked = Counter[str]()

    async def handler(request: web.Request) -> web.StreamResponse:
        asked[request.path] += 1
        if asked[request.path] == 1:
            await asyncio.sleep(30)
        return web.json_response({})

    async with serving(handler) as url, client_of(url, timeout_seconds=0.3) as client:
        got = await asyncio.wait_for(client.get(CALLER, "intake", "/v1/x"), 10)
    assert got.ok


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422])
async def test_refusal_counts_as_an_answer(serving, client_of, status: int):
    async def handler(_: web.Request) -> web.StreamResponse:
        return web.json_response(
            {"detail": "No.", "errors": [{"field": "needs.0", "code": "unknown-code"}]}, status=status
        )

    async with serving(handler) as url, client_of(url) as client:
        got = await client.post(CALLER, "intake", "/v1/x", {}, key="k")
    assert (got.status, got.ok) == (status, False)
    assert got.problem == f"HTTP {status} No. (needs.0: unknown-code)"
    assert client.by_route.total() == 1
    assert sum(client.refusals.values()) == 1


async def test_failing_route_does_not_stop_the_other_items(serving, client_of, monkeypatch):
    monkeypatch.setattr("bdcan_simulator.client._FIRST_PAUSE", 0.01)
    done: list[int] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        return web.json_response({}, status=500 if request.path.endswith("/3") else 200)

    async with serving(handler) as url, client_of(url) as client:

        async def act(number: int) -> None:
            await client.get(CALLER, "intake", f"/v1/{number}")
            done.append(number)

        await client.for_each(range(6), act, at_once=2)
        with pytest.raises(BrokenError):
            await client.get(CALLER, "intake", "/v1/3")
    assert sorted(done) == [0, 1, 2, 4, 5]
    assert sum(client.broken.values()) == 1


async def test_requests_under_way_have_a_limit(serving, client_of):
    under_way = most = 0

    async def handler(_: web.Request) -> web.StreamResponse:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.01)
        under_way -= 1
        return web.json_response({})

    async with serving(handler) as url, client_of(url, at_once=5) as client:
        await client.for_each(range(60), lambda n: client.get(CALLER, "intake", f"/{n}"), at_once=20)
    assert 2 <= most <= 5


async def test_people_and_machines_show_their_own_credentials(serving, client_of, identities):
    shown: list[dict[str, str]] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        shown.append(dict(request.headers))
        return web.json_response({})

    async with serving(handler) as url, client_of(url) as client:
        await client.get(CALLER, "intake", "/v1/x")
        await client.get(Machine(), "intake", "/v1/x")
    claims = jwt.decode(shown[0]["Authorization"].removeprefix("Bearer "), identities.key).claims
    assert claims["sub"] == "caller-heath"
    assert claims["scope"] == "calls:read calls:write"
    assert claims["hub"] == ["heath"]
    assert claims["aud"] == "bdcan"
    assert claims["exp"] > claims["iat"]
    assert shown[1]["X-API-Key"] == "an-api-key"
    assert "Authorization" not in shown[1]


async def test_work_goes_on_for_as_long_as_requests_are_answered(serving, client_of):
    async def handler(_: web.Request) -> web.StreamResponse:
        await asyncio.sleep(0.05)
        return web.json_response({})

    async def read(client: Client, times: int) -> int:
        for _ in range(times):
            await client.get(CALLER, "intake", "/v1/x")
        return times

    async with serving(handler) as url, client_of(url) as client:
        assert await client.while_answered(read(client, 10), silent_seconds=0.25) == 10


async def test_work_is_given_up_when_no_request_is_answered(serving, client_of):
    async def handler(_: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        return web.json_response({})

    async with serving(handler) as url, client_of(url) as client:
        with pytest.raises(ServiceError, match="no request was answered"):
            await client.while_answered(client.get(CALLER, "intake", "/v1/x"), silent_seconds=0.1)
