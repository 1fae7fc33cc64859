"""What is not yours and what is not there have one answer, and each answer has the headers that OWASP lists."""

from __future__ import annotations

import base64
import json
import re
from typing import Any
from uuid import UUID, uuid4

import httpx

from bdcan_chassis.testing.harness import Harness

_WANTED = {
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
}


async def _reading(given: Harness) -> list[str]:
    document = (await given.http.get("/openapi.json")).json()
    return [path for path, operations in document["paths"].items() if "get" in operations]


def _without_id(answer: httpx.Response) -> dict[str, Any]:
    body = answer.json()
    return {name: body[name] for name in body if name != "request_id"}


async def test_each_answer_has_the_headers(given: Harness) -> None:
    asked = [
        ("GET", "/docs", {}),
        ("GET", "/openapi.json", {}),
        ("GET", "/livez", {}),
        ("GET", "/metrics", {}),
        ("GET", "/nowhere", {}),
        ("GET", "/v1/dead-letters", {}),
        ("GET", "/v1/dead-letters?x=1", {}),
        ("HEAD", "/v1/dead-letters", {}),
        ("OPTIONS", "/v1/dead-letters", {}),
        ("TRACE", "/v1/dead-letters", {}),
        ("DELETE", "/v1/dead-letters", {}),
        ("GET", "/v1/dead-letters", {"X-API-Key": "wrong"}),
        ("POST", f"/v1/dead-letters/{uuid4()}/views", {"Content-Encoding": "gzip"}),
        ("POST", f"/v1/dead-letters/{uuid4()}/views", {"Content-Type": "text/plain"}),
    ]
    for method, path, headers in asked:
        answer = await given.http.request(method, path, headers=headers, content=b"")
        for name, value in _WANTED.items():
            assert answer.headers.get_list(name) == [value], f"{method} {path}: {answer.headers}"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert "max-age=" in answer.headers["strict-transport-security"]
        assert "server" not in answer.headers
        assert "content-type" in answer.headers


async def test_not_found_is_one_answer(given: Harness) -> None:
    known = _without_id(await given.http.get("/v1/nowhere"))
    assert known["detail"] == "There is no such thing, or it is not yours to see."
    nobody = given.client(["referrals:read", "routing:read", "tasks:read", "calls:read", "parcels:read",
                           "escalations:read", "volunteers:read", "stock:read"], ["hub-none"])  # fmt: skip
    for path in [*await _reading(given), "/v1/{id}", "/{id}", "/v1/referrals/{id}/nothing"]:
        if "{" not in path:
            continue
        for who in (given.http, nobody):
            for one in (str(UUID(int=7)), str(uuid4()), "rose-tremain", "7", "%00", "a" * 300):
                answer = await who.get(re.sub(r"{\w+}", one, path))
                if answer.status_code in {404, 400}:
                    assert _without_id(answer) == known, f"{path} {one}: {answer.text}"
                else:
                    assert answer.status_code in {200, 403, 422}, answer.text


async def test_cursor_of_another_list_or_of_nobody_is_refused_alike(given: Harness) -> None:
    def forged(*values: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")

    for path in await _reading(given):
        if "{" in path:
            continue
        document = await given.http.get(path, params={"after": "x"})
        if document.status_code != 422 or "query.after" not in document.text:
            continue  # no pages
        answers = [
            await given.http.get(path, params={"after": cursor})
            for cursor in ("Rose", "====", forged({}), forged("a", "b", "c", "d"), forged([1]), str(uuid4()))
        ]
        assert {a.status_code for a in answers} == {422}, path
        assert len({json.dumps(_without_id(a)) for a in answers}) == 1
        foreign = await given.http.get(path, params={"after": forged("2020-03-23T09:00:00Z", str(uuid4()))})
        assert foreign.status_code in {200, 422}
