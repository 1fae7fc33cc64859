"""The conformance suite: what every service's handlers must do, on real PostgreSQL.

A service names the events of one life of its aggregates, and gets the tests:

    class TestConformance(Conformance):
        def life(self, given: Harness) -> list[FakeRecord]:
            referral = received()
            return [given.record(referral), given.record(withdrawn(referral.referral_id))]

Each test delivers the same lives under another disturbance. It compares the result (tables, deadlines and outgoing events
by key) with that of an undisturbed delivery. The tests need the fixture `given`, a Harness.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, TypeAlias

import asyncpg
import orjson
import pytest

from bdcan_chassis import database, dead_letters
from bdcan_chassis.database import open_pool
from bdcan_chassis.dispatch import Dispatcher, ParkLimit
from bdcan_chassis.errors import DATABASE_ERRORS, ConfigurationError, is_transient
from bdcan_chassis.housekeeping import check_inbox_retention
from bdcan_chassis.replay import replay_requested
from bdcan_chassis.subscription import Batch, Consumer, Handler, On
from bdcan_chassis.testing.harness import FakeRecord, Harness
from bdcan_chassis.transaction import Transactions, Tx
from bdcan_contracts.envelope import Record

Picture: TypeAlias = dict[str, Any]
"""What a delivery left behind: rows by table, deadlines, and the events of each outgoing key in their order."""

_NO_LIMIT = 1_000_000
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-([0-9a-f])[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


class Conformance:
    """The tests. A service overrides `life`, and `prepare` if its handlers need rows to start with."""

    lives = 6
    """How many lives each test plays."""

    def life(self, given: Harness) -> list[FakeRecord]:
        """One life: the events of one aggregate, in the order in which they happen. New ids each time."""
        raise NotImplementedError

    async def prepare(self, given: Harness) -> None:
        """Fill the empty database with the rows that the service needs before the first event."""

    async def settled(self, given: Harness, lives: Sequence[Sequence[FakeRecord]]) -> Any:
        """The part of the result that must not depend on which topic is read first. By default all of it."""
        return await picture(given, lives)

    async def test_record_delivered_twice_has_one_effect(self, given: Harness) -> None:
        lives = self._lives(given)
        expected = await self._undisturbed(given, lives)
        await self._anew(given)
        for record in _told(lives):
            await _deliver(given, [record, record])
            await _deliver(given, [record])
        for batch in _batches(given, _told(lives), 500):
            assert set(+await _deliver(given, batch)) == {"duplicate"}
        assert await picture(given, lives) == expected

    @pytest.mark.parametrize("seed", range(3))
    async def test_order_across_keys_does_not_matter(
        self, given: Harness, seed: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        lives = self._lives(given)
        expected = await self._undisturbed(given, lives)
        await self._anew(given)
        monkeypatch.setattr(database, "MANY_ROWS", 1 + seed % 2 * 100)  # by COPY, and as arrays
        rng = random.Random(seed)
        for batch in _batches(given, _shuffled(lives, rng), rng.choice((2, 7, 500))):
            await _deliver(given, batch)
        assert await picture(given, lives) == expected

    @pytest.mark.parametrize("seed", range(3))
    async def test_topics_that_run_ahead_of_each_other_end_the_same(self, given: Harness, seed: int) -> None:
        lives = self._lives(given)
        await self._undisturbed(given, lives)
        expected = await self.settled(given, lives)
        await self._anew(given)
        rng = random.Random(seed)
        streams: dict[object, list[FakeRecord]] = defaultdict(list)
        for record in _told(lives):
            streams[record.topic, record.key].append(record)
        for batch in _batches(given, _shuffled(list(streams.values()), rng), rng.choice((1, 7, 500))):
            assert set(+await _deliver(given, batch)) == {"handled"}
        assert await self.settled(given, lives) == expected

    async def test_connection_lost_at_any_statement_changes_nothing(self, given: Harness) -> None:
        lives = self._lives(given)[:2]
        expected = await self._undisturbed(given, lives)
        await self._anew(given)
        lost = 0
        async with _fragile(given) as (fragile, cut):
            for batch in _batches(given, _told(lives), 500):
                for after in (False, True):
                    for statement in range(1, 1000):
                        cut.arm(statement, after=after)
                        try:
                            await _deliver(given, batch, fragile)
                        except DATABASE_ERRORS as error:
                            if not is_transient(error):
                                raise
                            lost += 1
                        if not cut.happened:
                            break
        assert lost > 4, "no statement was ever cut"
        assert await picture(given, lives) == expected

    @pytest.mark.parametrize("many", [1, 100])
    async def test_zombie_and_successor_handle_a_batch_once(
        self, given: Harness, many: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(database, "MANY_ROWS", many)
        lives = self._lives(given)
        expected = await self._undisturbed(given, lives)
        await self._anew(given)
        for batch in _batches(given, _told(lives), 500):
            both = await asyncio.gather(_deliver(given, batch), _deliver(given, batch))
            assert sorted(word for outcome in both for word in +outcome) == ["duplicate", "handled"]
        assert await picture(given, lives) == expected

    async def test_one_bad_record_among_500_is_parked_alone(self, given: Harness) -> None:
        records = [self.life(given)[0] for _ in range(501)]
        bad, good = records[250], records[:250] + records[251:]
        await self._anew(given)
        await _deliver(given, good)
        expected = await picture(given, [good])
        await self._anew(given)
        outcome = await _deliver(given, records, poison=bad)
        assert outcome == Counter(handled=500, parked=1)
        assert await picture(given, [good]) == expected

    async def test_records_queue_behind_a_parked_key_and_replay_in_order(self, given: Harness) -> None:
        lives = [_of_first_key(life) for life in self._lives(given)]
        [consumer] = _consumers(given, lives[0][0])
        if not consumer.ordered:  # independent records wait for nobody
            lives = [life[:1] for life in lives]
        expected = await self._undisturbed(given, lives)
        await self._anew(given)
        bad, behind = lives[0][0], lives[0][1:]
        outcome: Counter[str] = Counter()
        for batch in _batches(given, _told(lives), 3):
            outcome += await _deliver(given, batch, poison=bad)
        assert outcome["parked"] == 1
        assert outcome["queued"] == len(behind)
        async with given.transactions.begin() as tx:
            head = (await dead_letters.find(tx.connection))[0]
            await dead_letters.request_replay(tx, head.id, "operator", "the bug is mended")
        dispatchers = {consumer.name: Dispatcher(consumer, given.transactions, ParkLimit(_NO_LIMIT, 1))}
        while await replay_requested(dispatchers, given.transactions):
            pass
        assert await picture(given, lives) == expected

    async def test_unknown_type_and_unreadable_body_are_parked(self, given: Harness) -> None:
        await self._anew(given)
        first, second = self.life(given)[0], self.life(given)[0]
        unknown = [
            (name, b"bdcan.somebody.something.v9" if name == "ce_type" else value)
            for name, value in first.headers
        ]
        outcome = await _deliver(given, [replace(first, headers=unknown), replace(second, value=b'{"no":')])
        if _consumers(given, first)[0].on_records:
            assert outcome == Counter(handled=2), "who takes records as they are answers for each"
            return
        assert outcome == Counter(parked=2)
        async with given.transactions.pool.acquire() as connection:
            letters = await dead_letters.find(connection)
        assert {letter.state for letter in letters} == {"parked"}
        assert len({letter.reason for letter in letters}) == 2

    async def test_time_never_goes_back_when_a_slow_clock_takes_over(self, given: Harness) -> None:
        right, catalogue = given.clock.instant, given.service.catalogue
        told_at = right + timedelta(minutes=10)
        steps, told = 1, 0
        while told <= steps:  # how many steps the topic ahead takes
            given.clock.instant = told_at
            life = self.life(given)
            await self._anew(given)
            latest: dict[tuple[str, str], datetime] = {}
            for place, record in enumerate(life):
                given.clock.instant = right + timedelta(minutes=20 if place < told else -10)
                await _deliver(given, [record])
                topic = catalogue.by_topic[record.topic]
                for event in await given.emitted():
                    aggregate = (catalogue.by_type[event.type].topics[0].name, event.subject)
                    assert event.time >= latest.get(aggregate, event.time), f"{event.type} is old news"
                    if topic.owner in topic.writers:  # otherwise an upstream system's clock counts
                        assert event.time >= told_at, f"{event.type} comes before its cause"
                    latest[aggregate] = event.time
            assert latest, "a life without events proves nothing"
            steps, told = len(life), told + 1

    async def test_inbox_outlives_every_topic_it_reads(self, given: Harness) -> None:
        consumers, kept = given.service.consumers, given.service.settings.inbox_retention
        check_inbox_retention(consumers, kept)
        longest = max(
            (
                line.topic.retention
                for consumer in consumers
                for line in consumer.table
                if line.topic.retention
            ),
            default=timedelta(0),
        )
        assert longest > timedelta(0), "a service that only reads compacted topics needs another promise"
        with pytest.raises(ConfigurationError):
            check_inbox_retention(consumers, longest)

    def _lives(self, given: Harness) -> list[list[FakeRecord]]:
        return [self.life(given) for _ in range(self.lives)]

    async def _anew(self, given: Harness) -> None:
        await given.empty()
        await self.prepare(given)
        await given.emitted()

    async def _undisturbed(self, given: Harness, lives: Sequence[Sequence[FakeRecord]]) -> Picture:
        await self._anew(given)
        for record in _told(lives):
            assert set(+await _deliver(given, [record])) == {"handled"}
        return await picture(given, lives)


async def picture(given: Harness, lives: Sequence[Sequence[FakeRecord]]) -> Picture:
    """The service's tables, deadlines and outbox.

    Ids that a handler draws differ between deliveries. The picture therefore leaves out ids that are neither in `lives`
    nor derived, and columns that count by themselves.
    """
    told = {
        found.group() for life in lives for r in life for found in _UUID.finditer((r.value or b"").decode())
    }

    def same_for_all(found: re.Match[str]) -> str:
        return found.group() if found.group() in told or found.group(1) == "5" else "<drawn>"

    def row(values: Any) -> str:
        return _UUID.sub(
            same_for_all, orjson.dumps(values, option=orjson.OPT_SORT_KEYS, default=str).decode()
        )

    found: Picture = {}
    async with given.transactions.pool.acquire() as connection:
        for table in await connection.fetch(_TABLES):
            rows = await connection.fetch(
                f"SELECT to_jsonb(t) - $1::text[] FROM {table['name']} AS t", table["counted"]
            )
            found[table["name"]] = sorted(row(orjson.loads(r[0])) for r in rows)
        outbox = await connection.fetch(
            "SELECT topic, record_key, headers, body FROM chassis.outbox ORDER BY seq"
        )
    events: dict[str, list[str]] = defaultdict(list)
    for line in outbox:
        kind = dict(orjson.loads(line["headers"]))["ce_type"]
        events[row([line["topic"], line["record_key"].decode()])].append(
            row([kind, orjson.loads(line["body"])])
        )
    found["events"] = {
        # keys that were drawn look the same: their events are compared as a set
        key: sorted(listed) if "<drawn>" in key else listed
        for key, listed in events.items()
    }
    return found


async def _deliver(
    given: Harness,
    records: Sequence[FakeRecord],
    transactions: Transactions | None = None,
    poison: FakeRecord | None = None,
) -> Counter[str]:
    """Deliver one batch, in one transaction, to the consumer that reads it."""
    [consumer] = _consumers(given, records[0])
    if poison is not None:
        consumer = _poisoned(consumer, poison)
    dispatcher = Dispatcher(consumer, transactions or given.transactions, ParkLimit(_NO_LIMIT, 1))
    return await dispatcher.process(records)


def _poisoned(consumer: Consumer, poison: FakeRecord) -> Consumer:
    """The consumer, with a bug that shows at one record."""
    event_id = dict(poison.headers)["ce_id"].decode()

    def failing(handler: Handler[Any]) -> Handler[Any]:
        async def fail(batch: Batch[Any], tx: Tx) -> None:
            await handler(batch, tx)  # its writes must be undone
            if any(str(event.id) == event_id for event in batch):
                raise ZeroDivisionError("a bug in a handler")

        return fail

    on_records = consumer.on_records
    if on_records is None:
        lines = [replace(on, handler=failing(on.handler)) for on in consumer.table if isinstance(on, On)]
        return replace(consumer, table=tuple(lines))

    async def fail(batch: Sequence[Record], tx: Tx) -> None:
        await on_records(batch, tx)
        if any(dict(record.headers).get("ce_id") == event_id.encode() for record in batch):
            raise ZeroDivisionError("a bug in a handler")

    return replace(consumer, on_records=fail)


def _consumers(given: Harness, record: FakeRecord) -> list[Consumer]:
    return [consumer for consumer in given.service.consumers if record.topic in consumer.topics]


def _told(lives: Sequence[Sequence[FakeRecord]]) -> list[FakeRecord]:
    return [record for life in lives for record in life]


def _of_first_key(life: Sequence[FakeRecord]) -> list[FakeRecord]:
    return [r for r in life if (r.topic, r.key) == (life[0].topic, life[0].key)]


def _shuffled(lives: Sequence[Sequence[FakeRecord]], rng: random.Random) -> list[FakeRecord]:
    """The lives mixed with each other, each in its own order."""
    queues = [list(life) for life in lives]
    mixed: list[FakeRecord] = []
    while queues := [queue for queue in queues if queue]:
        mixed.append(rng.choice(queues).pop(0))
    return mixed


def _batches(given: Harness, records: Sequence[FakeRecord], size: int) -> Iterator[list[FakeRecord]]:
    """Batches as one poll of one consumer could bring them: each ends where the next record is another consumer's."""
    batch: list[FakeRecord] = []
    for record in records:
        if batch and (len(batch) == size or _consumers(given, record) != _consumers(given, batch[0])):
            yield batch
            batch = []
        batch.append(record)
    if batch:
        yield batch


@dataclass
class _Cut:
    """Ends the connection at one statement: before it is sent, or after it is done but before its answer arrives."""

    left: int = 0
    after: bool = False
    happened: bool = False

    def arm(self, statement: int, *, after: bool) -> None:
        self.left, self.after, self.happened = statement, after, False

    def is_now(self) -> bool:
        self.left -= 1
        self.happened = self.happened or self.left == 0
        return self.left == 0


@asynccontextmanager
async def _fragile(given: Harness) -> AsyncIterator[tuple[Transactions, _Cut]]:
    """Transactions on connections that can be cut, and the cut."""
    cut = _Cut()

    def fragile(run: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def run_unless_cut(self: asyncpg.Connection[Any], *args: Any, **more: Any) -> Any:
            now = cut.is_now()
            if now and not cut.after:
                self.terminate()
            answer = await run(self, *args, **more)
            if now:
                self.terminate()
                raise asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")
            return answer

        return run_unless_cut

    class Fragile(asyncpg.Connection):  # pyright: ignore[reportMissingTypeArgument] # asyncpg's stubs are generic, the class is not
        pass

    for statement in ("execute", "fetch", "fetchrow", "fetchval", "executemany", "copy_records_to_table"):
        setattr(Fragile, statement, fragile(getattr(asyncpg.Connection, statement)))

    pool = await open_pool(given.service.settings.database_url.get_secret_value(), 2, "fragile", Fragile)
    try:
        yield replace(given.transactions, pool=pool), cut
    finally:
        await pool.close()


_TABLES = """
SELECT format('%I.%I', n.nspname, c.relname) AS name,
       coalesce(array_agg(a.attname::text) FILTER (
           WHERE a.attidentity <> '' OR pg_get_expr(d.adbin, d.adrelid) LIKE 'nextval(%'), '{}') AS counted
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef AS d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE c.relkind = 'r' AND (n.nspname = 'public' OR (n.nspname, c.relname) = ('chassis', 'deadline'))
GROUP BY 1
"""
