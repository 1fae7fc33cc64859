"""What real programs send by mistake, to each route of each service: a 4xx in words, no redirect, and no error in the logs."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
from uuid import UUID

import httpx
import pytest

from bdcan_chassis.testing.harness import Harness

_ID = str(UUID(int=7))
_ASKED = {"/v1/referral-imports": "?source=a-list"}
_BYTES = "application/octet-stream"


async def _routes(given: Harness, *methods: str) -> list[tuple[str, str]]:
    """Each documented route of these methods, with an id in place of each parameter."""
    document = (await given.http.get("/openapi.json")).json()
    return [
        (method.upper(), re.sub(r"{\w+}", _ID, path) + _ASKED.get(path, ""))
        for path, operations in document["paths"].items()
        for method in operations
        if method in methods
    ]


def _in_words(answer: httpx.Response) -> None:
    about = f"{answer.request.method} {answer.request.url} {answer.request.headers.get('content-type')}"
    assert 400 <= answer.status_code < 500, f"{about}: {answer.status_code} {answer.text}"
    assert answer.headers["content-type"].startswith("application/problem+json"), about
    assert len(answer.json()["detail"].split()) > 1, about


def _no_error_in(logged: str) -> None:
    levels = [json.loads(line).get("level") for line in logged.splitlines() if line.startswith("{")]
    assert not {"error", "critical"} & set(levels), logged


async def test_bodies_of_other_kinds_get_an_answer_in_words(
    given: Harness, capsys: pytest.CaptureFixture[str]
):
    for method, path in await _routes(given, "post", "put"):
        packed = gzip.compress(b"{}")
        for content, headers in (
            (packed, {"Content-Type": "application/json", "Content-Encoding": "gzip"}),
            (packed, {"Content-Type": "application/json"}),
            (b"\xff\xfe{\x00}", {"Content-Type": "application/json"}),
            (b"{", {"Content-Type": "application/json; charset=utf-8"}),
            (b"[" * 100_000, {"Content-Type": "application/json"}),
            (b'{"a": "\\ud800"}', {"Content-Type": "application/json"}),
            (b"a=1&b=2", {"Content-Type": "application/x-www-form-urlencoded"}),
            (b"<a/>", {"Content-Type": "application/xml"}),
            (b"PK\x03\x04 xl/", {"Content-Type": _BYTES}),
            (b"--x\r\n\r\n--x--", {"Content-Type": "multipart/form-data; boundary=x"}),
            (b"nothing", {"Content-Type": "multipart/form-data"}),
            (b"null", {"Content-Type": "application/json"}),
            (b"{}", {"Content-Type": "not a type"}),
        ):
            answer = await given.http.request(method, path, content=content, headers=headers)
            if answer.status_code < 300 or answer.status_code == 404:
                continue  # the route needs no body
            _in_words(answer)
    _no_error_in(capsys.readouterr().out)


async def test_documents_say_that_an_absent_value_is_left_out(given: Harness):
    schemas = (await given.http.get("/openapi.json")).json()["components"]["schemas"]
    promised = [
        f"{name}.{field}"
        for name, schema in schemas.items()
        for field in schema.get("required", ())
        if {"type": "null"} in schema["properties"][field].get("anyOf", ())
    ]
    assert not promised, "give these fields the default None"


async def test_strange_paths_and_hosts_are_redirected_nowhere(
    given: Harness, capsys: pytest.CaptureFixture[str]
):
    strange = {
        "Host": "elsewhere.example",
        "X-Forwarded-Host": "elsewhere.example",
        "Forwarded": "host=elsewhere.example",
    }
    routes = [*await _routes(given, "get", "post", "put"), ("GET", "/livez"), ("GET", "/docs")]
    for method, path in ((method, path.partition("?")[0]) for method, path in routes):
        for odd in (f"{path}/", f"/{path}", f"{path}//", f"{path}/%2e%2e/", f"{path};a=1"):
            answer = await given.http.request(method, odd, headers=strange)
            assert answer.status_code < 300 or 400 <= answer.status_code < 500, (
                f"{method} {odd}: {answer.status_code}"
            )
            assert "location" not in answer.headers
            assert "elsewhere.example" not in answer.text + str(answer.headers)
    _no_error_in(capsys.readouterr().out)


async def test_body_that_breaks_off_is_no_error(given: Harness, capsys: pytest.CaptureFixture[str]):
    url = httpx.URL(given.url)
    key = given.http.headers["X-API-Key"]
    before, sent = await _answered(given), 0
    for method, path in await _routes(given, "post", "put"):
        for how in ("Content-Length: 1000", "Transfer-Encoding: chunked"):
            _, writer = await asyncio.open_connection(url.host, url.port)
            part = b'{"a"' if "Length" in how else b'4\r\n{"a"\r\n'
            head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\nContent-Type: application/json\r\n{how}\r\n\r\n"
            writer.write(head.encode() + part)
            await writer.drain()
            writer.close()
            await writer.wait_closed()
            sent += 1
    async with asyncio.timeout(20):
        while await _answered(given) < before + sent:  # noqa: ASYNC110 # the server tells nobody that a sender went away
            await asyncio.sleep(0.02)
    _no_error_in(capsys.readouterr().out)


async def _answered(given: Harness) -> float:
    """How many requests that carry a body the API has dealt with."""
    counted = re.findall(
        r'^bdcan_http_requests_total{method="(?:POST|PUT)".*} (\S+)$',
        (await given.http.get("/metrics")).text,
        re.MULTILINE,
    )
    return sum(map(float, counted))
