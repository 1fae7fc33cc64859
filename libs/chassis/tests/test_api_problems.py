"""Every error is problem+json, names all wrong fields at once, and repeats no value that was sent."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from uuid import uuid4

import httpx
import pytest
from hypothesis import example, settings
from hypothesis import given as for_all
from hypothesis import strategies as st
from toy_api import Person

from bdcan_chassis.testing.harness import Harness

GOOD: dict[str, Any] = {
    "id": "01890000-0000-7000-8000-000000000000",
    "name": "Somebody",
    "born": "1950-01-01",
    "household": 2,
    "contact": {"by": "phone", "number": "1"},
}


def is_problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["type"] == f"urn:bdcan:problem:{code}"
    assert body["status"] == status
    assert body["title"]
    assert body["detail"]
    assert body["request_id"] == answer.headers["x-request-id"]
    return body


async def test_good_body_is_accepted(ledger: Harness) -> None:
    answer = await ledger.http.post("/toy/people", json=GOOD)
    assert (answer.status_code, answer.json()) == (201, {"number": 2})


@pytest.mark.parametrize(
    "body", [b"", b"{", b"nul", b'{"id": }', b"\xff\xfe{}", b"[" * 100_000, b"1" * 10_000, b"{} {}"]
)
async def test_body_that_is_not_json_is_400_or_422(ledger: Harness, body: bytes) -> None:
    answer = await ledger.http.post("/toy/people", content=body, headers={"Content-Type": "application/json"})
    assert answer.headers["content-type"] == "application/problem+json"
    if body == b"":
        is_problem(answer, 422, "invalid")
    else:
        too_deep = body.startswith(b"[[")
        is_problem(answer, 422 if too_deep else 400, "invalid" if too_deep else "bad-json")


@pytest.mark.parametrize(
    ("body", "key"),
    [
        (b'{"name": "A", "name": "B"}', "name"),
        (b'{"contact": {"by": "phone", "number": "1", "number": "2"}}', "number"),
        (b'\xef\xbb\xbf{"a": [{"x": 1, "x": 1}]}', "body"),
    ],
)
async def test_key_that_is_there_twice_is_named_if_it_is_ours(ledger: Harness, body: bytes, key: str) -> None:
    answer = await ledger.http.post("/toy/people", content=body, headers={"Content-Type": "application/json"})
    problem = is_problem(answer, 422, "invalid")
    assert [(e["field"], e["code"]) for e in problem["errors"]] == [(key, "repeated-key")]


async def test_byte_order_mark_before_json_is_ignored(ledger: Harness) -> None:
    body = b"\xef\xbb\xbf" + json.dumps(GOOD).encode()
    answer = await ledger.http.post("/toy/people", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 201


async def test_all_wrong_fields_are_named_at_once_without_their_values(
    ledger: Harness,
) -> None:
    secret = "Xq7Zephyr"
    body = {
        "id": secret,
        "name": secret * 9,
        "born": secret,
        "household": secret,
        "contact": {"by": secret},
        "needs": ["food", secret],
        "unknown": secret,
    }
    answer = await ledger.http.post("/toy/people", json=body)
    problem = is_problem(answer, 422, "invalid")
    assert {e["field"] for e in problem["errors"]} == {
        "id",
        "name",
        "born",
        "household",
        "contact",
        "needs.1",
        "body",
    }
    assert all(e["code"] and e["message"] for e in problem["errors"])
    assert secret.lower() not in answer.text.lower()


async def test_wrong_query_and_path_values_are_named_without_their_values(
    ledger: Harness,
) -> None:
    answer = await ledger.http.get("/v1/dead-letters", params={"limit": "Xq7Zephyr", "state": "Xq7Zephyr"})
    problem = is_problem(answer, 422, "invalid")
    assert {e["field"] for e in problem["errors"]} == {"query.limit", "query.state"}
    assert "Xq7Zephyr" not in answer.text
    answer = await ledger.http.get("/toy/accounts/Xq7Zephyr")
    is_problem(answer, 404, "not-found")
    assert "Xq7Zephyr" not in answer.text


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["phone", "post", "food"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from([*Person.model_fields, "by", "\ud800", "x"]) | st.text(), inner, max_size=6
        )
    ),
    max_leaves=20,
)


async def test_no_json_body_causes_a_server_error(ledger: Harness) -> None:
    @settings(max_examples=100, deadline=None)
    @example({"\ud800": 1})
    @example(GOOD | {"name": "\ud800\ud800", "\udfff": 1})
    @example(GOOD | {"name": "a\x00b"})
    @for_all(_JSON)
    def send(body: Any) -> None:
        request = ledger.http.post(
            "/toy/people", content=json.dumps(body), headers={"Content-Type": "application/json"}
        )
        answer = asyncio.run_coroutine_threadsafe(request, loop).result(20)
        assert answer.status_code in {201, 400, 422}
        if answer.status_code != 201:
            assert answer.headers["content-type"] == "application/problem+json"

    loop = asyncio.get_running_loop()
    await asyncio.to_thread(send)


async def test_text_that_no_database_stores_is_a_client_error(
    ledger: Harness,
) -> None:
    answer = await ledger.http.get("/toy/text", params={"text": "a\x00b"})
    is_problem(answer, 422, "unstorable-text")
    answer = await ledger.http.get("/v1/dead-letters", params={"consumer": "a\x00b"})
    is_problem(answer, 422, "unstorable-text")
    assert (await ledger.http.get("/toy/text", params={"text": "späti 🍞"})).json() == {"number": 7}


async def test_unknown_route_is_404_and_wrong_method_is_405(ledger: Harness) -> None:
    is_problem(await ledger.http.get("/toy/nowhere/Xq7"), 404, "not-found")
    answer = await ledger.http.delete("/toy/people")
    is_problem(answer, 405, "method-not-allowed")
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize("declared", [True, False], ids=["declared", "chunked"])
async def test_too_large_a_body_is_413_and_is_not_read_to_the_end(ledger: Harness, declared: bool) -> None:
    most = ledger.service.settings.http_body_bytes
    good = json.dumps(GOOD).encode()
    assert (
        await ledger.http.post(
            "/toy/people", content=good.ljust(most), headers={"Content-Type": "application/json"}
        )
    ).status_code == 201

    async def pieces():
        yield good.ljust(most)
        yield b" "

    content = good.ljust(most + 1) if declared else pieces()
    answer = await ledger.http.post(
        "/toy/people", content=content, headers={"Content-Type": "application/json"}
    )
    assert str(most) in is_problem(answer, 413, "too-large")["detail"]


@pytest.mark.parametrize("path", ["bug", "row"])
async def test_bug_is_500_and_says_nothing_about_the_exception(ledger: Harness, path: str) -> None:
    answer = await ledger.http.get(f"/toy/{path}")
    is_problem(answer, 500, "internal")
    for word in ("Rose", "07700", "RuntimeError", "UniqueViolation", "account"):
        assert word not in answer.text


async def test_domain_error_has_the_status_of_the_table(
    ledger: Harness,
) -> None:
    assert is_problem(await ledger.http.get("/toy/refused"), 409, "refused")["detail"] == (
        "It is too late for that."
    )


async def test_transient_failure_is_503_with_retry_after(
    ledger: Harness,
) -> None:
    answer = await ledger.http.get("/toy/deadlock")
    is_problem(answer, 503, "unavailable")
    assert int(answer.headers["retry-after"]) > 0


async def test_unreachable_database_is_503_until_it_returns(ledger: Harness, postgres_server) -> None:
    account = uuid4()
    assert (await ledger.http.post(f"/toy/entries/{account}", json={"number": 1})).status_code == 201
    await postgres_server.stop()
    try:
        answers = await asyncio.gather(
            ledger.http.get(f"/toy/accounts/{account}"),
            ledger.http.post(
                f"/toy/entries/{account}", json={"number": 2}, headers={"Idempotency-Key": "again"}
            ),
        )
        for answer in answers:
            is_problem(answer, 503, "unavailable")
            assert "retry-after" in answer.headers
        ready = await ledger.http.get("/readyz")
        assert (ready.status_code, list(ready.json()["wrong"])) == (503, ["database"])
        assert (await ledger.http.get("/livez")).status_code == 200, "a restart would not help"
    finally:
        await postgres_server.start()
    assert (await ledger.http.get("/readyz")).json() == {"ready": True, "wrong": {}}
    answer = await ledger.http.post(
        f"/toy/entries/{account}", json={"number": 2}, headers={"Idempotency-Key": "again"}
    )
    assert answer.status_code == 201
    assert "idempotent-replayed" not in answer.headers, "what was refused was not done"


async def test_request_id_is_never_the_senders(ledger: Harness) -> None:
    ids = set[str]()
    for sent in ("call-12.abc_9", "07700900123", "rose-tremain", "short", "x" * 65):
        answer = await ledger.http.get("/livez", headers={"X-Request-ID": sent})
        ids.add(answer.headers["x-request-id"])
        assert sent not in str(answer.headers)
    assert {len(one) for one in ids} == {16}
    assert len(ids) == 5


async def test_unknown_field_is_named_by_its_place_and_by_the_field_it_is_like(ledger: Harness) -> None:
    answer = await ledger.http.post("/toy/people", json=GOOD | {"Rose Tremain": 1, "houshold": 1})
    assert is_problem(answer, 422, "invalid")["errors"] == [
        {"field": "body", "code": "extra-forbidden", "message": "no such field (field 6 here)"},
        {
            "field": "body",
            "code": "extra-forbidden",
            "message": "no such field (field 7 here): is it household?",
        },
    ]


async def test_answer_names_twenty_errors_and_counts_the_others(ledger: Harness) -> None:
    answer = await ledger.http.post("/toy/people", json=GOOD | {f"made-up-{n}": n for n in range(300)})
    problem = is_problem(answer, 422, "invalid")
    assert (len(problem["errors"]), problem["more_errors"]) == (20, 280)
    assert problem["detail"] == "300 fields are at fault. Here are 20 of them."


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({f"k{n}": 0 for n in range(501)}),
        json.dumps({"needs": [{}] * 20_002}),
        "[" * 51 + "]" * 51,
        '{"a":' * 51 + "1" + "}" * 51,
    ],
    ids=["keys", "values", "lists", "objects"],
)
async def test_json_that_no_form_has_is_refused_in_a_few_words(ledger: Harness, body: str) -> None:
    answer = await ledger.http.post("/toy/people", content=body, headers={"Content-Type": "application/json"})
    assert [e["code"] for e in is_problem(answer, 422, "invalid")["errors"]] == ["too-much"]
    assert len(answer.content) < 1000


async def test_brackets_in_text_are_no_depth(ledger: Harness) -> None:
    answer = await ledger.http.post(
        "/toy/deliveries", json={"lot": "lot-7", "quantity": 1, "note": '[{"' * 60}
    )
    assert answer.status_code == 201, answer.text
