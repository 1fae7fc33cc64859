"""The routes for operations: health, metrics, dead letters."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import httpx
import pytest
from ledger import Added, Faults

from bdcan_chassis import dead_letters
from bdcan_chassis.dead_letters import DeadLetter
from bdcan_chassis.dispatch import Dispatcher, ParkLimit
from bdcan_chassis.replay import replay_requested
from bdcan_chassis.testing.harness import ALL_SCOPES, Harness

WHY = {"reason": "the bug is mended"}


async def park(ledger: Harness, faults: Faults, *numbers: int) -> list[DeadLetter]:
    """One key with these numbers, of which the first cannot be handled."""
    account = uuid4()
    faults.refuse = {numbers[0]}
    await ledger.deliver(*(Added(account_id=account, number=n) for n in numbers))
    async with ledger.transactions.pool.acquire() as connection:
        return await dead_letters.find(connection)


async def audit(ledger: Harness) -> list[tuple[str, ...]]:
    rows = await ledger.fetch("SELECT act, actor, reason FROM chassis.audit ORDER BY seq")
    return [tuple(r) for r in rows]


async def replay(ledger: Harness) -> int:
    dispatcher = Dispatcher(ledger.service.consumers[0], ledger.transactions, ParkLimit(50, 0.5))
    return await replay_requested({"numbers": dispatcher}, ledger.transactions)


async def test_health_routes_need_no_credential(ledger: Harness) -> None:
    async with httpx.AsyncClient(base_url=ledger.url) as http:
        assert (await http.get("/livez")).text == "ok\n"
        assert (await http.get("/readyz")).json() == {"ready": True, "wrong": {}}
        assert (await http.get("/metrics")).status_code == 200
        assert (await http.get("/v1/dead-letters")).status_code == 401


async def test_process_is_not_ready_without_tables(
    ledger: Harness,
) -> None:
    await ledger.fetch("ALTER SCHEMA chassis RENAME TO hidden")
    try:
        answer = await ledger.http.get("/readyz")
        assert (answer.status_code, answer.json()["wrong"]) == (503, {"database": "UndefinedTableError"})
        answer = await ledger.http.get("/v1/dead-letters")
        assert answer.status_code == 503, "the migration will run: come again"
    finally:
        await ledger.fetch("ALTER SCHEMA hidden RENAME TO chassis")


async def test_requests_are_counted_by_route_and_never_by_path(
    ledger: Harness,
) -> None:
    for account in (uuid4(), uuid4()):
        await ledger.http.get(f"/toy/accounts/{account}")
        await ledger.http.get(f"/toy/accounts/{account}?phone=07700900123")
    await ledger.http.get("/wp-login.php")
    text = (await ledger.http.get("/metrics")).text
    assert 'bdcan_http_requests_total{method="GET",route="/toy/accounts/{account}",status="200"} 2.0' in text
    assert 'route="unmatched",status="404"' in text
    assert str(account) not in text
    assert "07700" not in text
    assert "wp-login" not in text


async def test_dead_letters_without_the_scope_are_403(ledger: Harness, shared_faults: Faults) -> None:
    head, *_ = await park(ledger, shared_faults, 1)
    http = ledger.client([s for s in ALL_SCOPES if s != "ops:dead-letters"])
    assert (await http.get("/v1/dead-letters")).status_code == 403
    for act in ("views", "replays", "discards"):
        assert (await http.post(f"/v1/dead-letters/{head.id}/{act}", json=WHY)).status_code == 403
    assert await audit(ledger) == []


async def test_dead_letter_list_hides_bodies_and_filters(ledger: Harness, shared_faults: Faults) -> None:
    head, behind = await park(ledger, shared_faults, 1, 2)
    answer = await ledger.http.get("/v1/dead-letters")
    assert [(i["id"], i["state"], i["reason"]) for i in answer.json()["items"]] == [
        (str(head.id), "parked", "not-wanted"),
        (str(behind.id), "queued", "behind-parked"),
    ]
    assert "body" not in answer.text
    for query, expected in (
        ({"state": "queued"}, [behind]),
        ({"consumer": "none"}, []),
        ({"limit": "1"}, [head]),
        ({"state": "discarded"}, []),
    ):
        items = (await ledger.http.get("/v1/dead-letters", params=query)).json()["items"]
        assert [i["id"] for i in items] == [str(x.id) for x in expected]
    assert await audit(ledger) == []


async def test_dead_letters_come_in_pages(ledger: Harness, shared_faults: Faults) -> None:
    letters = await park(ledger, shared_faults, 1, 2, 3)
    seen: list[str] = []
    page: dict[str, Any] = {"next": None}
    while "next" in page:
        after = {"after": page["next"]} if page["next"] else {}
        page = (await ledger.http.get("/v1/dead-letters", params={"limit": "2"} | after)).json()
        seen += [item["id"] for item in page["items"]]
    assert seen == [str(letter.id) for letter in letters]


async def test_viewing_a_dead_letter_shows_the_body_and_is_audited(
    ledger: Harness, shared_faults: Faults
) -> None:
    [head] = await park(ledger, shared_faults, 1)
    for bad in ({}, {"reason": ""}, {"reason": "x" * 501}, WHY | {"actor": "somebody else"}):
        assert (await ledger.http.post(f"/v1/dead-letters/{head.id}/views", json=bad)).status_code == 422
    assert await audit(ledger) == [], "nobody looks without a reason"
    shown = (await ledger.http.post(f"/v1/dead-letters/{head.id}/views", json=WHY)).json()
    assert '"number":1' in shown["body"]
    assert shown["headers"]["ce_type"] == "bdcan.feeder.number.added.v1"
    assert shown["letter"]["id"] == str(head.id)
    assert await audit(ledger) == [("dead-letter-shown", "key:test", "the bug is mended")]


async def test_replay_handles_a_parked_key_in_order_and_is_audited(
    ledger: Harness, shared_faults: Faults
) -> None:
    head, _behind = await park(ledger, shared_faults, 1, 2)
    assert (await ledger.http.post(f"/v1/dead-letters/{head.id}/replays", json=WHY)).status_code == 202
    assert await replay(ledger) == 0
    shared_faults.refuse = set()
    assert (await ledger.http.post(f"/v1/dead-letters/{head.id}/replays", json=WHY)).status_code == 202
    assert await replay(ledger) == 2
    [row] = await ledger.fetch("SELECT numbers FROM account")
    assert row["numbers"] == [1, 2]
    assert [a[:2] for a in await audit(ledger)] == [
        ("dead-letter-replay-requested", "key:test"),
        ("dead-letter-failed-again", "worker"),
        ("dead-letter-replay-requested", "key:test"),
        ("dead-letter-replayed", "worker"),
        ("dead-letter-replayed", "worker"),
    ]
    answer = await ledger.http.post(f"/v1/dead-letters/{head.id}/replays", json=WHY)
    assert answer.status_code == 404, "it is settled"


async def test_discard_repeated_with_its_key_is_one_discard(ledger: Harness, shared_faults: Faults) -> None:
    [head] = await park(ledger, shared_faults, 1)
    headers = {"Idempotency-Key": "discard-1"}
    for _ in range(2):
        answer = await ledger.http.post(f"/v1/dead-letters/{head.id}/discards", json=WHY, headers=headers)
        assert (answer.status_code, answer.content) == (204, b"")
    assert await audit(ledger) == [("dead-letter-discarded", "key:test", "the bug is mended")]
    answer = await ledger.http.post(f"/v1/dead-letters/{head.id}/discards", json=WHY)
    assert answer.status_code == 404
    assert (await ledger.http.post(f"/v1/dead-letters/{uuid4()}/views", json=WHY)).status_code == 404


async def test_discard_during_a_replay_keeps_what_was_written(ledger: Harness, shared_faults: Faults) -> None:
    [head] = await park(ledger, shared_faults, 1)
    shared_faults.refuse = set()
    async with ledger.transactions.begin() as tx:
        await tx.connection.execute("SELECT 1 FROM chassis.parked_key FOR UPDATE")
        await dead_letters.settle(tx.connection, [head.id], "replayed")
        discarding = asyncio.create_task(ledger.http.post(f"/v1/dead-letters/{head.id}/discards", json=WHY))
        await ledger.until_blocked()
    assert (await discarding).status_code == 404, "it came too late"
    [row] = await ledger.fetch("SELECT state FROM chassis.dead_letter")
    assert row["state"] == "replayed"
    assert await audit(ledger) == []


async def test_replay_that_breaks_a_deferred_constraint_leaves_the_head_parked(
    ledger: Harness, shared_faults: Faults
) -> None:
    [head] = await park(ledger, shared_faults, 1)
    shared_faults.refuse = set()
    await ledger.fetch("CREATE TABLE known (id uuid PRIMARY KEY)")
    await ledger.fetch(
        "ALTER TABLE account ADD CONSTRAINT is_known FOREIGN KEY (id) REFERENCES known DEFERRABLE INITIALLY DEFERRED"
    )
    try:
        async with ledger.transactions.begin() as tx:
            await dead_letters.request_replay(tx, head.id, "kim", "mended")
        assert await replay(ledger) == 0
        assert await replay(ledger) == 0, "it waits for an operator, and is not tried for ever"
        [row] = await ledger.fetch("SELECT state, reason, replay_requested_at FROM chassis.dead_letter")
        assert tuple(row) == ("parked", "handler-failed", None)
        assert [act for act, *_ in await audit(ledger)] == [
            "dead-letter-replay-requested",
            "dead-letter-failed-again",
        ]
        assert (await ledger.deliver(Added(account_id=uuid4(), number=5)))["parked"] == 1
    finally:
        await ledger.fetch("ALTER TABLE account DROP CONSTRAINT is_known")
        await ledger.fetch("DROP TABLE known")


@pytest.mark.parametrize("letter", ["head", "queued"])
async def test_replay_of_a_queued_record_starts_at_the_head_of_its_key(
    ledger: Harness, shared_faults: Faults, letter: str
) -> None:
    head, behind = await park(ledger, shared_faults, 1, 2)
    shared_faults.refuse = set()
    chosen = head if letter == "head" else behind
    assert (await ledger.http.post(f"/v1/dead-letters/{chosen.id}/replays", json=WHY)).status_code == 202
    assert await replay(ledger) == 2
    [row] = await ledger.fetch("SELECT numbers FROM account")
    assert row["numbers"] == [1, 2]
