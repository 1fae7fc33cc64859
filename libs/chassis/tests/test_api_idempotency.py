"""Idempotency-Key: a repeated request gets the same reply and has one effect."""

from __future__ import annotations

import asyncio
import hashlib
import json
from uuid import UUID, uuid4

import httpx
import pytest

from bdcan_chassis.testing.harness import Harness


async def post(
    http: httpx.AsyncClient, account: UUID, number: int, key: str | None = "key-1"
) -> httpx.Response:
    headers = {} if key is None else {"Idempotency-Key": key}
    return await http.post(f"/toy/entries/{account}", json={"number": number}, headers=headers)


async def numbers(ledger: Harness, account: UUID) -> list[int]:
    rows = await ledger.fetch("SELECT numbers FROM account WHERE id = $1", account)
    return list(rows[0]["numbers"]) if rows else []


async def test_repeated_key_gets_the_same_reply_and_one_effect(
    ledger: Harness,
) -> None:
    account = uuid4()
    first = await post(ledger.http, account, 7)
    second = await post(ledger.http, account, 7)
    assert (
        (first.status_code, first.content) == (second.status_code, second.content) == (201, b'{"number":7}')
    )
    assert second.headers["content-type"] == first.headers["content-type"]
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"
    assert await numbers(ledger, account) == [7]


async def test_request_without_a_key_is_done_again(ledger: Harness) -> None:
    account = uuid4()
    await post(ledger.http, account, 7, None)
    await post(ledger.http, account, 7, None)
    assert await numbers(ledger, account) == [7, 7]


async def test_used_key_with_another_request_is_422(
    ledger: Harness,
) -> None:
    account, other = uuid4(), uuid4()
    await post(ledger.http, account, 7)
    for answer in (await post(ledger.http, account, 8), await post(ledger.http, other, 7)):
        assert answer.status_code == 422
        assert answer.json()["type"] == "urn:bdcan:problem:idempotency-key-reused"
    assert await numbers(ledger, account) == [7]
    assert await numbers(ledger, other) == []


async def test_two_callers_may_use_the_same_key(ledger: Harness) -> None:
    account = uuid4()
    await post(ledger.http, account, 7)
    answer = await post(ledger.client(["tasks:write"]), account, 8)
    assert answer.status_code == 201
    assert await numbers(ledger, account) == [7, 8]


async def test_concurrent_uses_of_a_key_have_one_effect(
    ledger: Harness,
) -> None:
    account = uuid4()
    answers = await asyncio.gather(*(post(ledger.http, account, 7) for _ in range(12)))
    assert {(a.status_code, a.content) for a in answers} == {(201, b'{"number":7}')}
    assert sum("idempotent-replayed" not in a.headers for a in answers) == 1
    assert await numbers(ledger, account) == [7]


async def test_failed_request_leaves_its_key_free(
    ledger: Harness,
) -> None:
    account = uuid4()
    assert (await post(ledger.http, account, -1)).status_code == 409
    assert (await post(ledger.http, account, 7)).status_code == 201
    assert await numbers(ledger, account) == [7]


@pytest.mark.parametrize("key", ["", "k" * 256])
async def test_key_of_a_wrong_length_is_422(ledger: Harness, key: str) -> None:
    assert (await post(ledger.http, uuid4(), 7, key)).status_code == 422


async def test_lost_database_connection_is_retried_for_the_caller(
    ledger: Harness,
) -> None:
    account, blocker = uuid4(), ledger.transactions.pool
    await post(ledger.http, account, 1, None)
    async with blocker.acquire() as connection:
        victim = connection.transaction()
        await victim.start()
        await connection.execute("SELECT 1 FROM account WHERE id = $1 FOR UPDATE", account)
        waiting = asyncio.create_task(post(ledger.http, account, 7))
        await ledger.fetch("SELECT pg_terminate_backend($1)", await ledger.until_blocked())
        await victim.rollback()
    assert (await waiting).status_code == 201
    assert await numbers(ledger, account) == [1, 7]


async def test_same_content_in_other_bytes_is_the_same_request(ledger: Harness) -> None:
    delivery = {"lot": "lot-7", "quantity": 3, "note": "Zo\u00eb\nback door"}
    other = '{ "note": " Zoe\\u0308\\r\\nback\u00a0door", "quantity": 3,\n"lot": "lot-7 " }'
    answers = [
        await ledger.http.post(
            "/toy/kept-deliveries",
            content=content,
            headers=[(b"Idempotency-Key", key), (b"Content-Type", b"application/json")],
        )
        for content, key in (
            (json.dumps(delivery), b"key-1"),
            (other, "key-1\u00a0".encode()),
            (json.dumps(delivery | {"quantity": 4}), b"key-1"),
        )
    ]
    assert [a.status_code for a in answers] == [201, 201, 422]
    assert answers[1].headers["idempotent-replayed"] == "true"


async def test_reply_that_the_release_before_stored_is_still_found(ledger: Harness) -> None:
    account = uuid4()
    await post(ledger.http, account, 7)
    url, body = f"/toy/entries/{account}", b'{"number":7}'
    before = hashlib.sha256(f"POST {url}?\n".encode() + body).digest()
    await ledger.transactions.pool.execute("UPDATE chassis.idempotency_key SET request_hash = $1", before)
    assert (await post(ledger.http, account, 7)).headers["idempotent-replayed"] == "true"
