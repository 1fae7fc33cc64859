"""Structs become rows and rows become structs, and a column is named once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from uuid import UUID

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace
from pydantic import BaseModel

from bdcan_chassis.ids import new_id
from bdcan_chassis.table import LostUpdateError, Query, Statement, Table, Unique
from bdcan_chassis.testing.harness import START, Harness


class Mood(StrEnum):
    GLAD = "glad"
    SAD = "sad"


class Home(BaseModel):
    adults: int
    children: int = 0


class Part(Struct, frozen=True):
    name: str
    weight: int | None = None


class Thing(Struct, frozen=True, rename={"thing_id": "id"}):
    thing_id: UUID
    owner: str
    mood: Mood
    count: int = 0
    tags: tuple[str, ...] = ()
    gone: frozenset[UUID] = frozenset()
    parts: tuple[Part, ...] = ()
    home: Home | None = None
    born: date | None = None
    due_at: datetime | None = None
    ready: bool = False

    @property
    def part_names(self) -> tuple[str, ...]:
        return tuple(part.name for part in self.parts)


THING = Table("thing", Thing, key="thing_id", derived=("part_names",))

SQL = """
DROP TABLE IF EXISTS thing;
CREATE TABLE thing (
    id uuid PRIMARY KEY, owner text NOT NULL DEFAULT 'nobody', mood text NOT NULL DEFAULT 'glad',
    count bigint NOT NULL DEFAULT 0, tags text[] NOT NULL DEFAULT '{}', gone uuid[] NOT NULL DEFAULT '{}',
    parts jsonb NOT NULL DEFAULT '[]', home jsonb, born date, due_at timestamptz, ready boolean NOT NULL DEFAULT false,
    part_names text[], changed_at timestamptz, added_by_a_later_release text NOT NULL DEFAULT 'x'
)
"""

texts = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=20)
things = st.builds(
    Thing,
    thing_id=st.uuids(),
    owner=texts,
    mood=st.sampled_from(Mood),
    count=st.integers(-(2**53), 2**53),
    tags=st.lists(texts, max_size=3).map(tuple),
    gone=st.frozensets(st.uuids(), max_size=3),
    parts=st.lists(st.builds(Part, name=texts, weight=st.none() | st.integers(0, 9)), max_size=3).map(tuple),
    home=st.none() | st.builds(Home, adults=st.integers(0, 9), children=st.integers(0, 9)),
    born=st.none() | st.dates(date(1890, 1, 1), date(2020, 1, 1)),
    due_at=st.none()
    | st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1)).map(lambda at: at.replace(tzinfo=UTC)),  # noqa: DTZ001
    ready=st.booleans(),
)


@pytest.fixture
async def connection(ledger: Harness) -> AsyncIterator[asyncpg.pool.PoolConnectionProxy[asyncpg.Record]]:
    async with ledger.owner.acquire() as connection, connection.transaction():
        await connection.execute(SQL)
        yield connection


def a_thing(owner: str = "somebody", **more: object) -> Thing:
    return replace(Thing(new_id(), owner, Mood.GLAD), **more)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(things, max_size=4, unique_by=lambda t: t.thing_id))
async def test_rows_come_back_as_they_went_in(connection, rows: list[Thing]) -> None:
    await connection.execute("TRUNCATE thing")
    await THING.insert(connection, rows, START)
    found = await THING.get.all(connection, keys=[row.thing_id for row in rows])
    assert {row.thing_id: row for row in found} == {row.thing_id: row for row in rows}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(things, things), min_size=1, max_size=4, unique_by=lambda pair: pair[0].thing_id))
async def test_update_leaves_the_row_as_it_is_after_the_change(connection, pairs) -> None:
    await connection.execute("TRUNCATE thing")
    before = [was for was, _ in pairs]
    after = [replace(now, thing_id=was.thing_id) for was, now in pairs]
    await THING.insert(connection, before, START)
    await THING.update(connection, list(zip(before, after, strict=True)), START)
    found = await THING.get.all(connection, keys=[row.thing_id for row in after])
    assert {row.thing_id: row for row in found} == {row.thing_id: row for row in after}


async def test_update_sends_only_columns_that_changed(connection) -> None:
    mine = a_thing("me")
    await THING.insert(connection, [mine], START)
    await connection.execute("UPDATE thing SET owner = 'another release'")
    later = START + timedelta(hours=1)
    await THING.update(connection, [(mine, replace(mine, count=7))], later)
    row = await connection.fetchrow("SELECT owner, count, changed_at FROM thing")
    assert tuple(row) == ("another release", 7, later)


async def test_update_writes_derived_columns(connection) -> None:
    mine = a_thing(parts=(Part("wheel"),))
    await THING.insert(connection, [mine], START)
    await THING.update(connection, [(mine, replace(mine, parts=(Part("bell"),)))], START)
    assert await connection.fetchval("SELECT part_names FROM thing") == ["bell"]


async def test_update_without_a_change_stamps_the_row(connection) -> None:
    mine = a_thing()
    await THING.insert(connection, [mine], START)
    later = START + timedelta(hours=1)
    await THING.update(connection, [(mine, mine)], later)
    assert await connection.fetchval("SELECT changed_at FROM thing") == later


async def test_insert_of_a_known_row_is_a_lost_update(connection) -> None:
    mine = a_thing()
    await THING.insert(connection, [mine], START)
    with pytest.raises(LostUpdateError):
        await THING.insert(connection, [mine], START)


async def test_insert_missing_leaves_known_rows_alone(connection) -> None:
    mine, other = a_thing("me"), a_thing("other")
    await THING.insert(connection, [mine], START)
    written = await THING.insert_missing(connection, [replace(mine, owner="thief"), other], START)
    assert written == {other.thing_id}
    assert (await THING.get.first(connection, keys=[mine.thing_id])) == mine


async def test_ensured_row_has_the_defaults_of_its_table(connection) -> None:
    known, fresh = a_thing("me"), new_id()
    await THING.insert(connection, [known], START)
    await THING.ensure(connection, [fresh, known.thing_id])
    rows = await THING.lock.all(connection, keys=[fresh, known.thing_id])
    assert {row.thing_id: row.owner for row in rows} == {fresh: "nobody", known.thing_id: "me"}


async def test_query_reads_columns_by_name_also_behind_an_alias(connection) -> None:
    mine = a_thing("me", tags=("a",))
    await THING.insert(connection, [mine], START)
    found = await THING.query(
        "SELECT {t.columns} FROM thing AS t WHERE t.owner = :owner AND t.due_at IS NULL AND :since::timestamptz < now()"
    ).all(connection, owner="me", since=START)
    assert found == [mine]


async def test_query_takes_sets_and_generators_as_arrays(connection) -> None:
    rows = [a_thing(), a_thing()]
    await THING.insert(connection, rows, START)
    keys = {row.thing_id for row in rows}
    assert len(await THING.get.all(connection, keys=keys)) == 2
    assert len(await THING.get.all(connection, keys=(key for key in keys))) == 2


class Counted(Struct, frozen=True):
    mood: Mood
    number: int


async def test_query_of_a_view_reads_its_own_struct(connection) -> None:
    await THING.insert(connection, [a_thing(), a_thing()], START)
    counts = Query("SELECT mood, count(*) AS number FROM thing GROUP BY mood", Counted)
    assert await counts.all(connection) == [Counted(Mood.GLAD, 2)]
    assert await counts.first(connection) == Counted(Mood.GLAD, 2)


@pytest.mark.parametrize("arguments", [{}, {"owner": "me", "more": 1}, {"name": "me"}])
async def test_statement_refuses_other_arguments_than_its_parameters(connection, arguments) -> None:
    with pytest.raises((TypeError, KeyError)):
        await Statement("SELECT :owner::text").value(connection, **arguments)


async def test_text_with_nul_is_refused_and_not_cut(connection) -> None:
    with pytest.raises(asyncpg.UntranslatableCharacterError):
        await THING.insert(connection, [a_thing("nul\0nul")], START)


class Team(Struct, frozen=True):
    name: str
    members: tuple[str, ...] = ()
    size: int = 0


async def test_joined_field_is_read_from_its_own_table_and_never_written(connection) -> None:
    members = "(SELECT array_agg(m.name ORDER BY m.name) FROM member AS m WHERE m.team = team.name)"
    table = Table("team", Team, key="name", joined={"members": members})
    await connection.execute(
        """
        CREATE TABLE team (name text PRIMARY KEY, size int, changed_at timestamptz);
        CREATE TABLE member (team text, name text);
        INSERT INTO member VALUES ('red', 'ann'), ('blue', 'bob'), ('red', 'abe')
        """
    )
    red = Team("red", ("abe", "ann"))
    await table.insert(connection, [red], START)
    await table.update(connection, [(red, replace(red, members=(), size=2))], START)
    found = await table.query("SELECT {columns} FROM team WHERE size = :size").all(connection, size=2)
    assert found == await table.lock.all(connection, keys=["red"]) == [replace(red, size=2)]


class Entry(Struct, frozen=True):
    owner: str
    count: int


async def test_rows_of_a_ledger_keep_their_order(connection) -> None:
    await connection.execute("CREATE TABLE entry (place serial, owner text, count int, at timestamptz)")
    entries = [Entry("b", 2), Entry("a", 1), Entry("a", 1)]
    await Table("entry", Entry, key=(), stamp="at").insert(connection, entries, START)
    found = await Query("SELECT {columns} FROM entry WHERE at = :at ORDER BY place", Entry).all(
        connection, at=START
    )
    assert found == entries


async def test_update_finds_its_rows_by_the_key(connection) -> None:
    await connection.execute("INSERT INTO thing (id) SELECT gen_random_uuid() FROM generate_series(1, 20000)")
    await connection.execute("ANALYZE thing")
    sql = THING._statement(("count",))
    keys = [new_id() for _ in range(500)]
    rows = await connection.fetch(f"EXPLAIN {sql}", "[]", keys, START)
    plan = "\n".join(row[0] for row in rows)
    assert "thing_pkey" in plan
    assert "Seq Scan" not in plan


class Wheel(Struct, frozen=True):
    bicycle_id: UUID
    place: str
    spokes: int
    seen_at: datetime


class Bicycle(Struct, frozen=True, rename={"bicycle_id": "id"}):
    bicycle_id: UUID
    frame_number: bytes
    wheels: tuple[Wheel, ...] = ()


WHEEL = Table("wheel", Wheel, key=("bicycle_id", "place"), stamp="seen_at")
BICYCLE = Table("bicycle", Bicycle, key="bicycle_id", stamp=None, parts={"wheels": WHEEL})


@pytest.fixture
async def bicycles(connection) -> asyncpg.pool.PoolConnectionProxy[asyncpg.Record]:
    await connection.execute(
        """
        DROP TABLE IF EXISTS bicycle, wheel;
        CREATE TABLE bicycle (id uuid PRIMARY KEY, frame_number bytea UNIQUE);
        CREATE TABLE wheel (bicycle_id uuid, place text, spokes int, seen_at timestamptz, PRIMARY KEY (bicycle_id, place))
        """
    )
    return connection


def a_bicycle(frame_number: bytes = b"\x00\xff") -> Bicycle:
    bicycle_id = new_id()
    wheels = tuple(Wheel(bicycle_id, place, 36, START) for place in ("front", "rear"))
    return Bicycle(bicycle_id, frame_number, wheels)


async def test_parts_are_written_and_read_with_their_row(bicycles) -> None:
    mine, bare = a_bicycle(), Bicycle(new_id(), b"")
    await BICYCLE.insert(bicycles, [mine, bare], START)
    found = await BICYCLE.find(bicycles, [mine.bicycle_id, bare.bicycle_id])
    assert {one.bicycle_id: one for one in found} == {mine.bicycle_id: mine, bare.bicycle_id: bare}


async def test_update_writes_only_parts_that_are_new_or_changed(bicycles) -> None:
    mine = a_bicycle()
    front, rear = mine.wheels
    await BICYCLE.insert(bicycles, [mine], START)
    await bicycles.execute("UPDATE wheel SET spokes = 1 WHERE place = 'rear'")
    spare = Wheel(mine.bicycle_id, "spare", 28, START)
    after = replace(mine, wheels=(replace(front, spokes=32), rear, spare))
    await BICYCLE.update(bicycles, [(mine, after)], START)
    [found] = await BICYCLE.find(bicycles, [mine.bicycle_id])
    assert {wheel.place: wheel.spokes for wheel in found.wheels} == {"front": 32, "rear": 1, "spare": 28}


async def test_insert_missing_writes_no_parts_of_a_known_row(bicycles) -> None:
    mine, thief = a_bicycle(), a_bicycle()
    await BICYCLE.insert(bicycles, [mine], START)
    assert await BICYCLE.insert_missing(bicycles, [thief], START, Unique("frame_number")) == set()
    assert await WHEEL.of_owners.all(bicycles, keys=[thief.bicycle_id]) == []


async def test_parts_are_found_by_index_in_a_table_never_analysed(bicycles) -> None:
    await BICYCLE.insert(bicycles, [a_bicycle(bytes([n % 256, n // 256])) for n in range(3000)], START)
    plan = await WHEEL.of_owners.plan(bicycles, keys=[new_id() for _ in range(500)])
    assert "Seq Scan" not in plan


@pytest.mark.parametrize("number", [b"", b"\x00", b"\\x00", bytes(range(256))])
async def test_bytes_come_back_as_they_went_in(bicycles, number: bytes) -> None:
    mine = Bicycle(new_id(), number)
    await BICYCLE.insert(bicycles, [mine], START)
    assert (await BICYCLE.get.first(bicycles, keys=[mine.bicycle_id])) == mine
