"""The operator's tool on a whole system: pause, drain, and dead letters that are mended and replayed."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import asyncpg
import psutil
import pytest
from aiokafka.admin import AIOKafkaAdminClient

from bdcan_local.rights import post
from bdcan_local.tokens import make_token
from bdcan_reconcile.positions import Positions
from bdcan_reconcile.reading import Databases

from .played import Played, bdcan

pytestmark = pytest.mark.timeout(600)

BREAKS = """
CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'a bad release'; END $$;
CREATE TRIGGER broken BEFORE INSERT ON public.assignment FOR EACH ROW EXECUTE FUNCTION broken()
"""
MENDS = "DROP FUNCTION broken() CASCADE"


async def until(check: Callable[[], Awaitable[Any]], seconds: float = 60) -> Any:
    end = time.monotonic() + seconds
    while not (answer := await check()):
        assert time.monotonic() < end, "not within its time limit"
        await asyncio.sleep(0.1)
    return answer


@asynccontextmanager
async def routing(system: Played) -> AsyncIterator[asyncpg.Connection]:
    """Routing's database, as its owner."""
    connection = await asyncpg.connect(system.running.system.postgres.dsn(database="bdcan_routing"))
    try:
        yield connection
    finally:
        await connection.close()


async def hand_in(system: Played, name: str, count: int) -> set[UUID]:
    """Hand in requests at the desk."""
    token = make_token(system.running.system.secrets, "desk").text
    ids: set[UUID] = set()
    for number in range(count):
        asked = {
            "channel": "phone",
            "reference": f"{name}-{number}",
            "person": {"name": "Amina Example", "phone": f"07700 9{number:05}", "postcode": "RM10 8XX"},
            "needs": ["food-parcel"],
        }
        url, headers = f"{system.places.apis['intake']}/v1/referrals", {"Authorization": f"Bearer {token}"}
        ids.add(UUID((await asyncio.to_thread(post, url, headers, asked))["referral_id"]))
    return ids


async def assigned(connection: asyncpg.Connection, ids: Collection[UUID]) -> set[UUID]:
    sql = "SELECT referral_id FROM assignment WHERE referral_id = ANY ($1)"
    return {row["referral_id"] for row in await connection.fetch(sql, list(ids))}


async def done(system: Played, *words: str) -> str:
    ran = await asyncio.to_thread(bdcan, system, *words)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


async def test_paused_consumer_takes_nothing_over_a_restart_and_is_named_first(system: Played) -> None:
    worker = system.running.supervisor.statuses["routing-worker"]
    async with routing(system) as connection:
        await done(system, "pause", "routing", "consumer:referrals", "--for", "5m", "--reason", "a test")
        status = await done(system, "status")
        assert status.startswith("! routing consumer:referrals is paused for ")
        ids = await hand_in(system, "paused", 2)
        assert worker.pid is not None
        psutil.Process(worker.pid).kill()
        await until(lambda: _ready(system, "routing-worker", 1))
        [lag] = [
            one
            for one in json.loads((await asyncio.to_thread(bdcan, system, "lag", "--json")).stdout)
            if (one["service"], one["consumer"]) == ("routing", "referrals")
        ]
        assert (lag["records"] >= 2, lag["per_second"]) == (True, 0)
        assert await assigned(connection, ids) == set()
        await done(system, "resume", "routing", "consumer:referrals")
        await until(lambda: _are(assigned(connection, ids), ids))


async def test_drained_worker_leaves_its_group_and_loses_nothing(system: Played) -> None:
    async with routing(system) as connection:
        before = await hand_in(system, "before", 2)
        await done(system, "drain", "routing", "worker", "--reason", "a test")
        assert await _members(system, "bdcan.routing.referrals") == 0
        ids = before | await hand_in(system, "drained", 2)
        assert "! routing-worker is drained" in await done(system, "status")
        await done(system, "resume", "routing", "worker")
        await until(lambda: _are(assigned(connection, ids), ids))
        events = await connection.fetch(
            "SELECT referral_id FROM assignment WHERE referral_id = ANY ($1) AND version <> 1", list(ids)
        )
        assert events == [], "assigned once"


async def test_story_names_the_cause_through_whichever_door_a_referral_came(system: Played) -> None:
    connection = await asyncpg.connect(system.places.databases["intake"])
    rows = await connection.fetch(_ONE_OF_EACH_SOURCE)
    await connection.close()
    assert len(rows) > 2, "HTTP, a list, and Kafka"
    for row in rows:
        [case] = json.loads(await done(system, "case", str(row["id"]), "--json"))
        keys = {told["kind"]: told["event_key"] for told in case["story"]}
        # the first: an amendment may move it later
        assigned_event = next(told for told in case["story"] if told["kind"] == "referral.assigned")
        assert assigned_event["cause"] == keys["referral.received"], row["source"]


async def test_dead_letters_of_a_bad_release_are_replayed_as_they_were_seen(system: Played) -> None:
    async with routing(system) as connection:
        await connection.execute(BREAKS)
        try:
            seen_ids = await hand_in(system, "seen", 3)
            seen = await until(lambda: _set(system, 3))
            assert (seen["reason"], seen["consumer"]) == ("handler-failed", "referrals")
            later_ids = await hand_in(system, "later", 1)
            await until(lambda: _set(system, 4))
            told = await done(system, "case", str(min(seen_ids)))
            assert "odd: event-parked: dead letter " in told
            assert "bdcan service routing dead-letter replay " in told
        finally:
            await connection.execute(MENDS)
        began = time.monotonic()
        replayed = await done(
            system, "dead-letters", "replay", seen["set"], "--rate", "1", "--reason", "mended"
        )
        assert time.monotonic() - began > 2, "one a second"
        assert replayed == "replay: 3 of 3 dead letter(s) asked for; the others were settled already\n"
        await until(lambda: _are(assigned(connection, seen_ids), seen_ids))
        assert await assigned(connection, later_ids) == set(), "it had not been seen"
        left = await until(lambda: _set(system, 1))
        await done(system, "dead-letters", "replay", left["set"], "--reason", "mended")
        await until(lambda: _are(assigned(connection, later_ids), later_ids))
        acts = await connection.fetch(
            "SELECT a.act, a.reason FROM chassis.audit AS a JOIN chassis.dead_letter AS d ON d.id = a.subject_id"
            " WHERE a.act LIKE 'dead-letter-%' AND d.reason = 'handler-failed'"
        )
        assert Counter(tuple(row) for row in acts) == {
            ("dead-letter-replay-requested", "mended"): 4,
            ("dead-letter-replayed", "handled"): 4,
        }
        assert {row["state"] for row in await connection.fetch("SELECT state FROM chassis.dead_letter")} == {
            "replayed"
        }


@pytest.mark.parametrize(
    ("service", "sql"),
    [
        ("intake", "SELECT name FROM resident"),
        ("intake", "SELECT reference FROM referral"),
        ("intake", "SELECT body FROM chassis.dead_letter"),
        ("intake", "SELECT body FROM chassis.outbox"),
        ("volunteer-match", "SELECT hub_ids FROM volunteer"),
        ("intake", "UPDATE need SET state = 'met'"),
        ("routing", "DELETE FROM chassis.deadline"),
        ("escalation", "SELECT actor FROM chassis.audit"),
    ],
)
async def test_role_that_reconciles_sees_nobody_and_changes_nothing(
    system: Played, service: str, sql: str
) -> None:
    reading = system.places.reading
    assert reading is not None
    connection = await asyncpg.connect(reading.databases[service])
    try:
        await connection.execute("SET default_transaction_read_only = off")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(sql)
    finally:
        await connection.close()


async def test_reconcile_reads_all_it_needs_as_that_role(system: Played) -> None:
    reading = system.places.reading
    assert reading is not None
    async with Databases(reading.databases, system.places.clock) as databases:
        stores = (await databases.read()).stores
    assert stores.referrals
    assert stores.escalations
    async with Positions(reading.kafka) as positions:
        ends = await positions.ends()
        assert await positions.taken()
        await positions.behind(ends)


_ONE_OF_EACH_SOURCE = """
SELECT DISTINCT ON (source) id, source FROM referral
WHERE id IN (SELECT referral_id FROM timeline WHERE kind = 'referral.assigned')
    AND id NOT IN (SELECT referral_id FROM timeline WHERE kind IN ('referral.held-for-triage', 'referral.reassigned'))
ORDER BY source, received_at
"""


async def _set(system: Played, count: int) -> dict[str, Any] | None:
    """The dead letters of routing, as soon as they are so many."""
    said = json.loads(await done(system, "dead-letters", "--json"))
    return next((one for one in said if one["service"] == "routing" and len(one["ids"]) == count), None)


async def _members(system: Played, group: str) -> int:
    admin = AIOKafkaAdminClient(**system.places.kafka)
    await admin.start()
    try:
        answers: Any = await admin.describe_consumer_groups([group])
        return len(answers[0].groups[0][5])
    finally:
        await admin.close()


async def _ready(system: Played, name: str, restarts: int) -> bool:
    status = system.running.supervisor.statuses[name]
    return status.state == "ready" and status.restarts == restarts


async def _are(asked: Awaitable[Any], wanted: Any) -> bool:
    return await asked == wanted
