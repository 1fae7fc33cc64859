"""Foreign records: none of them may stop a consumer, hide another record, or be answered twice."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from uuid import uuid4

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st
from ledger import Added, Faults, Struck

from bdcan_chassis import dead_letters
from bdcan_chassis.dispatch import Dispatcher, ParkLimit, Read, stages
from bdcan_chassis.replay import replay_requested
from bdcan_chassis.subscription import Batch, Consumer, On, Opaque, Reads, RecordHandler
from bdcan_chassis.testing.harness import FakeRecord, Harness
from bdcan_chassis.transaction import Tx
from bdcan_contracts.envelope import Event, Record


def with_header(record: FakeRecord, name: str, value: bytes | None) -> FakeRecord:
    headers = [(k, value if k == name else v) for k, v in record.headers]
    return replace(record, headers=headers)


def twist(record: FakeRecord, how: str) -> FakeRecord:
    match how:
        case "null type":
            return with_header(record, "ce_type", None)
        case "null header of no meaning":
            return replace(record, headers=[*record.headers, ("x", None)])
        case "NUL in the type":
            return with_header(record, "ce_type", b"bdcan.\x00")
        case "type that is not UTF-8":
            return with_header(record, "ce_type", b"\xff\xfe\xed\xa0\x80")
        case "key too long for an index":
            return replace(record, key=secrets.token_bytes(20_000))
        case "no key, no body":
            return replace(record, key=None, value=None)
        case "no header at all":
            return replace(record, headers=[])
        case "time before the epoch":
            return replace(record, timestamp=-1, headers=[])
        case "time after the year 9999":
            return replace(record, timestamp=10**18, headers=[])
        case "nested too deep":
            return replace(record, value=b"[" * 200_000)
        case _:
            raise AssertionError(how)


@pytest.mark.parametrize(
    "how",
    [
        "null type",
        "null header of no meaning",
        "NUL in the type",
        "type that is not UTF-8",
        "key too long for an index",
        "no key, no body",
        "no header at all",
        "time before the epoch",
        "time after the year 9999",
        "nested too deep",
    ],
)
async def test_hostile_record_is_parked_and_the_others_are_handled(ledger: Harness, how: str) -> None:
    account, other = uuid4(), uuid4()
    bad = twist(ledger.record(Added(account_id=account, number=1)), how)
    outcome = await ledger.deliver(bad, ledger.record(Added(account_id=other, number=2)))
    assert outcome["handled"] == (2 if how == "null header of no meaning" else 1)
    assert outcome["parked"] == (0 if how == "null header of no meaning" else 1)
    again = await ledger.deliver(bad)
    assert again["duplicate"] == 1, "its redelivery changes nothing"


async def test_error_that_quotes_a_null_character_parks_its_record(
    ledger: Harness, shared_faults: Faults
) -> None:
    def fail() -> None:
        raise ValueError("bad \x00 character \ud800")

    shared_faults.before_write = fail
    assert (await ledger.deliver(ledger.record(Added(account_id=uuid4(), number=1))))["parked"] == 1
    async with ledger.transactions.begin() as tx:
        [listed] = await dead_letters.find(tx.connection)
        assert listed.error == "ValueError", "a list is not audited: it quotes nothing"
        shown = await dead_letters.show(tx, listed.id, "operator", "looking")
    assert shown is not None
    assert "bad  character" in shown[0].error


def takes_records(ledger: Harness, on_records: RecordHandler) -> Dispatcher:
    numbers = ledger.service.catalogue.topics[0]
    consumer = Consumer(
        "outside", (Reads(numbers, Added), Reads(numbers, Struck)), ordered=False, on_records=on_records
    )
    return Dispatcher(consumer, ledger.transactions, ParkLimit(50, 0.5))


async def test_consumer_of_records_gets_each_position_once_readable_or_not(ledger: Harness) -> None:
    seen: list[int] = []

    async def answer(batch: Sequence[Record], _tx: Tx) -> None:
        seen.extend(record.offset for record in batch)

    dispatcher = takes_records(ledger, answer)
    good = ledger.record(Added(account_id=uuid4(), number=1))
    bad = with_header(ledger.record(Added(account_id=uuid4(), number=1)), "ce_time", b"yesterday")
    same_event = replace(good, offset=1000)
    opaque = Opaque(good.topic, 0, 1001)
    batch = [good, bad, bad, same_event, opaque]
    assert await dispatcher.process(batch) == Counter(handled=4, duplicate=1)
    assert await dispatcher.process(batch) == Counter(duplicate=5)
    assert seen == [good.offset, bad.offset, 1000, 1001]
    assert not await ledger.fetch("SELECT FROM chassis.dead_letter")


async def test_only_the_record_at_which_the_handler_fails_is_parked_and_replayed(ledger: Harness) -> None:
    seen: list[int] = []
    poison = {1002}

    async def answer(batch: Sequence[Record], tx: Tx) -> None:
        for record in batch:
            tx.wake(f"answered-{record.offset}")
            if record.offset in poison:
                raise ZeroDivisionError("a bug in a handler")
        seen.extend(record.offset for record in batch)

    dispatcher = takes_records(ledger, answer)
    topic = ledger.service.catalogue.topics[0].name
    batch = [FakeRecord(topic, 0, 1000 + n, 1, b"same key", [("x", None)], None) for n in range(5)]  # type: ignore[list-item] # Kafka allows a null header
    assert await dispatcher.process(batch) == Counter(handled=4, parked=1)
    assert seen == [1000, 1001, 1003, 1004]
    async with ledger.transactions.begin() as tx:
        [letter] = await dead_letters.find(tx.connection)
        assert (letter.offset, letter.reason) == (1002, dead_letters.HANDLER_FAILED)
        await dead_letters.request_replay(tx, letter.id, "operator", "the bug is mended")
    poison.clear()
    assert await replay_requested({"outside": dispatcher}, ledger.transactions) == 1
    assert seen == [1000, 1001, 1003, 1004, 1002]
    assert await dispatcher.process(batch) == Counter(duplicate=5)


def test_line_of_a_consumer_is_for_its_handler_or_for_on_records(ledger: Harness) -> None:
    async def answer(batch: Sequence[Record], tx: Tx) -> None:
        """Nothing."""

    numbers, catalogue = ledger.service.catalogue.topics[0], ledger.service.catalogue
    for consumer in (
        Consumer("nobody", (Reads(numbers, Added),)),
        Consumer("both", (On(numbers, Added, one_handler_for_both),), on_records=answer),
    ):
        with pytest.raises(LookupError, match="on_records"):
            consumer.bind(catalogue)


async def test_discarded_record_read_again_does_not_block_its_key(
    ledger: Harness,
) -> None:
    account = uuid4()
    bad = with_header(ledger.record(Added(account_id=account, number=1)), "ce_time", b"yesterday")
    await ledger.deliver(bad)
    async with ledger.transactions.begin() as tx:
        [letter] = await dead_letters.find(tx.connection)
        assert await dead_letters.discard(tx, letter.id, "operator", "cannot be mended")
    await ledger.deliver(bad)
    outcome = await ledger.deliver(ledger.record(Added(account_id=account, number=2)))
    assert outcome["handled"] == 1
    assert await ledger.fetch("SELECT 1 FROM chassis.parked_key") == []


def read(place: int, key: str, model: type[Added | Struck], handler: object) -> Read:
    record = FakeRecord("t", 0, place, 0, key.encode(), [], b"")
    event = Event(str(place), model.__name__, "", key, None, None, None, None)  # type: ignore[arg-type] # only place and key are read
    return Read(place, record, ("t", key.encode()), event, handler, None)  # type: ignore[arg-type] # only place and key are read


async def one_handler_for_both(batch: Batch[Added], tx: Tx) -> None:
    """Two types may share it."""


async def another_handler(batch: Batch[Added], tx: Tx) -> None:
    """For the second type."""


@for_all(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from([Added, Struck])), max_size=40),
    st.booleans(),
)
def test_stages_keep_the_order_of_each_key(
    records: Sequence[tuple[str, type[Added | Struck]]], shared: bool
) -> None:
    handlers = {Added: one_handler_for_both, Struck: one_handler_for_both if shared else another_handler}
    reads = [read(place, key, model, handlers[model]) for place, (key, model) in enumerate(records)]
    grouped = stages(reads)
    run = [r for group in grouped for r in group]
    assert sorted(r.place for r in run) == list(range(len(reads))), "each once"
    for key in "abc":
        places = [r.place for r in run if r.record.key == key.encode()]
        assert places == sorted(places)
    assert all(len({r.event.type for r in group if r.event}) == 1 for group in grouped), "one type at a time"


async def test_one_handler_for_two_types_keeps_the_order(
    ledger: Harness,
) -> None:
    seen: list[int] = []

    async def both(batch: Batch[Added] | Batch[Struck], _tx: Tx) -> None:
        seen.extend(e.data.number for e in batch)

    numbers = ledger.service.catalogue.topics[0]
    consumer = Consumer("both", (On(numbers, Added, both), On(numbers, Struck, both)))
    dispatcher = Dispatcher(consumer, ledger.transactions, ParkLimit(50, 0.5))
    key, other = uuid4(), uuid4()
    await dispatcher.process(
        [
            ledger.record(Added(account_id=other, number=0)),
            ledger.record(Struck(account_id=key, number=1)),
            ledger.record(Added(account_id=key, number=2)),
            ledger.record(Struck(account_id=key, number=3)),
        ]
    )
    assert [n for n in seen if n] == [1, 2, 3]


async def test_changed_column_under_a_running_worker_parks_nothing(
    ledger: Harness,
) -> None:
    account = uuid4()
    await ledger.deliver(*(Added(account_id=account, number=n) for n in (1, 2)))
    await ledger.owner.execute("ALTER TABLE account ALTER COLUMN numbers TYPE bigint[]")
    record = ledger.record(Added(account_id=account, number=3))
    assert (await ledger.deliver(record))["parked"] == 0
    rows = await ledger.fetch("SELECT numbers FROM account")
    assert rows[0]["numbers"] == [1, 2, 3]
    await ledger.owner.execute("ALTER TABLE account ALTER COLUMN numbers TYPE int[]")
