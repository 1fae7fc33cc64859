"""Looks for values in all that a system leaves behind: tables, topics, metrics, logs and every other file.

A value is found in any case, with its accents composed or not, as JSON and URLs escape it, in base64 and in hex, and in what gzip
or zstd has packed. The raw files of PostgreSQL and Kafka are left out: docs/privacy.md says how long they keep what was deleted.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import re
import sqlite3
import unicodedata
import zlib
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, quote_plus

import aiohttp
import asyncpg
import cramjam
from ahocorasick_rs import BytesAhoCorasick
from aiokafka import AIOKafkaConsumer, TopicPartition

from bdcan_contracts.catalogue import INBOUND_RECEIPTS, INBOUND_REFERRALS
from bdcan_local.cluster import Cluster
from bdcan_local.kafka import ADMIN, client_options
from bdcan_local.processes import SERVICES, System, own_name

_LEAST_ENCODED = 8
"""A shorter piece of base64 could be there by chance."""

_GZIP, _ZSTD, _SQLITE = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"SQLite format 3\x00"

_TABLES = """
SELECT c.oid::regclass::text FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1
"""

_STATISTICS = """
SELECT format('%s.%s.%s', schemaname, tablename, attname) AS of, most_common_vals::text AS common,
    histogram_bounds::text AS bounds, most_common_elems::text AS elements
FROM pg_stats WHERE schemaname NOT IN ('pg_catalog', 'information_schema')
"""


class Trace(NamedTuple):
    """A value, and where it was found."""

    place: str
    value: str


REMAINS = {
    f"topic {INBOUND_REFERRALS.name}": re.compile(".*"),
    f"topic {INBOUND_RECEIPTS.name}": re.compile(r"r[0-9a-f]+-\d{6}"),
}
"""What docs/privacy.md says remains: all that an upstream system published, and of receipts the reference. Kafka deletes it in time."""


def remains(trace: Trace) -> bool:
    """Whether docs/privacy.md says that this remains."""
    values = REMAINS.get(trace.place.partition(":")[0])
    return values is not None and values.fullmatch(trace.value) is not None


class Finder:
    """Finds any of many values in one reading."""

    def __init__(self, values: Iterable[str]) -> None:
        forms = {form: value for value in values for form in _forms(value)}
        self._values = list(forms.values())
        self._automaton = BytesAhoCorasick(list(forms))

    def among(self, content: bytes) -> set[str]:
        """Those of the values that the content holds."""
        matches = self._automaton.find_matches_as_indexes(content.lower(), overlapping=True)
        return {self._values[number] for number, _, _ in matches}

    def at(self, place: str, content: Any) -> Iterator[Trace]:
        """The traces in the content of a place: bytes, packed or not, or anything that has a text."""
        return (Trace(place, value) for value in sorted(self.among(_bytes(content))))


async def in_system(values: Iterable[str], system: System) -> list[Trace]:
    """All traces in a running system."""
    finder, root = Finder(values), system.data.parent
    found: list[Trace] = []
    for service in SERVICES:
        found += await in_database(finder, service, system.postgres.dsn(database=own_name(service)))
    found += await in_topics(finder, client_options(system.kafka.bootstrap, ADMIN, system.kafka.password))
    processes = [
        *(f"{service}-{kind}" for service in SERVICES for kind in ("api", "worker")),
        "routing-pulse",
    ]
    found += await in_metrics(finder, {name: system.url(name) for name in processes})
    raw = (system.postgres.data, system.kafka.directory / "data")
    return found + await asyncio.to_thread(in_files, finder, root, raw)


async def in_database(finder: Finder, name: str, dsn: str) -> list[Trace]:
    """What every table of a database holds, and PostgreSQL's statistics of them."""
    found: list[Trace] = []
    connection = await asyncpg.connect(dsn, timeout=30)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            for (table,) in await connection.fetch(_TABLES):
                async for row in connection.cursor(
                    f"SELECT * FROM {table}", prefetch=2000
                ):  # a name of the catalogue
                    found += _in_row(finder, f"{name}: table {table}", row)
            for row in await connection.fetch(_STATISTICS):
                found += _in_row(finder, f"{name}: statistics of {row['of']}", row)
    finally:
        await connection.close()
    return found


def _in_row(finder: Finder, place: str, row: asyncpg.Record) -> Iterator[Trace]:
    if finder.among(b"\n".join(map(_bytes, row.values()))):
        for column, content in row.items():
            yield from finder.at(f"{place}.{column}", content)


async def in_topics(
    finder: Finder, client: Mapping[str, Any], only: Collection[str] | None = None
) -> list[Trace]:
    """What every record of every topic holds, or of some only.

    `client`: the arguments that aiokafka needs to connect as an administrator.
    """
    return [
        trace
        async for record in _records(client, only)
        for part, content in (("key", record.key), ("body", record.value), *_headers(record))
        if content is not None
        for trace in finder.at(f"topic {record.topic}: {part}", content)
    ]


def _headers(record: Any) -> Iterator[tuple[str, bytes]]:
    for name, content in record.headers:
        yield f"header {name}", name.encode() + b"=" + (content or b"")


async def _records(client: Mapping[str, Any], only: Collection[str] | None) -> AsyncIterator[Any]:
    places = [
        place for place in await asyncio.to_thread(_places, client) if only is None or place.topic in only
    ]
    consumer = AIOKafkaConsumer(**client, enable_auto_commit=False, fetch_max_wait_ms=100)
    await consumer.start()
    try:
        consumer.assign(places)
        await consumer.seek_to_beginning(*places)
        ends = await consumer.end_offsets(places)
        while any([await consumer.position(place) < ends[place] for place in places]):
            for batch in (await consumer.getmany(timeout_ms=500, max_records=5000)).values():
                for record in batch:
                    yield record
    finally:
        await consumer.stop()


def _places(client: Mapping[str, Any]) -> list[TopicPartition]:
    with Cluster(client) as cluster:
        topics = cluster.partitions()
    return [TopicPartition(topic, number) for topic in sorted(topics) for number in range(topics[topic])]


async def in_metrics(finder: Finder, urls: Mapping[str, str]) -> list[Trace]:
    """What the page of metrics of each process shows. `urls`: by the name of the process."""
    found: list[Trace] = []
    async with aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=30), raise_for_status=True
    ) as session:
        for name, url in urls.items():
            async with session.get(f"{url}/metrics") as answer:
                found += finder.at(f"metrics of {name}", await answer.read())
    return found


def in_files(finder: Finder, directory: Path, but: Iterable[Path] = ()) -> list[Trace]:
    """What every file under a directory holds, its name included; not those under `but`."""
    left_out = tuple(but)
    found: list[Trace] = []
    for path in sorted(directory.rglob("*")):
        if path.is_file() and not any(path.is_relative_to(one) for one in left_out):
            place = f"file {path.relative_to(directory)}"
            content = path.read_bytes()
            found += finder.at(f"{place}: name", path.name)
            found += finder.at(place, content)
            if content.startswith(_SQLITE):
                found += _in_sqlite(finder, place, path)
    return found


def _in_sqlite(finder: Finder, place: str, path: Path) -> Iterator[Trace]:
    """A long value is in pieces in the file itself."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            for row in database.execute(f'SELECT * FROM "{table}"'):  # a name of the catalogue
                for content in row:
                    yield from finder.at(f"{place}: table {table}", content)


def _bytes(content: Any) -> bytes:
    """What it says: as it is, and unpacked behind it. One hash in 65,000 begins as gzip does and is none."""
    raw = content if isinstance(content, bytes) else str(content).encode()
    try:
        if raw.startswith(_GZIP):
            return raw + gzip.decompress(raw)
        if raw.startswith(_ZSTD):
            return raw + bytes(cramjam.zstd.decompress(raw))
    except (gzip.BadGzipFile, zlib.error, EOFError, cramjam.DecompressionError):
        return raw
    return raw


def _forms(value: str) -> set[bytes]:
    """The value as it may be written, in small letters."""
    spelt = {unicodedata.normalize(form, value) for form in ("NFC", "NFD")}
    spelt |= {case(text) for text in spelt for case in (str.lower, str.upper)}
    texts = {
        written
        for text in spelt
        for written in (text, json.dumps(text)[1:-1], quote(text, safe=""), quote_plus(text))
    }
    raw = {text.encode() for text in spelt}
    return {
        *(text.encode().lower() for text in texts),
        *(one.hex().encode() for one in raw),
        *(form.lower() for one in raw for form in _in_base64(one)),
    }


def _in_base64(raw: bytes) -> Iterator[bytes]:
    """What is the same of the value in base64, whatever stands before and behind it."""
    for before in range(3):
        first, last = -(-before * 8 // 6), (before + len(raw)) * 8 // 6
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            form = encode(bytes(before) + raw)[first:last]
            if len(form) >= _LEAST_ENCODED:
                yield form
