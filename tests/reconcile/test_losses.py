"""Reconcile finds each kind of loss, made by hand in a copy of a system that was really played, and only that one."""

from __future__ import annotations

import asyncio
import json
import shlex
import time
from collections import Counter
from uuid import uuid4

import aiohttp
import asyncpg
import pytest

from bdcan_local.processes import System, reconcile_unit
from bdcan_reconcile.culprits import KINDS
from bdcan_reconcile.rows import Case

from .played import Played, bdcan

HELD_TASK = "state IN ('open', 'offered', 'accepted') AND parcel_id IS NULL"
HELD_DELIVERY = "state IN ('open', 'offered', 'accepted') AND parcel_id IS NOT NULL"
WATCHED = "task_id IN (SELECT subject FROM chassis.deadline WHERE kind = 'task')"
FOOD_IN_HAND = "state = 'in-hand' AND owner = 'foodhub'"


def first(table: str, key: str, where: str) -> str:
    return f"(SELECT {key} FROM {table} WHERE {where} ORDER BY {key} LIMIT 1)"


def delete(table: str, key: str, where: str) -> str:
    return f"DELETE FROM {table} WHERE {key} = {first(table, key, where)}"


def update(table: str, to: str, key: str, where: str) -> str:
    return f"UPDATE {table} SET {to} WHERE {key} = {first(table, key, where)}"


def deadline_of(kind: str) -> str:
    one = first("chassis.deadline", "subject", f"kind = '{kind}'")
    return f"DELETE FROM chassis.deadline WHERE kind = '{kind}' AND subject = {one}"


def copied(table: str, key: str, where: str) -> str:
    """The statement that adds a row's twin, with a key of its own."""
    return f"""
        INSERT INTO {table} SELECT (jsonb_populate_record(t, jsonb_build_object('{key}', gen_random_uuid()))).*
        FROM {table} AS t WHERE {key} = {first(table, key, where)}
    """


LOSSES: dict[str, tuple[str, str, set[str]]] = {
    "an assignment is gone": (
        "routing",
        delete("assignment", "referral_id", "state = 'assigned'"),
        {"assignment-missing"},
    ),
    "an assignment has ended too early": (
        "routing",
        update("assignment", "state = 'ended'", "referral_id", "state = 'assigned'"),
        {"ended-early"},
    ),
    "routing has another hub": (
        "routing",
        update("assignment", "hub_id = 'nowhere'", "referral_id", "state = 'assigned'"),
        {"hub-differs"},
    ),
    "nobody must decide about a held referral": ("routing", deadline_of("triage-due"), {"deadline-missing"}),
    "a call is gone": (
        "volunteer-match",
        delete("welfare_call", "referral_id", "state IN ('due', 'unanswered')"),
        {"nobody-rings"},
    ),
    "a call is over, and nobody was told": (
        "volunteer-match",
        update(
            "welfare_call",
            "state = 'cancelled', ended = true",
            "referral_id",
            "state IN ('due', 'unanswered')",
        ),
        {"nobody-rings"},
    ),
    "nobody is told when nobody rings": ("volunteer-match", deadline_of("call"), {"deadline-missing"}),
    "a claimed call has no deadline": (
        "volunteer-match",
        update(
            "welfare_call",
            "state = 'claimed', claimed_by = 'kim', claim_expires_at = due_at",
            "referral_id",
            "state IN ('due', 'unanswered')",
        ),
        {"deadline-missing"},
    ),
    "a task is gone": ("volunteer-match", delete("task", "task_id", HELD_TASK), {"nobody-has-it"}),
    "a task has no deadline": ("volunteer-match", deadline_of("task"), {"deadline-missing"}),
    "a delivery is gone": (
        "volunteer-match",
        delete("task", "task_id", HELD_DELIVERY),
        {"parcel-without-delivery"},
    ),
    "a need is in two hands": (
        "volunteer-match",
        update("task", "parcel_id = NULL, kind = 'shopping'", "task_id", HELD_DELIVERY),
        {"two-hands", "parcel-without-delivery"},
    ),
    "two tasks serve one need": (
        "volunteer-match",
        copied("task", "task_id", "state = 'done' AND parcel_id IS NULL AND need_id IS NOT NULL"),
        {"served-twice"},
    ),
    "a parcel is gone, and its delivery is not": (
        "foodhub",
        delete("parcel", "parcel_id", "state IN ('packed', 'dispatched')"),
        {"delivery-without-parcel"},
    ),
    "a parcel that nobody has packed is gone": (
        "foodhub",
        delete("parcel", "parcel_id", "state IN ('requested', 'short', 'reserved', 'picking')"),
        {"nobody-has-it"},
    ),
    "a parcel was delivered, and foodhub has forgotten it": (
        "foodhub",
        update("parcel", "state = 'cancelled'", "parcel_id", "state = 'delivered'"),
        {"delivery-differs", "end-differs"},
    ),
    "a parcel has no deadline": ("foodhub", deadline_of("parcel-due"), {"deadline-missing"}),
    "an escalation is gone": (
        "escalation",
        delete(
            "escalation", "escalation_id", "case_id IS NOT NULL AND state IN ('forwarded', 'acknowledged')"
        ),
        {"nobody-has-it", "case-unknown"},
    ),
    "an escalation has no deadline": ("escalation", deadline_of("escalation-late"), {"deadline-missing"}),
    "an escalation has a case that the council does not have": (
        "escalation",
        update("escalation", "case_id = 'no-such-case'", "escalation_id", "case_id IS NOT NULL"),
        {"case-missing"},
    ),
    "a referral is gone": (
        "intake",
        delete("referral", "id", "state IN ('assigned', 'in-contact')"),
        {"referral-unknown"},
    ),
    "a need is gone": ("intake", delete("need", "id", FOOD_IN_HAND), {"need-unknown"}),
    "a need has another owner": (
        "intake",
        update("need", "owner = 'volunteers'", "id", "state = 'in-hand' AND owner = 'community-solutions'"),
        {"nobody-has-it"},
    ),
    "a need was closed by nobody": (
        "intake",
        update("need", "state = 'met', owner = NULL, due_at = NULL", "id", FOOD_IN_HAND),
        {"end-differs"},
    ),
    "a referral is closed, and its needs are not": (
        "intake",
        "UPDATE referral SET state = 'closed', outcome = 'helped' WHERE id = "
        + first("need", "referral_id", FOOD_IN_HAND),
        {"closed-with-open-need", "goes-on-after-end"},
    ),
    "events do not leave": (
        "routing",
        """INSERT INTO chassis.outbox (traffic_class, id, topic, record_key, headers, body, created_at)
           VALUES ('normal', gen_random_uuid(), 'a topic', '', '', '', now() - interval '1 hour')""",
        {"events-stuck"},
    ),
    "a deadline is forgotten": (
        "foodhub",
        "INSERT INTO chassis.deadline (kind, subject, due_at) VALUES ('parcel-retry', gen_random_uuid(), '2020-03-01')",
        {"deadline-forgotten"},
    ),
    "an event is parked": (
        "foodhub",
        """INSERT INTO chassis.dead_letter (id, consumer, topic, record_partition, record_offset, record_time, headers, body, state,
               reason, error, taken) VALUES (gen_random_uuid(), 'main', 'bdcan.intake.referrals.v1', 0, 7, now(), '',
               '{"referral_id": "01a21dc0-5257-709d-b021-2fbe47bff9a8", "name": "\\377"}', 'parked',
               'handler-failed', 'KeyError: a secret', true)""",
        {"event-parked"},
    ),
}
"""By what is lost: whose database, how, and the kinds of culprit that reconcile must name."""


CONSEQUENCES = {"not-closed"}
"""What follows from a loss where the need was the referral's last."""


DEAD_LETTER = """
INSERT INTO chassis.dead_letter (id, consumer, topic, record_partition, record_offset, record_time, headers, body, event_type, state,
    reason, error, taken)
VALUES (gen_random_uuid(), 'main', 'bdcan.intake.referrals.v1', 0, $1, now(), '', '{}', 'bdcan.intake.referral.amended.v1', 'parked',
    'handler-failed', $2, true)
"""


@pytest.mark.timeout(900)
async def test_a_system_under_load_has_no_culprit(system: Played) -> None:
    """The fixture waits until a copy has none; the running system must have none, too, while the services work."""
    found = await asyncio.to_thread(bdcan, system, "reconcile", "--json")
    said = json.loads(found.stdout)
    assert (found.returncode, said["culprits"]) == (0, []), found.stderr
    assert said["counts"]["referrals"] > 0


@pytest.mark.timeout(900)
@pytest.mark.parametrize("loss", LOSSES)
async def test_each_loss_is_named_and_nothing_else(system: Played, loss: str) -> None:
    service, sql, expected = LOSSES[loss]
    async with system.without(service, sql) as (dsn, hit):
        assert hit == 1, "the loss hit no row, or several"
        verdict = await system.verdict({service: dsn})
    found = set(verdict.by_kind)
    assert found - CONSEQUENCES == expected, verdict.culprits
    about = {culprit.referral_id for culprit in verdict.culprits if culprit.referral_id}
    assert len(about) <= 1
    assert not verdict.open_doubts
    assert all(culprit.repair for culprit in verdict.culprits)
    assert "secret" not in str(verdict.culprits)
    if expected == {"event-parked"}:
        assert {str(one) for one in about} == {"01a21dc0-5257-709d-b021-2fbe47bff9a8"}


@pytest.mark.timeout(900)
async def test_council_that_lost_a_case_or_has_two_is_named(system: Played) -> None:
    [*rest, last] = system.cases
    assert set((await system.verdict(cases=rest)).by_kind) == {"case-missing"}
    doubled = [*system.cases, Case(last.escalation_id, "another", last.told)]
    assert set((await system.verdict(cases=doubled)).by_kind) == {"case-twice"}
    stranger = [*system.cases, Case(uuid4(), "of-nobody", ())]
    assert set((await system.verdict(cases=stranger)).by_kind) == {"case-unknown"}


@pytest.mark.timeout(900)
async def test_commands_that_reconcile_names_repair_what_it_found(system: Played) -> None:
    made = [
        ("routing", delete("assignment", "referral_id", "state = 'assigned'")),
        ("volunteer-match", deadline_of("task")),
        ("volunteer-match", delete("task", "task_id", f"{HELD_TASK} AND need_id IS NOT NULL AND {WATCHED}")),
        ("foodhub", deadline_of("parcel-due")),
    ]
    for service, sql in made:
        connection = await asyncpg.connect(system.places.databases[service])
        assert (await connection.execute(sql)).endswith(" 1"), service
        await connection.close()
    found = await asyncio.to_thread(bdcan, system, "reconcile", "--json")
    culprits = json.loads(found.stdout)["culprits"]
    assert found.returncode == 1
    assert Counter(c["kind"] for c in culprits) == {
        "assignment-missing": 1,
        "deadline-missing": 2,
        "nobody-has-it": 1,
    }
    for culprit in culprits:
        program, *words = shlex.split(culprit["repair"].replace("REASON", "'reconcile named it'"))
        assert program == "bdcan"
        done = await asyncio.to_thread(bdcan, system, *words)
        assert done.returncode == 0, done.stdout + done.stderr
    end = time.monotonic() + 120
    while (again := await asyncio.to_thread(bdcan, system, "reconcile")).returncode:
        assert time.monotonic() < end, again.stdout
    assert "nobody is falling through a gap" in again.stdout


@pytest.mark.timeout(900)
async def test_dead_letters_are_grouped_by_cause_and_only_what_was_seen_is_discarded(system: Played) -> None:
    connection = await asyncpg.connect(system.places.databases["foodhub"])
    for offset, error in enumerate(
        ("KeyError in bdcan_foodhub.x: 07700 900123", "KeyError in bdcan_foodhub.x: else", "ValueError: x")
    ):
        await connection.execute(DEAD_LETTER, 1000 + offset, error)
    said = json.loads((await asyncio.to_thread(bdcan, system, "dead-letters", "--json")).stdout)
    of_foodhub = [one for one in said if one["service"] == "foodhub"]
    assert [(one["error"], len(one["ids"])) for one in of_foodhub] == [
        ("KeyError in bdcan_foodhub.x", 2),
        ("ValueError", 1),
    ]
    assert "07700" not in (await asyncio.to_thread(bdcan, system, "dead-letters")).stdout
    await connection.execute(DEAD_LETTER, 1003, "KeyError in bdcan_foodhub.x: a third")
    why = ("--reason", "the demo's own", "--rate", "50")
    for one in of_foodhub:
        done = await asyncio.to_thread(bdcan, system, "dead-letters", "discard", one["set"], *why)
        assert done.returncode == 0, done.stdout + done.stderr
    states = await connection.fetch(
        "SELECT state FROM chassis.dead_letter WHERE record_offset >= 1000 ORDER BY seq"
    )
    assert [row["state"] for row in states] == ["discarded", "discarded", "discarded", "parked"]
    await connection.execute("DELETE FROM chassis.dead_letter WHERE record_offset = 1003")
    await connection.close()
    gone = await asyncio.to_thread(bdcan, system, "dead-letters", "replay", of_foodhub[0]["set"], *why)
    assert (gone.returncode, "there is no set" in gone.stderr) == (1, True)


@pytest.mark.timeout(900)
async def test_process_on_a_schedule_tells_prometheus_what_is_lost_and_that_it_is_repaired(
    system: Played,
) -> None:
    running = system.running
    await running.supervisor.start(reconcile_unit(running.system, running.system.data.parent, 1.0))
    await _until(running.system, 'bdcan_reconcile_culprits{kind="deadline-missing"} 0.0')
    connection = await asyncpg.connect(system.places.databases["foodhub"])
    [lost] = await connection.fetch(deadline_of("parcel-due") + " RETURNING *")
    await _until(running.system, 'bdcan_reconcile_culprits{kind="deadline-missing"} 1.0')
    await connection.execute("INSERT INTO chassis.deadline VALUES ($1, $2, $3)", *tuple(lost)[:3])
    await connection.close()
    page = await _until(running.system, 'bdcan_reconcile_culprits{kind="deadline-missing"} 0.0')
    assert all(f'bdcan_reconcile_culprits{{kind="{kind}"}} 0.0' in page for kind in KINDS)
    assert "bdcan_reconcile_timestamp_seconds" in page
    await running.supervisor.stop(["reconcile"])


async def _until(system: System, line: str) -> str:
    """The page of the process's metrics, as soon as it has a line."""
    end = time.monotonic() + 180
    async with aiohttp.ClientSession() as session:
        while True:
            async with session.get(f"{system.url('reconcile')}/metrics") as answer:
                page = await answer.text()
            if line in page:
                return page
            assert time.monotonic() < end, page
            await asyncio.sleep(0.3)
