"""A short fault run with every kind of fault; then its databases are doctored, and the invariants must fail."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from bdcan_local.kafka import ADMIN, client_options

from .evidence import databases, read_rows, read_stores
from .invariants import judge
from .run import Done, Run, done
from .scan import REMAINS, in_system
from .schedule import NETWORK, Kind, plan

SEED, SECONDS, REFERRALS = 8, 55.0, 100

DOCTORED: dict[str, tuple[str, str]] = {
    "each input has exactly one referral": (
        "intake",
        "DELETE FROM referral WHERE id = (SELECT id FROM referral ORDER BY id LIMIT 1)",
    ),
    "nobody falls through a gap": (
        "routing",
        "UPDATE assignment SET hub_id = 'nowhere' WHERE hub_id IS NOT NULL",
    ),
    "stock received = on hand + reserved + issued + wasted": (
        "foodhub",
        "UPDATE stock SET received = received + 1 WHERE item_id = 'egg'",
    ),
    "what leaves the door fits what was known": (
        "foodhub",
        "UPDATE parcel SET departure = jsonb_set(departure, '{household}', '{\"adults\": 20}') WHERE departure IS NOT NULL",
    ),
    "timelines are complete": ("intake", "DELETE FROM timeline WHERE kind = 'task.accepted'"),
    "timelines are in order": (
        "intake",
        "UPDATE timeline SET at = at - interval '1 year' WHERE kind = 'referral.closed'",
    ),
    "outboxes are empty": (
        "routing",
        """INSERT INTO chassis.outbox (traffic_class, id, topic, record_key, headers, body)
           VALUES ('normal', gen_random_uuid(), 'a topic', '', '', '')""",
    ),
    "no deadline is overdue": (
        "escalation",
        "INSERT INTO chassis.deadline (kind, subject, due_at) VALUES ('late', gen_random_uuid(), '2020-03-01')",
    ),
    "inboxes hold what the topics hold": (
        "volunteer-match",
        "DELETE FROM chassis.inbox WHERE event_key = (SELECT event_key FROM chassis.inbox LIMIT 1)",
    ),
    "nothing valid is parked": (
        "intake",
        "INSERT INTO chassis.parked_key (consumer, topic, record_key) VALUES ('help', 'a topic', 'a key')",
    ),
    "nobody who was erased has left a trace": (
        "intake",
        "UPDATE resident SET name = 'x' WHERE referral_id IN (SELECT subject_id FROM chassis.erasure)",
    ),
    "what was answered is on disk": ("volunteer-match", "DELETE FROM call_attempt"),
}
"""By invariant: whose database, and what is done to it (and rolled back)."""


@pytest.mark.timeout(1200)
async def test_invariants_hold_after_every_fault_and_each_can_fail(
    tmp_path: Path,
) -> None:
    assert {fault.kind for fault in plan(SEED, SECONDS)} == set(Kind)
    said: list[str] = []

    def say(text: str) -> None:
        said.append(text)
        sys.stdout.write(text + "\n")

    async with done(Run(SEED, SECONDS, REFERRALS, tmp_path / "run"), say) as result:
        assert {name: found for name, found in result.offences.items() if found} == {}
        assert said[-1] == "PASSED   again: make resilience SECONDS=55 SEED=8 REFERRALS=100"
        struck = [json.loads(line) for line in (tmp_path / "run" / "faults.jsonl").read_text().splitlines()]
        assert {(f["at"], f["kind"], f["victim"]) for f in struck} == {
            (f.at, f.kind, f.victim) for f in result.faults
        }
        assert any(fault.kind in NETWORK for fault in result.faults) or "LEFT OUT" in said[0]
        for invariant, (service, sql) in DOCTORED.items():
            assert invariant in await _broken_by(result, service, sql), invariant
        assert len(result.evidence.sent.erased) == 20
        assert {trace.place.partition(":")[0] for trace in result.evidence.traces} == set(REMAINS)
        assert await _places_of_a_planted_leak(result) == {
            "file logs/intake-api.log",
            "volunteer-match: table welfare_call.warnings",
            "topic bdcan.foodhub.stock.v1: body",
        }


async def _broken_by(result: Done, service: str, sql: str) -> set[str]:
    async with databases(result.system.system) as connections:
        doctoring = connections[service].transaction()
        await doctoring.start()
        try:
            await connections[service].execute(sql)
            rows = await read_rows(connections)
            before = result.evidence.stores
            stores = await read_stores(connections, before.now, before.cases or [])
        finally:
            await doctoring.rollback()
    return {
        name for name, found in judge(replace(result.evidence, rows=rows, stores=stores)).items() if found
    }


async def _places_of_a_planted_leak(result: Done) -> set[str]:
    """Write a value to a log, a table and a topic of the running system, and scan for it."""
    system, value = result.system.system, "Zqx Plantedleak"
    with (system.data.parent / "logs" / "intake-api.log").open("a") as log:
        log.write(value)
    async with databases(system) as connections:
        await connections["volunteer-match"].execute("UPDATE welfare_call SET warnings = ARRAY[$1]", value)
    options = client_options(system.kafka.bootstrap, ADMIN, system.kafka.password)
    producer = AIOKafkaProducer(**options, compression_type="zstd")
    await producer.start()
    await producer.send_and_wait("bdcan.foodhub.stock.v1", value.encode(), key=b"a key")
    await producer.stop()
    return {trace.place for trace in await in_system([value], system)}
