"""Books: the rows that a transaction has locked, and everything that a change of them brings with it.

    parcels = Parcels(tx)
    await parcels.lock(store.parcels.LOCK_OF_REFERRALS, referral_ids=ids)
    for event in batch:
        for parcel in parcels.of(event.data.referral_id):
            parcels.put(cancel(parcel, "need-withdrawn", tx.now), event)
    await parcels.save()

`save` writes the rows that changed, emits their events, sets and cancels their deadlines, wakes the planners that wait
for them, and keeps times in order. Nobody can forget a part. A row *changed* if its state differs, or if an event is
about it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from types import MappingProxyType
from typing import Any, Generic, NamedTuple, TypeVar
from uuid import UUID

from msgspec import Struct
from prometheus_client import Counter
from pydantic import BaseModel

from bdcan_chassis.deadlines import Due
from bdcan_chassis.fairness import in_turns
from bdcan_chassis.step import Step
from bdcan_chassis.subscription import Batch
from bdcan_chassis.table import Query, Table, Unique
from bdcan_chassis.transaction import Cause, Tx
from bdcan_contracts.envelope import Event

S = TypeVar("S", bound=Struct)
T = TypeVar("T", bound=BaseModel)

Decide = Callable[[S | None, Event[T], datetime], Step[S] | None]
"""A domain function for an event: the state, the event, the time → the step; None where there is nothing to do."""


class Change(NamedTuple, Generic[S]):
    """A row before and after. `before` is None for a new row."""

    before: S | None
    after: S


class _Told(NamedTuple, Generic[S]):
    key: Any
    state: S
    body: BaseModel
    cause: Cause | None


class Book(Generic[S]):
    """Locked rows of one table. A service derives its own book, names its table, and says what follows a change."""

    table: Table[S]
    parent: str | None = None
    """The field that `of` looks rows up by, such as the referral's id."""
    adds_last: bool = False
    """Whether new rows are written with the transaction's last statement, because nothing in it reads them."""

    def __init__(self, tx: Tx) -> None:
        self.tx = tx
        self._before: dict[Any, S] = {}
        self._now: dict[Any, S] = {}
        self._children: dict[Any, dict[Any, None]] = {}
        self._told: list[_Told[S]] = []
        self._deadlines: dict[tuple[str, Any], datetime | None] = {}
        self._inserted: dict[Any, S] = {}

    # what a service says about its aggregate

    def traffic_class(self, _state: S, _body: BaseModel) -> str | None:
        """The traffic class of an event of the aggregate; None: the usual one."""
        return None

    def wakes(self, _change: Change[S]) -> Iterable[str]:
        """The planners and gateways that wait for such a change."""
        return ()

    def counts(self, _change: Change[S]) -> Iterable[Counter]:
        """The counters that such a change moves on, once it is committed."""
        return ()

    def heard(self, _event_id: UUID, _body: BaseModel, _state: S) -> None:
        """Note an event that is emitted, for a service that keeps a journal. `follow` may write what was noted."""

    async def follow(self, _changes: Sequence[Change[S]]) -> None:
        """Write what the changes mean for other tables, in the same transaction."""

    # what handlers, planners, deadlines, gateways and routes do with it

    async def lock(self, query: Query[S], **arguments: Any) -> list[S]:
        """Add the rows of a query that locks; returns them as they are now. `tx.now` is never before their last change."""
        records = await query.records(self.tx.connection, **arguments)
        if stamp := self.table.stamp:
            self.tx.not_before(*[record[stamp] for record in records])
        rows = await self.table.fill(self.tx.connection, query.read(records), self.tx.not_before)
        if self.tx.unit is not None:
            await self.tx.unit.look_up(self.tx.connection, map(self.table.key_of, rows))
        return [self._add(row) for row in rows]

    async def lock_keys(self, keys: Iterable[Any]) -> list[S]:
        """Add rows by their keys. A row that does not exist is left out."""
        return await self.lock(self.table.lock, keys=set(keys))

    async def ensure(self, keys: Iterable[Any]) -> list[S]:
        """Add rows by their keys. Makes a row that does not exist, so that two transactions take turns."""
        wanted = set(keys)
        await self.table.ensure(self.tx.connection, wanted)
        return await self.lock_keys(wanted)

    async def handle(
        self, batch: Batch[T], decide: Decide[S, T], *, key: Callable[[T], Any] = attrgetter("referral_id")
    ) -> None:
        """Lock the rows that a batch is about, decide event by event in order, and save."""
        await self.lock_keys(key(event.data) for event in batch)
        async for event in in_turns(batch):
            step = decide(self.get(key(event.data)), event, self.tx.now)
            if step is not None:
                self.put(step, event)
        await self.save()

    async def handle_due(self, due: Sequence[Due], decide: Callable[[S, datetime], Step[S] | None]) -> None:
        """Lock the rows whose deadlines are due, decide row by row, and save."""
        for row in await self.lock_keys(d.subject for d in due):
            step = decide(row, self.tx.now)
            if step is not None:
                self.put(step)
        await self.save()

    def get(self, key: Any) -> S | None:
        """A row as it is now; None if there is none."""
        return self._now.get(key)

    def __getitem__(self, key: Any) -> S:
        return self._now[key]

    def __contains__(self, key: object) -> bool:
        return key in self._now

    def __iter__(self) -> Iterator[S]:
        """The rows as they are now. You may put steps while you iterate."""
        return iter(list(self._now.values()))

    def of(self, parent: Any) -> list[S]:
        """The rows of one parent, as they are now."""
        return [self._now[key] for key in self._children.get(parent, ())]

    def put(self, step: Step[S], cause: Cause | None = None) -> S:
        """Accept a step; returns the state as it is now. `cause` is the event that led to the step."""
        state = step.state
        key = self.table.key_of(state)
        if (unit := self.tx.unit) is not None:
            cause = self.tx.follow(unit, key, cause)
        self._keep(key, state)
        self._told.extend(_Told(key, state, body, cause) for body in step.events)
        for kind, due_at in step.deadlines.items():
            self._deadlines[kind, key] = due_at
        return state

    async def put_missing(
        self,
        steps: Iterable[Step[S]],
        unique: Unique | None = None,
        causes: Mapping[Any, Cause | None] = MappingProxyType({}),
    ) -> list[S]:
        """Write the new rows of these steps at once, and accept the steps. Returns the states that were written.

        A step whose row exists already is left out. `unique`: see `Table.insert_missing`. `causes` go by the key of the row.
        """
        by_key = {self.table.key_of(step.state): step for step in steps}
        states = [step.state for step in by_key.values()]
        written = await self.table.insert_missing(self.tx.connection, states, self.tx.now, unique)
        taken = {key: self.put(step, causes.get(key)) for key, step in by_key.items() if key in written}
        self._inserted.update(taken)
        return list(taken.values())

    async def save(self) -> None:
        """Write the changed rows, and everything that follows from the changes."""
        tx, before = self.tx, self._before
        told = {one.key for one in self._told}
        changes = [
            Change(before.get(key), state)
            for key, state in self._now.items()
            if key in told or (state is not before.get(key) and state != before.get(key))
        ]
        await self._write(changes)
        async for one in in_turns(self._told):
            event_id = tx.emit(
                one.body, cause=one.cause, traffic_class=self.traffic_class(one.state, one.body)
            )
            self.heard(event_id, one.body, one.state)
        await self.follow(changes)
        for (kind, key), due_at in self._deadlines.items():
            if due_at is None:
                tx.cancel_deadline(kind, key)
            else:
                tx.set_deadline(kind, key, due_at)
        for change in changes:
            for name in self.wakes(change):
                tx.wake(name)
            tx.count(*self.counts(change))
        before.update(self._now)
        self._told.clear()
        self._deadlines.clear()
        self._inserted.clear()

    async def _write(self, changes: Sequence[Change[S]]) -> None:
        connection, now, new, old = self.tx.connection, self.tx.now, [], []
        for was, after in changes:
            known = was or self._inserted.get(self.table.key_of(after))
            if known is None:
                new.append(after)
            elif was or known is not after:
                old.append((known, after))
        if self.adds_last:
            self.tx.add(self.table, new)
        else:
            await self.table.insert(connection, new, now)
        await self.table.update(connection, old, now)

    def _add(self, row: S) -> S:
        key = self.table.key_of(row)
        if key not in self._now:
            self._before[key] = row
            self._keep(key, row)
        return self._now[key]

    def _keep(self, key: Any, state: S) -> None:
        self._now[key] = state
        if self.parent is not None:
            self._children.setdefault(getattr(state, self.parent), {})[key] = None
