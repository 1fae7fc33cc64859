"""Nobody's body is read before the service knows who sends it; then it has a limit, which the answer names."""

from __future__ import annotations

import asyncio
import re
from uuid import UUID

import httpx
import pytest

from bdcan_chassis.testing.harness import Harness

_ID = str(UUID(int=7))
_ASKED = {"/v1/referral-imports": "?source=a-list"}
_LARGE = 20_000_001


async def _writing(given: Harness) -> list[tuple[str, str]]:
    document = (await given.http.get("/openapi.json")).json()
    return [
        (method.upper(), re.sub(r"{\w+}", _ID, path) + _ASKED.get(path, ""))
        for path, operations in document["paths"].items()
        for method in operations
        if method in {"post", "put", "patch", "delete"} and path.startswith("/v1")
    ]


async def _answer_to_head(given: Harness, method: str, path: str, *headers: str) -> str:
    """The answer to a request whose body never comes."""
    url = httpx.URL(given.url)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    try:
        head = [f"{method} {path} HTTP/1.1", "Host: x", "Content-Type: application/json", *headers]
        writer.write("\r\n".join([*head, "", ""]).encode())
        async with asyncio.timeout(5):
            return (await reader.readuntil(b"}")).decode()
    finally:
        writer.close()


@pytest.mark.parametrize("how", [f"Content-Length: {_LARGE}", "Transfer-Encoding: chunked"])
@pytest.mark.parametrize("credentials", ["X-None: 1", "X-API-Key: wrong"])
async def test_stranger_is_refused_before_a_byte_of_the_body(
    given: Harness, how: str, credentials: str
) -> None:
    for method, path in await _writing(given):
        if path.endswith("/call-backs") and "None" not in credentials:
            continue
        answer = await _answer_to_head(given, method, path, how, credentials)
        assert answer.startswith("HTTP/1.1 401"), f"{method} {path}: {answer}"


async def test_caller_without_the_scope_is_refused_before_a_byte_of_the_body(given: Harness) -> None:
    key = given.client(["nothing:read"]).headers["X-API-Key"]
    for method, path in await _writing(given):
        if path.endswith("/call-backs"):
            continue  # its body is signed: nobody can tell who sends it before it is read
        answer = await _answer_to_head(given, method, path, "Content-Length: 9", f"X-API-Key: {key}")
        assert answer.startswith("HTTP/1.1 403"), f"{method} {path}: {answer}"


@pytest.mark.parametrize("service_name", ["intake"])
@pytest.mark.parametrize("path", ["/v1/referrals", "/v1/referral-imports"])
@pytest.mark.parametrize(("sources", "asked"), [((), ""), (("a-list",), "?source=another-list")])
async def test_sender_of_no_such_source_is_refused_before_a_byte_of_the_body(
    given: Harness, path: str, sources: tuple[str, ...], asked: str
) -> None:
    key = given.client(["referrals:write"], sources=sources).headers["X-API-Key"]
    answer = await _answer_to_head(given, "POST", path + asked, "Content-Length: 9", f"X-API-Key: {key}")
    assert answer.startswith("HTTP/1.1 403"), answer


async def test_query_that_is_wrong_is_refused_before_a_byte_of_the_body(given: Harness) -> None:
    key = given.http.headers["X-API-Key"]
    for method, path in await _writing(given):
        if path.endswith("/call-backs"):
            continue  # whoever signs its body is not known yet
        wrong = path + ("&" if "?" in path else "?") + "no-such=1"
        answer = await _answer_to_head(given, method, wrong, "Content-Length: 9", f"X-API-Key: {key}")
        assert answer.startswith("HTTP/1.1 422"), f"{method} {wrong}: {answer}"


@pytest.mark.parametrize("service_name", ["intake"])
@pytest.mark.parametrize(
    "wrong",
    [
        "/v1/referrals?source=Not+A+Source",
        "/v1/referrals?dry_run=perhaps",
        "/v1/referral-imports?source=Not+A+Source",
        "/v1/referrals/no-id/withdrawal",
        f"/v1/referrals/{_ID}/amendments?dry_run=perhaps",
    ],
)
async def test_value_that_is_wrong_is_refused_before_a_byte_of_the_body(given: Harness, wrong: str) -> None:
    key = given.http.headers["X-API-Key"]
    answer = await _answer_to_head(given, "POST", wrong, "Content-Length: 9", f"X-API-Key: {key}")
    assert answer.startswith(("HTTP/1.1 422", "HTTP/1.1 404")), answer


@pytest.mark.parametrize("service_name", ["intake"])
async def test_one_scope_of_several_opens_the_route(given: Harness) -> None:
    for scopes, status in ((["disclosures:task"], 422), (["disclosures:none-such"], 403)):
        answer = await given.client(scopes).post("/v1/disclosures", json={})
        assert answer.status_code == status, answer.text
    nobodys = {"purpose": "triage", "reason": "to help", "referral_id": _ID}
    refused = await given.client(["disclosures:task"]).post("/v1/disclosures", json=nobodys)
    assert (refused.status_code, refused.json()["detail"]) == (403, "The scope disclosures:triage is needed.")


async def test_body_above_the_limit_is_refused_unread_and_the_limit_is_named(given: Harness) -> None:
    key = given.http.headers["X-API-Key"]
    for method, path in await _writing(given):
        signed = "X-Signature: t=1,v1=00"
        answer = await _answer_to_head(
            given, method, path, f"Content-Length: {_LARGE}", f"X-API-Key: {key}", signed
        )
        if answer.startswith("HTTP/1.1 413"):
            assert re.search(r"A body has (16000|256000|20000000) bytes at most", answer), answer
        else:  # a route that needs no body never reads it
            assert re.match(r"HTTP/1.1 4\d\d|HTTP/1.1 2", answer), f"{method} {path}: {answer}"


async def test_only_lists_of_people_may_be_large(given: Harness) -> None:
    document = (await given.http.get("/openapi.json")).json()
    large = {
        path
        for path, operations in document["paths"].items()
        for operation in operations.values()
        if operation.get("x-most-body-bytes", 0) > 256_000
    }
    assert large <= {"/v1/referral-imports"}
