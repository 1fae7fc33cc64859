"""All services speak one dialect: strict bodies, known parameters, pages by sort value, HEAD, and nothing cached."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from bdcan_chassis.http.paging import MOST
from bdcan_chassis.testing.harness import Harness

DELIVERY: dict[str, Any] = {
    "lot": "lot-7",
    "quantity": 3,
    "best_before": "2020-06-01",
    "counted_at": "2020-03-23T09:00:00Z",
    "mood": "glad",
    "ids": ["01890000-0000-7000-8000-000000000000"],
    "inner": [{"born": "1950-01-01"}],
}


async def test_body_reads_texts_for_types_that_json_lacks(ledger: Harness) -> None:
    answer = await ledger.http.post("/toy/deliveries", json=DELIVERY)
    assert (answer.status_code, answer.json()) == (201, {"number": 3})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("quantity", True),
        ("quantity", "1"),
        ("quantity", 1.5),
        ("best_before", 0),
        ("best_before", "0"),
        ("best_before", False),
        ("counted_at", 0),
        ("counted_at", 1584954000.0),
        ("counted_at", "1584954000"),
        ("counted_at", "-1584954000.5"),
        ("weight", float("nan")),
        ("weight", float("inf")),
        ("weight", "1"),
        ("counted_at", "2020-03-23T09:00:00"),
        ("lot", 7),
        ("lot", "Lot 7"),
        ("mood", 1),
        ("mood", "sad"),
        ("ids", ["7"]),
        ("ids", [7]),
    ],
)
async def test_body_refuses_values_of_another_type(ledger: Harness, field: str, value: object) -> None:
    answer = await ledger.http.post(
        "/toy/deliveries",
        content=json.dumps(DELIVERY | {field: value}),  # httpx would not send NaN
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code == 422, answer.text
    assert {error["field"].split(".")[0] for error in answer.json()["errors"]} == {field}


async def test_body_is_strict_in_its_inner_bodies(ledger: Harness) -> None:
    answer = await ledger.http.post("/toy/deliveries", json=DELIVERY | {"inner": [{"born": 0}, {"more": 1}]})
    fields = {error["field"] for error in answer.json()["errors"]}
    assert fields == {"inner.0.born", "inner.1.born", "inner.1"}


@pytest.mark.parametrize(
    "media_type", ["text/csv", "application/x-www-form-urlencoded", "application/xml", None]
)
async def test_body_of_another_media_type_is_415(ledger: Harness, media_type: str | None) -> None:
    headers = {"Content-Type": media_type} if media_type else {}
    answer = await ledger.http.post("/toy/deliveries", content=b"{}", headers=headers)
    assert answer.status_code == 415
    assert answer.headers["content-type"] == "application/problem+json"
    assert "application/json" in answer.json()["detail"]


@pytest.mark.parametrize("media_type", ["application/json; charset=utf-8", "application/merge-patch+json"])
async def test_body_of_any_json_is_taken(ledger: Harness, media_type: str) -> None:
    answer = await ledger.http.post(
        "/toy/deliveries", content=b'{"lot": "a", "quantity": 1}', headers={"Content-Type": media_type}
    )
    assert answer.status_code == 201


async def test_unknown_parameter_is_refused_with_those_that_are_known(ledger: Harness) -> None:
    answer = await ledger.http.get("/toy/numbers", params={"overdue": "true", "limit": 2, "aftr": "true"})
    assert answer.status_code == 422
    [first, second] = answer.json()["errors"]
    assert (first["field"], second["field"]) == ("query", "query")
    assert "after, limit" in first["message"]
    assert "is it after?" in second["message"]
    assert "overdue" not in answer.text


async def test_pages_follow_each_other_and_the_last_has_no_next(ledger: Harness) -> None:
    seen: list[int] = []
    parameters: dict[str, Any] = {"limit": 2}
    while True:
        page = (await ledger.http.get("/toy/numbers", params=parameters)).json()
        seen += [item["number"] for item in page["items"]]
        assert page["items"][0]["note"] is None  # only `next` is left out
        if "next" not in page:
            break
        parameters["after"] = page["next"]
    assert seen == [0, 1, 2, 3, 4]


async def test_page_that_is_just_full_is_the_last(ledger: Harness) -> None:
    page = (await ledger.http.get("/toy/numbers", params={"limit": 5})).json()
    assert len(page["items"]) == 5
    assert "next" not in page


@pytest.mark.parametrize(
    "cursor", ["x", "", "W10", "WyJ4IiwgMV0", "a" * 300, "01890000-0000-7000-8000-000000000000"]
)
async def test_cursor_of_another_list_is_refused(ledger: Harness, cursor: str) -> None:
    answer = await ledger.http.get("/toy/numbers", params={"after": cursor})
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["query.after"]


@pytest.mark.parametrize("limit", [0, MOST + 1, "x"])
async def test_limit_has_bounds(ledger: Harness, limit: object) -> None:
    answer = await ledger.http.get(f"/toy/numbers?limit={limit}")
    assert [error["field"] for error in answer.json()["errors"]] == ["query.limit"]


async def test_head_answers_as_get_without_the_body(ledger: Harness) -> None:
    shown, head = await ledger.http.get("/toy/numbers"), await ledger.http.head("/toy/numbers")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == shown.headers["content-length"]
    assert (await ledger.http.head("/toy/nothing")).status_code == 404


async def test_nothing_under_v1_is_cached(ledger: Harness) -> None:
    for path in ("/v1/dead-letters", "/v1/dead-letters?limit=0", "/v1/nothing"):
        assert (await ledger.http.get(path)).headers["cache-control"] == "no-store"


async def test_trailing_slash_is_not_redirected(ledger: Harness) -> None:
    answer = await ledger.http.get("/toy/numbers/", headers={"Host": "elsewhere.example"})
    assert answer.status_code == 404


@pytest.mark.parametrize(
    ("field", "typed", "kept"),
    [
        ("lot", " lot-7\u200b", "lot-7"),
        ("lot", "lot\u20117", None),
        ("note", " Zoe\u0308\r\nback\u00a0door ", "Zo\u00eb\nback door"),
        ("mood", "glad ", "glad"),
        ("best_before", "\ufeff2020-06-01 ", "2020-06-01"),
        ("ids", ["01890000-0000-7000-8000-000000000000 "], ["01890000-0000-7000-8000-000000000000"]),
    ],
)
async def test_text_of_a_body_is_read_without_what_nobody_sees(
    ledger: Harness, field: str, typed: object, kept: object
) -> None:
    answer = await ledger.http.post("/toy/echo", json=DELIVERY | {field: typed})
    assert (answer.status_code == 422) == (kept is None)
    if kept is not None:
        assert answer.json()[field] == kept


async def test_text_of_blanks_is_as_good_as_none(ledger: Harness) -> None:
    answer = await ledger.http.post("/toy/echo", json=DELIVERY | {"note": " \u200b\n"})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "note")


@pytest.mark.parametrize(
    "asked",
    [
        "/toy/said/lot-7%20?as=REF%20",
        "/toy/said/%EF%BB%BFlot-7?as=+REF",
        "/toy/said/lot-7?as=%C2%A0REF%0D%0A",
    ],
)
async def test_path_and_query_are_read_without_what_nobody_sees(ledger: Harness, asked: str) -> None:
    answer = await ledger.http.get(asked)
    assert (answer.status_code, answer.json()) == (200, {"lot": "lot-7", "as": "REF"})


async def test_path_and_query_keep_what_people_mean(ledger: Harness) -> None:
    answer = await ledger.http.get("/toy/said/lot-7?as=Zoe%CC%88%20%26%20Co%2B1%3D%25")
    assert answer.json()["as"] == "Zo\u00eb & Co+1=%"


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate, gzip", "GZIP"])
async def test_packed_body_is_answered_in_words(ledger: Harness, coding: str) -> None:
    headers = {"Content-Encoding": coding, "Content-Type": "application/json"}
    body = gzip.compress(json.dumps(DELIVERY).encode())
    answer = await ledger.http.post("/toy/deliveries", content=body, headers=headers)
    assert (answer.status_code, answer.headers["accept-encoding"]) == (415, "identity")
    assert answer.json()["type"] == "urn:bdcan:problem:packed-body"
    assert "Content-Encoding" in answer.json()["detail"]


async def test_body_that_says_it_is_not_packed_is_read(ledger: Harness) -> None:
    headers = {"Content-Encoding": "identity"}
    assert (await ledger.http.post("/toy/deliveries", json=DELIVERY, headers=headers)).status_code == 201


async def test_documentation_is_served_without_another_host(ledger: Harness) -> None:
    page = await ledger.http.get("/docs")
    assert page.status_code == 200
    assert "://" not in page.text
    for file in ("swagger-ui-bundle.js", "swagger-ui.css"):
        assert f"/static-offline-docs/{file}" in page.text
        assert (await ledger.http.get(f"/static-offline-docs/{file}")).status_code == 200


async def test_documentation_shows_bodies_and_names_the_errors_of_each_route(ledger: Harness) -> None:
    document = (await ledger.http.get("/openapi.json")).json()
    statuses = {"401", "404", "422", "429", "503"}
    for path in document["paths"].values():
        for method, operation in path.items():
            more = set() if method == "get" else {"408", "409", "413"}
            more |= {"400", "415"} if "requestBody" in operation else set()
            more |= {"403"} if "security" in operation else set()
            assert {s for s in operation["responses"] if s >= "400"} == statuses | more
            for status in statuses | more:
                assert operation["responses"][status]["content"] == {
                    "application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemBody"}}
                }
    schemas = document["components"]["schemas"]
    assert schemas.keys() >= {"ProblemBody", "Problem"}
    assert "HTTPValidationError" not in schemas
    body = schemas["Delivery"]
    assert body["properties"]["quantity"] == {"type": "integer", "title": "Quantity"}
    assert body["additionalProperties"] is False


async def test_absent_and_foreign_things_have_one_answer(ledger: Harness) -> None:
    http = ledger.client(["tasks:read"], ["south"])
    answers = [await http.get("/toy/hubs/none"), await http.get("/toy/hubs/north")]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert len({answer.json()["detail"] for answer in answers}) == 1
    assert (await http.get("/toy/hubs/south")).status_code == 200
