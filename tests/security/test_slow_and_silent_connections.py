"""Connections that say nothing, or too slowly, are closed; others are served meanwhile. Times are short so that tests are."""

from __future__ import annotations

import asyncio
import os
import resource
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from bdcan_chassis.testing.harness import Harness, harness
from bdcan_routing.app import service
from bdcan_routing.settings import Settings

_SHORT = timedelta(seconds=1)
_MOST = 200
_CLOSED_WITHIN_SECONDS = 20  # generous: the machine may be busy

Ends = list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]


@pytest.fixture
async def given(postgres_server: Any) -> AsyncIterator[Harness]:
    short = dict.fromkeys(("http_head_time", "http_body_time", "http_idle_time", "http_answer_time"), _SHORT)
    async with harness(postgres_server, service, Settings, http_connections=_MOST, **short) as running:
        yield running


async def _opened(given: Harness, count: int, sent: str) -> Ends:
    url = httpx.URL(given.url)
    ends = list(await asyncio.gather(*(asyncio.open_connection(url.host, url.port) for _ in range(count))))
    for _, writer in ends:
        writer.write(sent.encode())
    return ends


async def _what_came_until_closed(ends: Ends) -> list[bytes]:
    async def rest(reader: asyncio.StreamReader) -> bytes:
        try:
            return await reader.read()
        except ConnectionError:
            return b""

    async with asyncio.timeout(_CLOSED_WITHIN_SECONDS):
        return list(await asyncio.gather(*(rest(reader) for reader, _ in ends)))


def _close(ends: Ends) -> None:
    for _, writer in ends:
        writer.close()


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def _serves(given: Harness) -> None:
    async with httpx.AsyncClient(base_url=given.url, headers=given.http.headers, timeout=5) as stranger:
        for _ in range(10):
            assert (await stranger.get("/livez")).status_code == 200
            assert (await stranger.get("/v1/hubs")).status_code == 200


async def test_half_open_headers_are_closed_and_others_are_served(given: Harness) -> None:
    ends = await _opened(given, 300, "GET /v1/hubs HTTP/1.1\r\nHost: x\r\nX-A: ")
    await _serves(given)
    answers = await _what_came_until_closed(ends)
    assert {a[:12] for a in answers} <= {b"HTTP/1.1 408", b""}
    assert sum(a.startswith(b"HTTP/1.1 408") for a in answers) >= _MOST / 2
    assert all(b"nosniff" in a for a in answers if a)


async def test_header_that_drips_is_closed_all_the_same(given: Harness) -> None:
    ends = await _opened(given, 1, "GET /livez HTTP/1.1\r\n")
    [(reader, writer)] = ends
    closed = asyncio.ensure_future(reader.read())
    async with asyncio.timeout(_CLOSED_WITHIN_SECONDS):
        while not closed.done():
            writer.write(b"X-A: 1\r\n")
            await asyncio.wait([closed], timeout=0.1)
    assert (await closed).startswith(b"HTTP/1.1 408")


@pytest.mark.parametrize("first", ["", "\r\n", "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"])
async def test_silent_connections_are_closed_and_keep_nobody_out(given: Harness, first: str) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    many = 1500 if soft >= 4000 or hard == resource.RLIM_INFINITY or hard >= 4000 else 300
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(4000, hard)), hard))
    before = _resident_bytes()
    ends = await _opened(given, many, first)
    await _serves(given)
    await _what_came_until_closed(ends)
    assert _resident_bytes() - before < 150_000_000  # both ends of each connection are in this process
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("how", ["Content-Length: 1000", "Transfer-Encoding: chunked"])
async def test_slow_bodies_are_closed_and_others_are_served(given: Harness, how: str) -> None:
    key = given.http.headers["X-API-Key"]
    head = f"PUT /v1/hubs/hub-1 HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\nContent-Type: application/json\r\n{how}\r\n\r\n"
    ends = await _opened(given, 100, head + ("1\r\n{\r\n" if "chunked" in how else "{"))
    await _serves(given)
    answers = await _what_came_until_closed(ends)
    assert {a[:12] for a in answers} == {b"HTTP/1.1 408"}


async def test_body_of_a_stranger_gets_no_more_time_than_its_answer(given: Harness) -> None:
    head = "PUT /v1/hubs/hub-1 HTTP/1.1\r\nHost: x\r\nContent-Length: 20000000\r\n\r\n{"
    ends = await _opened(given, 100, head)
    await _serves(given)
    answers = await _what_came_until_closed(ends)
    assert {a[:12] for a in answers} == {b"HTTP/1.1 401"}


async def test_steady_body_has_the_time_that_it_needs(postgres_server: Any) -> None:
    async with harness(
        postgres_server, service, Settings, http_body_time=timedelta(seconds=0.5), http_body_rate=10
    ) as given:
        key = given.http.headers["X-API-Key"]
        head = f"PUT /v1/hubs/hub-1 HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\nContent-Type: application/json\r\nContent-Length: 102\r\n\r\n"
        ends = await _opened(given, 1, head + "{" + " " * 100)
        [(reader, writer)] = ends
        answer = asyncio.ensure_future(reader.readuntil(b"\r\n"))
        await asyncio.wait([answer], timeout=1.5)  # thrice what a body has that does not come
        assert not answer.done()
        writer.write(b"}")
        assert (await answer).startswith(b"HTTP/1.1 422")
        _close(ends)


async def test_caller_who_reads_no_answer_is_cut_off(given: Harness) -> None:
    url = httpx.URL(given.url)
    _reader, writer = await asyncio.open_connection(
        url.host, url.port, limit=1
    )  # it reads two bytes and pauses
    request = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"
    async with asyncio.timeout(_CLOSED_WITHIN_SECONDS):
        while not writer.transport.is_closing():
            writer.write(request)
            try:
                await asyncio.wait_for(writer.drain(), 0.05)
            except TimeoutError:
                continue
            except ConnectionError:
                break
    assert 'limited_total{reason="answer-time"}' in (await given.http.get("/metrics")).text


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("GET /livez HTTP/1.1\r\n" + "X-A: 1\r\n" * 150 + "\r\n", 431),
        ("GET /livez HTTP/1.1\r\nX-A: " + "a" * 40_000 + "\r\n\r\n", 431),
        ("GET /livez HTTP/1.1\r\nX-A: " + "a" * 80_000, 431),
        ("GET /" + "a" * 9_000 + " HTTP/1.1\r\n\r\n", 414),
        ("NONSENSE\r\n\r\n", 400),
        ("GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n", 400),
    ],
)
async def test_head_that_is_too_large_or_no_http_gets_a_problem_and_is_closed(
    given: Harness, head: str, status: int
) -> None:
    [answer] = await _what_came_until_closed(await _opened(given, 1, head))
    assert answer.startswith(b"HTTP/1.1 %d" % status), answer
    for said in (b"application/problem+json", b"nosniff", b"no-store", b"frame-ancestors 'none'"):
        assert said in answer


async def test_requests_sent_ahead_are_few(given: Harness) -> None:
    ends = await _opened(given, 1, "GET /v1/hubs HTTP/1.1\r\nHost: x\r\n\r\n" * 1000)
    [answers] = await _what_came_until_closed(ends)
    assert answers.count(b"HTTP/1.1") <= 10
