"""A transaction commits all or nothing, and emits only the service's own events."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st
from ledger import Added, Written
from msgspec import Struct
from pydantic import BaseModel
from waiting import until_true

from bdcan_chassis import transaction
from bdcan_chassis.errors import ChassisError
from bdcan_chassis.table import Table
from bdcan_chassis.testing.harness import START, Harness
from bdcan_chassis.tracing import parse
from bdcan_chassis.transaction import LOOK_SECONDS, MOST_SKEW, Tx, pack_headers, unpack_headers
from bdcan_chassis.wake import CHANNEL
from bdcan_contracts.envelope import Catalogue, MisplacedError, decode, encode_body


class Unheard(BaseModel):
    """No event of anybody's."""

    account_id: UUID


class Remark(Struct, frozen=True):
    """A row that nobody reads."""

    remark_id: UUID
    said: str


class BrokenError(Exception):
    """What a test raises."""


async def test_event_of_another_service_is_refused(ledger: Harness) -> None:
    async with ledger.transactions.begin() as tx:
        with pytest.raises(LookupError, match="may not write to"):
            tx.emit(Added(account_id=uuid4(), number=1))
        with pytest.raises(LookupError):
            tx.emit(Unheard(account_id=uuid4()))
        with pytest.raises(LookupError, match="traffic_class"):
            tx.emit(Written(account_id=uuid4(), number=1), traffic_class="no-such-traffic_class")
    assert await ledger.emitted() == []


async def test_event_goes_to_the_topic_of_one_sender_if_it_is_like_the_types(ledger: Harness) -> None:
    catalogue = ledger.transactions.catalogue
    numbers, entries = catalogue.topics
    own = replace(entries, per_sender=True)
    written = replace(catalogue.of(Written), topics=(own,))
    catalogue = Catalogue((numbers, own), (*catalogue.event_types[:2], written))
    async with replace(ledger.transactions, catalogue=catalogue).begin() as tx:
        event = Written(account_id=uuid4(), number=1)
        for topic in (numbers.name, "nowhere", f"{numbers.name}.surgery"):
            with pytest.raises(LookupError):
                tx.emit(event, topic=topic)
        tx.emit(event, topic=own.of_sender("surgery"))
        tx.emit(event, topic=own.name)
    rows = await ledger.fetch("SELECT topic, traffic_class, record_key, headers, body FROM chassis.outbox")
    assert [(r["topic"], r["traffic_class"]) for r in rows] == [
        (f"{entries.name}.surgery", "normal"),
        (entries.name, "normal"),
    ]
    first = rows[0]
    read = decode(
        catalogue, first["topic"], first["record_key"], unpack_headers(first["headers"]), first["body"]
    )
    assert read.data == event
    with pytest.raises(MisplacedError):
        decode(catalogue, f"{numbers.name}.surgery", b"", unpack_headers(first["headers"]), first["body"])


async def test_event_too_large_for_the_broker_is_refused_when_emitted(
    ledger: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = Written(account_id=uuid4(), number=1)
    size = len(encode_body(event))
    monkeypatch.setattr(transaction, "MAX_BODY_BYTES", size)
    async with ledger.transactions.begin() as tx:
        tx.emit(event)
        with pytest.raises(ChassisError, match="bytes"):
            tx.emit(Written(account_id=event.account_id, number=12))
    assert len(await ledger.emitted()) == 1


async def test_failed_unit_leaves_nothing(ledger: Harness) -> None:
    account = uuid4()

    async def unit() -> None:
        async with ledger.transactions.begin() as tx:
            await tx.connection.execute("INSERT INTO account VALUES ($1, '{1}')", account)
            tx.emit(Written(account_id=account, number=1))
            tx.set_deadline("ring", account, START)
            await tx.flush()
            raise BrokenError

    with pytest.raises(BrokenError):
        await unit()
    for table in ("account", "chassis.outbox", "chassis.deadline"):
        assert await ledger.fetch(f"SELECT 1 FROM {table}") == []


async def test_unit_whose_events_cannot_be_written_keeps_no_state(
    ledger: Harness,
) -> None:
    account = uuid4()

    async def unit() -> None:
        async with ledger.transactions.begin() as tx:
            await tx.connection.execute("INSERT INTO account VALUES ($1, '{1}')", account)
            tx.keep_reply("caller\x00", "key", b"", 200, b"")  # PostgreSQL takes no NUL

    with pytest.raises(asyncpg.PostgresError):
        await unit()
    assert await ledger.fetch("SELECT 1 FROM account") == []


async def test_time_follows_an_aggregate_from_a_fast_clock_within_limits(
    ledger: Harness,
) -> None:
    async with ledger.transactions.begin() as tx:
        now = tx.now
        tx.not_before(now - timedelta(days=1))
        assert tx.now == now
        tx.not_before(now + timedelta(minutes=5))
        assert tx.now == now + timedelta(minutes=5)
        for _ in range(3):
            tx.not_before(now + timedelta(days=365))
        assert tx.now == now + MOST_SKEW, "one mad clock does not carry everybody away"


async def test_rewind_drops_what_came_after_the_mark(ledger: Harness) -> None:
    account, kept, moved, woken = uuid4(), uuid4(), uuid4(), []
    async with ledger.transactions.pool.acquire() as listener:
        await listener.add_listener(CHANNEL, lambda *args: woken.append(args[3]))
        async with ledger.transactions.begin() as tx:
            tx.emit(Written(account_id=account, number=1))
            tx.set_deadline("ring", kept, START)
            tx.set_deadline("ring", moved, START)
            tx.wake("before")
            mark = tx.mark()
            tx.emit(Written(account_id=account, number=2))
            tx.set_deadline("ring", moved, START + timedelta(days=1))
            tx.cancel_deadline("ring", kept)
            tx.wake("after")
            tx.rewind(mark)
            tx.emit(Written(account_id=account, number=3))
        await until_true(lambda: woken)
        await listener.execute("SELECT 1")
        await listener.reset()
    assert [e.data.number for e in await ledger.emitted()] == [1, 3]
    assert await ledger.deadlines() == {("ring", kept): START, ("ring", moved): START}
    assert set(woken) == {"pass:before", "outbox:normal", "deadlines"}


NOTE = Table("remark", Remark, key="remark_id")


async def test_added_rows_commit_with_the_unit_and_existing_ones_stay(ledger: Harness) -> None:
    await ledger.fetch(
        "CREATE TABLE IF NOT EXISTS remark (remark_id uuid PRIMARY KEY, said text, changed_at timestamptz)"
    )
    await ledger.grant()
    first, second = Remark(uuid4(), "first"), Remark(uuid4(), "second")
    async with ledger.transactions.begin() as tx:
        tx.add(NOTE, [first])
        tx.emit(Written(account_id=uuid4(), number=1))
    async with ledger.transactions.begin() as tx:
        tx.add(NOTE, [Remark(first.remark_id, "again"), second])
        await tx.write_added()
        assert len(await NOTE.find(tx.connection, [first.remark_id, second.remark_id])) == 2
    async with ledger.transactions.pool.acquire() as connection:
        found = await NOTE.find(connection, [first.remark_id, second.remark_id])
    assert set(found) == {first, second}


async def test_rewind_brings_back_rows_that_a_savepoint_has_undone(ledger: Harness) -> None:
    await ledger.fetch(
        "CREATE TABLE IF NOT EXISTS remark (remark_id uuid PRIMARY KEY, said text, changed_at timestamptz)"
    )
    await ledger.grant()
    kept, dropped = Remark(uuid4(), "kept"), Remark(uuid4(), "dropped")
    async with ledger.transactions.begin() as tx:
        tx.add(NOTE, [kept])
        mark = tx.mark()
        with contextlib.suppress(BrokenError):
            async with tx.connection.transaction():
                tx.add(NOTE, [dropped])
                await tx.write_added()
                raise BrokenError
        tx.rewind(mark)
    async with ledger.transactions.pool.acquire() as connection:
        assert await NOTE.find(connection, [kept.remark_id, dropped.remark_id]) == [kept]


async def test_deadline_that_is_far_away_wakes_nobody(ledger: Harness) -> None:
    far, soon = timedelta(seconds=2 * LOOK_SECONDS), timedelta(seconds=LOOK_SECONDS)
    async with ledger.transactions.begin() as tx:
        tx.set_deadline("ring", uuid4(), tx.now + far)
        await tx.flush()
        assert tx.wakes == frozenset()
        tx.set_deadline("ring", uuid4(), tx.now + soon)
        await tx.flush()
        assert tx.wakes == {"deadlines"}


async def test_many_commits_share_one_notification(ledger: Harness) -> None:
    woken: list[str] = []

    async def unit(number: int) -> None:
        async with ledger.transactions.begin() as tx:
            tx.emit(Written(account_id=uuid4(), number=number))
        if number == 29:
            async with ledger.transactions.begin() as tx:
                tx.wake("last")

    async with ledger.transactions.pool.acquire() as listener:
        await listener.add_listener(CHANNEL, lambda *args: woken.append(args[3]))
        await asyncio.gather(*(unit(number) for number in range(30)))
        await until_true(lambda: "pass:last" in woken)
        await listener.reset()
    assert len(await ledger.emitted()) == 30
    assert 1 <= woken.count("outbox:normal") < 15


async def test_failed_unit_wakes_nobody(ledger: Harness) -> None:
    woken: list[str] = []

    async def unit() -> None:
        async with ledger.transactions.begin() as tx:
            tx.wake("never")
            raise BrokenError

    async with ledger.transactions.pool.acquire() as listener:
        await listener.add_listener(CHANNEL, lambda *args: woken.append(args[3]))
        with pytest.raises(BrokenError):
            await unit()
        async with ledger.transactions.begin() as tx:
            tx.wake("always")
        await until_true(lambda: woken)
        await listener.reset()
    assert woken == ["pass:always"]


async def test_unit_has_one_instant_and_carries_the_trace(
    ledger: Harness,
) -> None:
    trace = f"00-{'a' * 32}-{'b' * 16}-01"
    async with ledger.transactions.begin(trace) as tx:
        tx.emit(Written(account_id=uuid4(), number=1))
        ledger.clock.advance(timedelta(hours=1))
        tx.emit(Written(account_id=uuid4(), number=2))
    first, second = await ledger.emitted()
    assert first.time == second.time == START
    assert first.traceparent == second.traceparent == trace


async def test_event_without_a_cause_begins_a_trace_of_its_own(ledger: Harness) -> None:
    async with ledger.transactions.begin() as tx:
        tx.emit(Written(account_id=uuid4(), number=1))
        tx.emit(Written(account_id=uuid4(), number=2))
    contexts = [parse(event.traceparent) for event in await ledger.emitted()]
    assert [context and context.sampled for context in contexts] == [False, False]
    assert len({context.trace for context in contexts if context}) == 2


async def test_events_of_a_handler_carry_the_trace_of_their_cause(ledger: Harness) -> None:
    trace = f"00-{'c' * 32}-{'d' * 16}-01"
    record = ledger.record(Added(account_id=uuid4(), number=1))
    await ledger.deliver(
        type(record)(
            record.topic,
            record.partition,
            record.offset,
            record.timestamp,
            record.key,
            [*record.headers, ("traceparent", trace.encode())],
            record.value,
        )
    )
    [event] = await ledger.emitted()
    assert event.traceparent == trace


async def test_many_deadlines_and_events_keep_their_order(
    ledger: Harness,
) -> None:
    accounts = [uuid4() for _ in range(500)]
    async with ledger.transactions.begin() as tx:
        for number, account in enumerate(accounts):
            tx.emit(Written(account_id=account, number=number))
            tx.set_deadline("ring", account, START)
    assert [e.data.number for e in await ledger.emitted()] == list(range(500))
    assert len(await ledger.deadlines()) == 500


@for_all(st.lists(st.tuples(st.text(st.characters(exclude_categories=["Cs"])), st.binary())))
def test_headers_survive_packing(
    headers: list[tuple[str, bytes]],
) -> None:
    assert unpack_headers(pack_headers(headers)) == headers


def test_units_share_no_fields() -> None:
    # neither is used: no catalogue and no connection are needed
    one = Tx(None, START, "a", None, {"ring"}, None)  # type: ignore[arg-type] # neither is used
    other = Tx(None, START, "a", None, (), None)  # type: ignore[arg-type] # neither is used
    one.set_deadline("ring", uuid4(), START)
    assert one.mark() != other.mark()


async def test_deadline_without_a_handler_is_refused(ledger: Harness) -> None:
    with pytest.raises(LookupError, match="no handler for the deadline tea-time"):
        async with ledger.transactions.begin() as tx:
            tx.set_deadline("tea-time", uuid4(), tx.now)
