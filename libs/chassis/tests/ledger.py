"""A toy service that shows what the chassis did: each account records its numbers in order."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from pydantic import BaseModel

from bdcan_chassis.errors import BadRecordError
from bdcan_chassis.service import Service
from bdcan_chassis.settings import ServiceSettings
from bdcan_chassis.subscription import Batch, Consumer, On
from bdcan_chassis.transaction import Tx
from bdcan_contracts.envelope import Catalogue, EventType, Reader, Topic


class Added(BaseModel):
    """A number for an account."""

    account_id: UUID
    number: int


class Struck(BaseModel):
    """Another type on the same topic: the account writes down the negative number."""

    account_id: UUID
    number: int


class Written(BaseModel):
    """What the ledger says when it has written a number down."""

    account_id: UUID
    number: int
    lane: str | None = None


SQL = """
CREATE TABLE IF NOT EXISTS account (
    id uuid PRIMARY KEY, numbers int[] NOT NULL, changed_at timestamptz NOT NULL DEFAULT '2000-01-01Z'
);
CREATE TABLE IF NOT EXISTS rung (subject uuid NOT NULL, due_at timestamptz NOT NULL);
"""


@dataclass
class Faults:
    """What a test wants to go wrong inside the handlers."""

    poison: set[int] = field(default_factory=set)
    refuse: set[int] = field(default_factory=set)
    before_write: Callable[[], None] | None = None


def ledger_catalogue(tag: str | None = None) -> Catalogue:
    """Topics with names of their own, so that tests can share a broker."""
    tag = tag or secrets.token_hex(4)
    numbers = Topic(
        name=f"bdcan.feeder.numbers-{tag}.v1",
        owner="feeder",
        purpose="numbers",
        key="{account_id}",
        traffic_class="normal",
        partitions=3,
        retention=timedelta(days=7),
        compacted=False,
        event_types=("bdcan.feeder.number.added.v1", "bdcan.feeder.number.struck.v1"),
        writers=("feeder",),
        consumers=(Reader("ledger", ("bdcan.feeder.number.added.v1", "bdcan.feeder.number.struck.v1")),),
    )
    entries = Topic(
        name=f"bdcan.ledger.entries-{tag}.v1",
        owner=f"ledger-{tag}",
        purpose="entries",
        key="{account_id}",
        traffic_class="normal",
        partitions=3,
        retention=timedelta(days=7),
        compacted=False,
        event_types=("bdcan.ledger.entry.written.v1",),
        writers=(f"ledger-{tag}",),
        consumers=(),
    )
    return Catalogue(
        (numbers, entries),
        (
            EventType("bdcan.feeder.number.added.v1", Added, "urn:added", (numbers,)),
            EventType("bdcan.feeder.number.struck.v1", Struck, "urn:struck", (numbers,)),
            EventType("bdcan.ledger.entry.written.v1", Written, "urn:written", (entries,)),
        ),
    )


def ledger_service(
    settings: ServiceSettings, catalogue: Catalogue, faults: Faults, *, ordered: bool = True
) -> Service:
    """The toy service."""

    async def write(batch: Batch[Added] | Batch[Struck], tx: Tx, sign: int) -> None:
        ids = sorted({e.data.account_id for e in batch})
        rows = await tx.connection.fetch(
            "SELECT id, numbers, changed_at FROM account WHERE id = ANY ($1::uuid[]) ORDER BY id FOR UPDATE",
            ids,
        )
        tx.not_before(*[row["changed_at"] for row in rows])
        numbers = {i: [] for i in ids} | {r["id"]: list(r["numbers"]) for r in rows}
        for event in batch:
            if event.data.number in faults.poison:
                raise ZeroDivisionError("a bug in a handler")
            if event.data.number in faults.refuse:
                raise BadRecordError("not-wanted", "refused on purpose")
            numbers[event.data.account_id].append(sign * event.data.number)
            tx.emit(Written(account_id=event.data.account_id, number=sign * event.data.number), cause=event)
        if faults.before_write:
            faults.before_write()
        for account, listed in numbers.items():
            await tx.connection.execute(
                """
                INSERT INTO account (id, numbers, changed_at) VALUES ($1, $2, $3)
                ON CONFLICT (id) DO UPDATE SET numbers = excluded.numbers, changed_at = excluded.changed_at
                """,
                account,
                listed,
                tx.now,
            )

    async def on_added(batch: Batch[Added], tx: Tx) -> None:
        await write(batch, tx, 1)

    async def on_struck(batch: Batch[Struck], tx: Tx) -> None:
        await write(batch, tx, -1)

    async def ring(due, tx: Tx) -> None:  # type: ignore[no-untyped-def]
        for deadline in due:
            if faults.before_write:
                faults.before_write()
            await tx.connection.execute("INSERT INTO rung VALUES ($1, $2)", deadline.subject, deadline.due_at)

    numbers = catalogue.topics[0]
    consumer = Consumer(
        "numbers", (On(numbers, Added, on_added), On(numbers, Struck, on_struck)), ordered=ordered
    )
    return Service(
        name=catalogue.topics[1].owner,  # a consumer group of its own for each test
        package="ledger_process",
        title="ledger",
        settings=settings,
        catalogue=catalogue,
        personal_fields=frozenset({"phone"}),
        consumers=(consumer,),
        deadlines={"ring": ring, "review": ring, "other": ring},
    )
