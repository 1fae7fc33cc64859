"""The unit of work: all of it or nothing, and only what the service may say."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st
from ledger import Added, Written
from pydantic import BaseModel

from bdcan_chassis import transaction
from bdcan_chassis.errors import ChassisError
from bdcan_chassis.testing.harness import START, Harness
from bdcan_chassis.transaction import MOST_SKEW, Tx, pack_headers, unpack_headers


class Unheard(BaseModel):
    """No event of anybody's."""

    account_id: UUID


class BrokenError(Exception):
    """What a test raises."""


async def test_given_an_event_of_another_service_when_emitted_then_it_raises(ledger: Harness) -> None:
    async with ledger.transactions.begin() as tx:
        with pytest.raises(LookupError, match="may not write to"):
            tx.emit(Added(account_id=uuid4(), number=1))
        with pytest.raises(LookupError):
            tx.emit(Unheard(account_id=uuid4()))
        with pytest.raises(LookupError, match="lane"):
            tx.emit(Written(account_id=uuid4(), number=1), lane="no-such-lane")
    assert await ledger.emitted() == []


async def test_given_an_event_that_no_broker_takes_when_emitted_then_it_raises_before_it_can_hold_up_its_lane(
    ledger: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = Written(account_id=uuid4(), number=1)
    size = len(event.model_dump_json())
    monkeypatch.setattr(transaction, "MAX_BODY_BYTES", size)
    async with ledger.transactions.begin() as tx:
        tx.emit(event)
        with pytest.raises(ChassisError, match="bytes"):
            tx.emit(Written(account_id=event.account_id, number=12))
    assert len(await ledger.emitted()) == 1


async def test_given_a_unit_that_fails_at_its_end_then_nothing_of_it_is_left(ledger: Harness) -> None:
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


async def test_given_events_that_cannot_be_written_when_a_unit_ends_then_its_state_is_not_kept_either(
    ledger: Harness,
) -> None:
    account = uuid4()

    async def unit() -> None:
        async with ledger.transactions.begin() as tx:
            await tx.connection.execute("INSERT INTO account VALUES ($1, '{1}')", account)
            tx.set_deadline("ring\x00", account, START)  # no column takes a NUL

    with pytest.raises(asyncpg.PostgresError):
        await unit()
    assert await ledger.fetch("SELECT 1 FROM account") == []


async def test_given_an_aggregate_from_a_clock_that_is_ahead_when_it_goes_on_then_time_does_too_within_reason(
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


async def test_given_a_mark_when_rewound_then_only_what_came_before_it_is_written(ledger: Harness) -> None:
    account, kept, moved, woken = uuid4(), uuid4(), uuid4(), []
    async with ledger.transactions.pool.acquire() as listener:
        await listener.add_listener(transaction.CHANNEL, lambda *args: woken.append(args[3]))
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
        await listener.execute("SELECT 1")
        await listener.reset()
    assert [e.data.number for e in await ledger.emitted()] == [1, 3]
    assert await ledger.deadlines() == {("ring", kept): START, ("ring", moved): START}
    assert set(woken) == {"pass:before", "outbox:normal", "deadlines"}


async def test_given_a_unit_when_it_runs_then_all_of_it_happens_at_one_instant_and_carries_the_trace(
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


async def test_given_a_cause_when_emitted_in_its_handler_then_its_trace_is_handed_on(ledger: Harness) -> None:
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


async def test_given_many_deadlines_and_events_when_committed_then_order_and_each_are_kept(
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
def test_given_any_headers_when_packed_then_unpacking_gives_them_back(
    headers: list[tuple[str, bytes]],
) -> None:
    assert unpack_headers(pack_headers(headers)) == headers


def test_given_a_tx_without_work_then_its_fields_are_its_own() -> None:
    one = Tx(None, START, "a", None)  # type: ignore[arg-type]
    other = Tx(None, START, "a", None)  # type: ignore[arg-type]
    one.set_deadline("ring", uuid4(), START)
    assert one.mark() != other.mark()
