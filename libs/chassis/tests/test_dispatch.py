"""Inbox, order, isolation, parking, replay: the guarantees of one batch, on real Postgres."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest
from ledger import Added, Faults, Struck, Written

from bdcan_chassis import dead_letters, metrics
from bdcan_chassis.dispatch import Dispatcher, ParkLimit
from bdcan_chassis.errors import StoppedConsumerError
from bdcan_chassis.replay import replay_requested
from bdcan_chassis.testing import full_disk
from bdcan_chassis.testing.harness import FakeRecord, Harness


async def numbers(given: Harness, account: UUID) -> list[int]:
    rows = await given.fetch("SELECT numbers FROM account WHERE id = $1", account)
    return list(rows[0]["numbers"]) if rows else []


async def open_letters(given: Harness) -> list[dead_letters.DeadLetter]:
    async with given.transactions.pool.acquire() as connection:
        return await dead_letters.find(connection)


async def replay_all(given: Harness) -> int:
    async with given.transactions.begin() as tx:
        for letter in await dead_letters.find(tx.connection):
            await dead_letters.request_replay(tx, letter.id, "operator", "the bug is mended")
    dispatchers = {"numbers": Dispatcher(given.service.consumers[0], given.transactions, ParkLimit(50, 0.5))}
    settled = 0
    while done := await replay_requested(dispatchers, given.transactions):
        settled += done
    return settled


async def test_record_delivered_twice_has_one_effect(given: Harness) -> None:
    account = uuid4()
    record = given.record(Added(account_id=account, number=1))
    assert (await given.deliver(record, record))["duplicate"] == 1
    assert (await given.deliver(record))["duplicate"] == 1
    assert await numbers(given, account) == [1]
    assert [e.data for e in await given.emitted()] == [Written(account_id=account, number=1)]


async def test_event_from_a_fast_clock_moves_time_on_and_sets_a_gauge(
    given: Harness,
) -> None:
    right = given.clock.instant
    given.clock.instant = right + timedelta(minutes=5)
    record = given.record(Added(account_id=uuid4(), number=1))
    given.clock.instant = right
    await given.deliver(record)
    assert [e.time for e in await given.emitted()] == [right + timedelta(minutes=5)]
    gauge = metrics.CLOCK_BEHIND.labels("numbers")._value
    assert gauge.get() == 300
    await given.deliver(Added(account_id=uuid4(), number=1))
    assert gauge.get() == 0


async def test_two_types_of_one_key_in_a_batch_keep_their_order(given: Harness) -> None:
    account, other = uuid4(), uuid4()
    await given.deliver(
        Added(account_id=account, number=1),
        Struck(account_id=other, number=7),
        Struck(account_id=account, number=2),
        Added(account_id=other, number=8),
        Added(account_id=account, number=3),
    )
    assert await numbers(given, account) == [1, -2, 3]
    assert await numbers(given, other) == [-7, 8]
    assert [e.data.number for e in await given.emitted() if e.data.account_id == account] == [1, -2, 3]


async def test_each_key_keeps_its_order_in_a_shuffled_batch(
    given: Harness,
) -> None:
    accounts = [uuid4() for _ in range(20)]
    queues = {a: [given.record(Added(account_id=a, number=n)) for n in range(10)] for a in accounts}
    shuffled: list[FakeRecord] = []
    rng = random.Random(5)
    while any(queues.values()):
        shuffled.append(queues[rng.choice([a for a in accounts if queues[a]])].pop(0))
    for at in range(0, len(shuffled), 37):
        await given.deliver(*shuffled[at : at + 37])
    for account in accounts:
        assert await numbers(given, account) == list(range(10))


async def test_one_bad_record_among_500_is_parked_alone(given: Harness, faults: Faults) -> None:
    faults.poison = {250}
    accounts = [uuid4() for _ in range(500)]
    outcome = await given.deliver(*(Added(account_id=a, number=n) for n, a in enumerate(accounts)))
    assert (outcome["handled"], outcome["parked"]) == (499, 1)
    assert await numbers(given, accounts[250]) == []
    assert len(await given.emitted(Written)) == 499, "what a failed handler emitted must not go out"
    [letter] = await open_letters(given)
    assert (letter.state, letter.reason) == ("parked", "handler-failed")


async def test_records_queue_behind_a_parked_key_and_replay_in_order(given: Harness, faults: Faults) -> None:
    account, other = uuid4(), uuid4()
    faults.refuse = {2}
    await given.deliver(
        *(Added(account_id=account, number=n) for n in (1, 2, 3)), Added(account_id=other, number=2 + 8)
    )
    await given.deliver(Struck(account_id=account, number=4), Added(account_id=other, number=11))
    assert await numbers(given, account) == [1]
    assert await numbers(given, other) == [10, 11]
    assert [(x.state, x.reason) for x in await open_letters(given)] == [
        ("parked", "not-wanted"),
        ("queued", "behind-parked"),
        ("queued", "behind-parked"),
    ]
    assert await replay_all(given) == 0, "the head still fails"
    faults.refuse = set()
    assert await replay_all(given) == 3
    assert await numbers(given, account) == [1, 2, 3, -4]
    assert await open_letters(given) == []
    await given.deliver(Added(account_id=account, number=5))
    assert await numbers(given, account) == [1, 2, 3, -4, 5], "the key is free again"


async def test_discarding_a_parked_head_replays_the_queue(given: Harness, faults: Faults) -> None:
    account = uuid4()
    faults.refuse = {1}
    await given.deliver(*(Added(account_id=account, number=n) for n in (1, 2)))
    async with given.transactions.begin() as tx:
        [head, _] = await dead_letters.find(tx.connection)
        assert await dead_letters.discard(tx, head.id, "operator", "sent by mistake")
    dispatcher = Dispatcher(given.service.consumers[0], given.transactions, ParkLimit(50, 0.5))
    assert await replay_requested({"numbers": dispatcher}, given.transactions) == 1
    assert await numbers(given, account) == [2]


async def test_redelivered_record_queues_once(given: Harness, faults: Faults) -> None:
    account = uuid4()
    faults.refuse = {1}
    first, second = (given.record(Added(account_id=account, number=n)) for n in (1, 2))
    await given.deliver(first, second)
    await given.deliver(first, second)
    assert len(await open_letters(given)) == 2
    faults.refuse = set()
    await replay_all(given)
    assert await numbers(given, account) == [1, 2]


async def test_unknown_type_is_parked_and_can_be_replayed_later(
    given: Harness,
) -> None:
    account = uuid4()
    known = given.record(Added(account_id=account, number=1))
    unknown = replace(
        known,
        offset=99,
        headers=[(k, b"bdcan.feeder.number.doubled.v1" if k == "ce_type" else v) for k, v in known.headers],
    )
    outcome = await given.deliver(unknown, given.record(Added(account_id=account, number=2)))
    assert (outcome["parked"], outcome["queued"]) == (1, 1)
    assert [x.reason for x in await open_letters(given)] == ["unknown-type", "behind-parked"]


async def test_unreadable_record_that_becomes_readable_is_handled_once(
    given: Harness,
) -> None:
    account = uuid4()
    good = given.record(Added(account_id=account, number=1))
    bad = replace(good, headers=[(k, v) for k, v in good.headers if k != "ce_time"])
    await given.deliver(bad)
    # mended in place, as a newer release that reads such records would
    from bdcan_chassis.transaction import pack_headers

    await given.transactions.pool.execute(
        "UPDATE chassis.dead_letter SET headers = $1", pack_headers(list(good.headers))
    )
    assert await replay_all(given) == 1
    assert await numbers(given, account) == [1]
    assert (await given.deliver(good))["duplicate"] == 1


async def test_too_many_bad_records_stop_the_loop_and_park_nothing(given: Harness, faults: Faults) -> None:
    faults.poison = set(range(100))
    records = [given.record(Added(account_id=uuid4(), number=n)) for n in range(100)]
    with pytest.raises(StoppedConsumerError):
        await given.deliver(*records)
    assert await open_letters(given) == []
    faults.poison = set()
    assert (await given.deliver(*records))["handled"] == 100


async def test_transient_failure_is_rolled_back_and_retried(given: Harness, faults: Faults) -> None:
    account = uuid4()
    record = given.record(Added(account_id=account, number=1))

    def fail() -> None:
        raise asyncpg.DeadlockDetectedError("deadlock")

    faults.before_write = fail
    with pytest.raises(asyncpg.DeadlockDetectedError):
        await given.deliver(record)
    assert await given.emitted() == []
    faults.before_write = None
    assert (await given.deliver(record))["handled"] == 1
    assert await numbers(given, account) == [1]


@pytest.mark.parametrize("schemas", [["chassis", "public"], ["public"], ["chassis"]])
async def test_full_disk_parks_nothing_and_handling_resumes_when_there_is_space(
    given: Harness, schemas: list[str]
) -> None:
    account = uuid4()
    records = [given.record(Added(account_id=account, number=n)) for n in range(100)]
    async with given.owner.acquire() as connection:
        await full_disk.fill(connection, schemas)
        try:
            with pytest.raises(asyncpg.DiskFullError):
                await given.deliver(*records)
            assert await open_letters(given) == []
        finally:
            await full_disk.free(connection)
    assert await given.emitted() == []
    assert (await given.deliver(*records))["handled"] == 100
    assert await numbers(given, account) == list(range(100))


async def test_upstream_id_equal_to_ours_is_not_a_duplicate(
    given: Harness,
) -> None:
    account = uuid4()
    ours = given.record(Added(account_id=account, number=1))
    theirs = replace(
        given.record(Added(account_id=account, number=2)),
        headers=[(k, b"somebody-else" if k == "ce_source" else v) for k, v in ours.headers],
    )
    await given.deliver(ours, theirs)
    assert await numbers(given, account) == [1, 2]
