"""A book writes all that a step brings with it: the row, its events, its deadlines, its wakes, and times in order."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
import pytest
from ledger import Added, Written
from msgspec import Struct
from msgspec.structs import replace
from pydantic import BaseModel

from bdcan_chassis.book import Book, Change
from bdcan_chassis.ids import new_id
from bdcan_chassis.step import Step
from bdcan_chassis.table import LostUpdateError, Table
from bdcan_chassis.testing.harness import START, Harness
from bdcan_chassis.transaction import Tx
from bdcan_contracts.envelope import Event

HOUR = timedelta(hours=1)
REVIEW = "review"


class Account(Struct, frozen=True, rename={"account_id": "id"}):
    account_id: UUID
    numbers: tuple[int, ...] = ()


ACCOUNT = Table("account", Account, key="account_id")


def add(account: Account | None, event: Event[Added], now: datetime) -> Step[Account] | None:
    known = account or Account(event.data.account_id)
    number = event.data.number
    if number == 0:
        return None
    return Step(
        replace(known, numbers=(*known.numbers, number)),
        (Written(account_id=known.account_id, number=number),),
        {REVIEW: now + HOUR},
    )


class Accounts(Book[Account]):
    table = ACCOUNT

    def __init__(self, tx: Tx) -> None:
        super().__init__(tx)
        self.followed: list[Change[Account]] = []
        self.noted: list[str] = []

    def wakes(self, change: Change[Account]) -> Iterable[str]:
        return ("audit",) if change.before is None else ()

    def heard(self, _event_id: UUID, body: BaseModel, state: Account) -> None:
        assert isinstance(body, Written)
        assert body.account_id == state.account_id
        self.noted.append(f"heard {body.number}")

    async def follow(self, changes: Sequence[Change[Account]]) -> None:
        self.followed.extend(changes)
        self.noted.append("follow")


async def handle(ledger: Harness, *events: Event[Added]) -> Accounts:
    async with ledger.transactions.begin() as tx:
        accounts = Accounts(tx)
        await accounts.handle(events, add, key=lambda added: added.account_id)
        return accounts


def added(ledger: Harness, account_id: UUID, number: int) -> Event[Added]:
    data = Added(account_id=account_id, number=number)
    return Event("1", "added", "bdcan.feeder", str(account_id), START, data, None, new_id())


async def the_row(ledger: Harness, account_id: UUID) -> asyncpg.Record:
    [row] = await ledger.fetch("SELECT numbers, changed_at FROM account WHERE id = $1", account_id)
    return row


async def test_step_writes_row_event_deadline_and_wake(ledger: Harness) -> None:
    account_id = new_id()
    wakes = asyncio.Queue[str]()
    async with ledger.transactions.pool.acquire() as listening:
        await listening.add_listener("bdcan", lambda *told: wakes.put_nowait(told[-1]))
        await handle(ledger, added(ledger, account_id, 7), added(ledger, account_id, 8))
        async with asyncio.timeout(10):
            woken = {await wakes.get() for _ in range(2)}
        await listening.reset()
    assert list((await the_row(ledger, account_id))["numbers"]) == [7, 8]
    assert [e.data.number for e in await ledger.emitted()] == [7, 8]
    assert await ledger.deadlines() == {(REVIEW, account_id): START + HOUR}
    assert woken == {"pass:audit", "outbox:normal"}, "the deadline is an hour away"


async def test_journal_is_written_when_all_events_are_noted(ledger: Harness) -> None:
    account_id = new_id()
    accounts = await handle(ledger, added(ledger, account_id, 7), added(ledger, account_id, 8))
    assert accounts.noted == ["heard 7", "heard 8", "follow"]


async def test_new_row_that_exists_already_is_left_out_with_its_events(ledger: Harness) -> None:
    known, fresh = new_id(), new_id()
    await handle(ledger, added(ledger, known, 7))
    await ledger.emitted()
    async with ledger.transactions.begin() as tx:
        accounts = Accounts(tx)
        steps = [add(None, added(ledger, account_id, 9), tx.now) for account_id in (known, fresh)]
        written = await accounts.put_missing([step for step in steps if step])
        await accounts.save()
    assert [account.account_id for account in written] == [fresh]
    assert [(change.before, change.after) for change in accounts.followed] == [(None, *written)]
    assert [event.data.account_id for event in await ledger.emitted()] == [fresh]
    assert list((await the_row(ledger, known))["numbers"]) == [7]
    assert list((await the_row(ledger, fresh))["numbers"]) == [9]


async def test_row_written_at_once_takes_a_second_step(ledger: Harness) -> None:
    account_id = new_id()
    async with ledger.transactions.begin() as tx:
        accounts = Accounts(tx)
        [account] = await accounts.put_missing([Step(Account(account_id, (1,)))])
        accounts.put(Step(replace(account, numbers=(1, 2))))
        await accounts.save()
    assert list((await the_row(ledger, account_id))["numbers"]) == [1, 2]
    assert [change.before for change in accounts.followed] == [None]


async def test_event_that_leads_to_no_step_writes_nothing(ledger: Harness) -> None:
    accounts = await handle(ledger, added(ledger, new_id(), 0))
    assert accounts.followed == []
    assert await ledger.fetch("SELECT FROM account") == []


async def test_none_cancels_a_deadline(ledger: Harness) -> None:
    account_id = new_id()
    await handle(ledger, added(ledger, account_id, 7))
    async with ledger.transactions.begin() as tx:
        accounts = Accounts(tx)
        [account] = await accounts.lock_keys([account_id])
        accounts.put(Step(account, (), {REVIEW: None}))
        await accounts.save()
    assert await ledger.deadlines() == {}


async def test_state_that_stays_the_same_is_not_written(ledger: Harness) -> None:
    account_id = new_id()
    await handle(ledger, added(ledger, account_id, 7))
    ledger.clock.advance(HOUR)
    async with ledger.transactions.begin() as tx:
        accounts = Accounts(tx)
        [account] = await accounts.lock_keys([account_id])
        accounts.put(Step(replace(account, numbers=(7,))))
        await accounts.save()
    assert accounts.followed == []
    assert (await the_row(ledger, account_id))["changed_at"] == START


async def test_event_about_an_unchanged_row_updates_its_time(ledger: Harness) -> None:
    account_id = new_id()
    await handle(ledger, added(ledger, account_id, 7))
    ledger.clock.advance(HOUR)
    async with ledger.transactions.begin() as tx:
        accounts = Accounts(tx)
        [account] = await accounts.lock_keys([account_id])
        accounts.put(Step(account, (Written(account_id=account_id, number=7),)))
        await accounts.save()
    assert (await the_row(ledger, account_id))["changed_at"] == START + HOUR


async def test_time_is_never_before_the_last_change_of_a_locked_row(ledger: Harness) -> None:
    account_id = new_id()
    ledger.clock.advance(HOUR / 2)
    await handle(ledger, added(ledger, account_id, 7))
    ledger.clock.advance(-HOUR / 2)  # the clock of another process
    async with ledger.transactions.begin() as tx:
        await Accounts(tx).lock_keys([account_id])
        assert tx.now == START + HOUR / 2


async def test_second_save_writes_only_what_changed_since(ledger: Harness) -> None:
    account_id = new_id()
    async with ledger.transactions.begin() as tx:
        accounts = Accounts(tx)
        for number in (1, 2):
            step = add(accounts.get(account_id), added(ledger, account_id, number), tx.now)
            assert step is not None
            accounts.put(step)
            await accounts.save()
    assert [len(change.after.numbers) for change in accounts.followed] == [1, 2]
    assert [e.data.number for e in await ledger.emitted()] == [1, 2]


async def test_row_that_is_locked_again_keeps_its_step(ledger: Harness) -> None:
    account_id = new_id()
    await handle(ledger, added(ledger, account_id, 7))
    async with ledger.transactions.begin() as tx:
        accounts = Accounts(tx)
        [account] = await accounts.lock_keys([account_id])
        accounts.put(Step(replace(account, numbers=(7, 8))))
        assert [a.numbers for a in await accounts.lock_keys([account_id])] == [(7, 8)]


async def both_insert(ledger: Harness, account_id: UUID) -> None:
    async with ledger.transactions.begin() as tx:
        accounts = Accounts(tx)
        assert await accounts.lock_keys([account_id]) == []
        await handle(ledger, added(ledger, account_id, 1))  # the other unit is first
        step = add(None, added(ledger, account_id, 2), tx.now)
        assert step is not None
        accounts.put(step)
        await accounts.save()


async def test_second_insert_of_the_same_row_is_a_lost_update(ledger: Harness) -> None:
    account_id = new_id()
    with pytest.raises(LostUpdateError):
        await both_insert(ledger, account_id)
    assert list((await the_row(ledger, account_id))["numbers"]) == [1]


class Child(Struct, frozen=True):
    child_id: UUID
    parent_id: UUID
    name: str = ""


class Children(Book[Child]):
    table = Table("child", Child, key="child_id")
    parent = "parent_id"


async def test_rows_are_found_by_their_parent_as_they_are_now(ledger: Harness) -> None:
    mother, other = new_id(), new_id()
    first, second = Child(new_id(), mother), Child(new_id(), other)
    async with ledger.transactions.begin() as tx:
        children = Children(tx)
        children.put(Step(first))
        children.put(Step(second))
        children.put(Step(replace(first, name="renamed")))
        assert [child.name for child in children.of(mother)] == ["renamed"]
        assert children.of(new_id()) == []


class Stamped(Struct, frozen=True, rename={"account_id": "id"}):
    account_id: UUID
    changed_at: datetime


class StampedAccounts(Book[Stamped]):
    table = Table("account", Stamped, key="account_id")


async def test_time_is_never_before_a_change_held_in_the_state(ledger: Harness) -> None:
    account_id = new_id()
    ledger.clock.advance(HOUR / 2)
    await handle(ledger, added(ledger, account_id, 7))
    ledger.clock.advance(-HOUR / 2)
    async with ledger.transactions.begin() as tx:
        [account] = await StampedAccounts(tx).lock_keys([account_id])
        assert tx.now == account.changed_at == START + HOUR / 2


class Line(Struct, frozen=True):
    account_id: UUID
    place: int
    at: datetime


class Sheet(Struct, frozen=True, rename={"account_id": "id"}):
    account_id: UUID
    numbers: tuple[int, ...] = ()
    lines: tuple[Line, ...] = ()


LINE = Table("sheet_line", Line, key=("account_id", "place"), stamp="at")


class Sheets(Book[Sheet]):
    table = Table("account", Sheet, key="account_id", parts={"lines": LINE})


async def test_time_goes_on_from_the_parts_of_a_locked_row(ledger: Harness) -> None:
    account_id = new_id()
    await ledger.owner.execute(
        "CREATE TABLE IF NOT EXISTS sheet_line (account_id uuid, place int, at timestamptz, PRIMARY KEY (account_id, place))"
    )
    await ledger.grant()
    async with ledger.transactions.begin() as tx:
        sheets = Sheets(tx)
        sheets.put(Step(Sheet(account_id, lines=(Line(account_id, 1, START + HOUR / 2),))))
        await sheets.save()
    async with ledger.transactions.begin() as tx:
        sheets = Sheets(tx)
        [sheet] = await sheets.lock_keys([account_id])
        assert [line.place for line in sheet.lines] == [1]
        assert tx.now == START + HOUR / 2
