"""A caller who calls too often is told when to call again. Reading closes first, and what is urgent stays open."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from bdcan_chassis.testing.harness import Harness, harness
from bdcan_intake.app import service
from bdcan_intake.settings import Settings

_FORM = {"channel": "phone", "person": {"name": "Amina Example"}, "needs": ["shopping"]}
_MANY = 50


@pytest.fixture
async def given(postgres_server: Any) -> AsyncIterator[Harness]:
    async with harness(
        postgres_server,
        service,
        Settings,
        http_rate_reading="20 per 1 hour",
        http_rate_lists="2 per 1 hour",
        http_rate_writing="30 per 1 hour",
        http_rate_urgent="40 per 1 hour",
        http_rate_failures="20 per 1 hour",
    ) as running:
        yield running


async def test_reads_and_lists_close_and_referrals_are_taken_on(given: Harness) -> None:
    reads = [await given.http.get("/v1/summary") for _ in range(_MANY)]
    assert [a.status_code for a in reads] == [200] * 20 + [429] * 30
    lists = [
        await given.http.post("/v1/referral-imports?source=a-list", content="name,needs\nAmina,shopping\n")
        for _ in range(4)
    ]
    assert [a.status_code for a in lists] == [201, 201, 429, 429]
    writes = [
        await given.http.post(
            f"/v1/referrals/{'0' * 8}-0000-7000-8000-{'0' * 12}/withdrawal", json={"reason": "gone"}
        )
        for _ in range(31)
    ]
    assert [a.status_code for a in writes] == [404] * 30 + [429]
    for refused in (reads[-1], lists[-1], writes[-1]):
        assert refused.json()["type"] == "urn:bdcan:problem:too-many-requests"
        assert refused.headers["content-type"] == "application/problem+json"
        assert 1 <= int(refused.headers["retry-after"]) <= 3600
    urgent = [await given.http.post("/v1/referrals", json=_FORM | {"reference": f"r-{n}"}) for n in range(41)]
    assert [a.status_code for a in urgent] == [201] * 40 + [429]


async def test_one_caller_uses_up_nothing_of_another(given: Harness) -> None:
    for _ in range(_MANY):
        await given.http.get("/v1/summary")
    other = given.client(["referrals:read", "hubs:all"])
    assert (await other.get("/v1/summary")).status_code == 200


async def test_failed_sign_ins_of_an_address_are_limited_and_good_ones_are_not(given: Harness) -> None:
    answers = [await given.http.get("/v1/summary", headers={"X-API-Key": f"guess-{n}"}) for n in range(_MANY)]
    assert [a.status_code for a in answers] == [401] * 20 + [429] * 30
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert (await given.http.get("/v1/summary")).status_code == 200
    counted = (await given.http.get("/metrics")).text
    assert 'bdcan_http_limited_total{reason="sign-ins"}' in counted


async def test_lists_that_fill_the_memory_are_refused_and_referrals_are_taken_on(
    postgres_server: Any,
) -> None:
    async with harness(postgres_server, service, Settings, http_body_room=1_000_000) as given:
        enough, done = asyncio.Event(), asyncio.Event()

        async def slow() -> AsyncIterator[bytes]:
            yield b"name,needs\nAmina,shopping\n" + b" " * 700_000
            enough.set()
            await done.wait()

        first = asyncio.ensure_future(given.http.post("/v1/referral-imports?source=a-list", content=slow()))
        await enough.wait()
        url = "/v1/referral-imports?source=a-list"
        rest = "name,needs\nRose,shopping\n" + " " * 140_000
        others = [await given.http.post(url, content=rest)]
        while others[-1].status_code == 201 and len(others) < 20:
            others.append(await given.http.post(url, content=rest))
        assert (await given.http.post("/v1/referrals", json=_FORM)).status_code == 201
        done.set()
        # whichever asks for the room that is not there is refused: one of the others, or the last piece of the first
        answers = [await first, *others]
        [refused] = [answer for answer in answers if answer.status_code != 201]
        assert refused.status_code == 503, refused.text
        assert refused.headers["retry-after"] == "5"
        assert (await given.http.post(url, content="name,needs\nRose,shopping\n")).status_code == 201


async def test_health_has_no_rate(given: Harness) -> None:
    assert {(await given.http.get("/livez")).status_code for _ in range(_MANY)} == {200}
