"""A scan finds a planted value in every place, and however it is written there."""

from __future__ import annotations

import base64
import gzip
import json
import sqlite3
from pathlib import Path
from urllib.parse import quote

import asyncpg
import cramjam
import pytest
from aiohttp import web
from aiokafka import AIOKafkaProducer
from prometheus_client import CollectorRegistry, Counter, generate_latest

from bdcan_local.servers import KafkaBroker, PostgresServer
from bdcan_simulator.borough import Borough
from bdcan_simulator.postcodes import MadeUpPostcodes

from .planted import Planted, values
from .scan import Finder, Trace, in_database, in_files, in_metrics, in_topics

NAME, NUMBER = "Žofqa Brězqvx", "7412345678"
FINDER = Finder([NAME, NUMBER])
DECOMPOSED = "Žofqa Brězqvx"


@pytest.mark.parametrize(
    "written",
    [
        NAME.encode(),
        NAME.upper().encode(),
        DECOMPOSED.encode(),
        json.dumps({"name": NAME}).encode(),
        quote(NAME).encode(),
        base64.b64encode(NAME.encode()),
        base64.b64encode(b"1" + NAME.encode() + b"more"),
        base64.urlsafe_b64encode(b"12" + NAME.encode()),
        NAME.encode().hex().upper().encode(),
        gzip.compress(NAME.encode()),
        bytes(cramjam.zstd.compress(NAME.encode())),
    ],
    ids=["plain", "capitals", "decomposed", "json", "percent", *["base64"] * 3, "hex", "gzip", "zstd"],
)
def test_value_is_found_however_it_is_written(written: bytes) -> None:
    assert list(FINDER.at("here", written)) == [Trace("here", NAME)]
    assert not list(FINDER.at("here", b"Zofqa"))


@pytest.mark.parametrize("begins", [b"\x1f\x8b\x99", gzip.compress(b"x" * 99)[:20], b"\x28\xb5\x2f\xfd\x99"])
def test_bytes_that_only_begin_as_packed_ones_are_read_as_they_are(begins: bytes) -> None:
    assert not list(FINDER.at("a hash", begins))
    assert list(FINDER.at("a hash", begins + NAME.encode()))


@pytest.mark.parametrize(
    ("column", "content"),
    [
        ("a text", NAME),
        ("b jsonb", json.dumps({"phone": f"+44 {NUMBER}"})),
        ("c bytea", f"x{NUMBER}".encode()),
        ("d text[]", ["x", NUMBER]),
    ],
)
async def test_leak_in_a_table_is_found(
    postgres_server: PostgresServer, column: str, content: object
) -> None:
    dsn = await postgres_server.database()
    connection = await asyncpg.connect(dsn)
    await connection.execute(f"CREATE SCHEMA chassis; CREATE TABLE chassis.leak ({column})")
    await connection.execute("INSERT INTO chassis.leak VALUES ($1)", content)
    await connection.close()
    [trace] = await in_database(FINDER, "intake", dsn)
    assert trace.place == f"intake: table chassis.leak.{column[0]}"


async def test_leak_in_the_statistics_of_a_table_is_found(postgres_server: PostgresServer) -> None:
    dsn = await postgres_server.database()
    connection = await asyncpg.connect(dsn)
    await connection.execute("CREATE TABLE leak (name text)")
    await connection.executemany("INSERT INTO leak VALUES ($1)", [(NAME,), (NAME,), ("x",)])
    await connection.execute("ANALYZE leak; DELETE FROM leak")
    await connection.close()
    assert await in_database(FINDER, "intake", dsn) == [
        Trace("intake: statistics of public.leak.name.common", NAME)
    ]


@pytest.mark.parametrize("part", ["key", "body", "header ce_subject"])
async def test_leak_in_a_topic_is_found(kafka_broker: KafkaBroker, part: str) -> None:
    topic = f"leak.{part.replace(' ', '.')}"
    await kafka_broker.create_topics({topic: 2})
    producer = AIOKafkaProducer(**kafka_broker.client_options(), compression_type="zstd")
    await producer.start()
    content = {"key": b"a key", "body": b"a body", "header ce_subject": b"x"} | {part: NAME.encode()}
    await producer.send_and_wait(
        topic, content["body"], key=content["key"], headers=[("ce_subject", content["header ce_subject"])]
    )
    await producer.stop()
    # other tests leave on this broker what no client can read
    found = await in_topics(FINDER, kafka_broker.client_options(), {topic})
    assert found == [Trace(f"topic {topic}: {part}", NAME)]


async def test_leak_in_a_label_of_a_metric_is_found() -> None:
    registry = CollectorRegistry()
    Counter("calls", "Calls.", ["whom"], registry=registry).labels(NAME).inc()

    async def page(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry))

    app = web.Application()
    app.router.add_get("/metrics", page)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        assert await in_metrics(FINDER, {"intake-api": url}) == [Trace("metrics of intake-api", NAME)]
    finally:
        await runner.cleanup()


def test_leak_in_a_file_is_found(tmp_path: Path) -> None:
    logs, raw = tmp_path / "logs", tmp_path / "data" / "postgres"
    for folder in (logs, raw):
        folder.mkdir(parents=True)
    (logs / "intake-api.log").write_text(json.dumps({"event": "http.failed", "path": f"/v1/{NUMBER}"}))
    (logs / "intake-api.log.1.gz").write_bytes(gzip.compress(NAME.encode()))
    (logs / f"{NUMBER}.csv").touch()
    (raw / "16384").write_text(NAME)
    with sqlite3.connect(tmp_path / "data" / "council.sqlite") as database:
        database.execute("CREATE TABLE council_case (person TEXT)")
        database.execute("INSERT INTO council_case VALUES (?)", ["x" * 6000 + NAME])
    database.close()
    assert {trace.place for trace in in_files(FINDER, tmp_path, [raw])} == {
        "file logs/intake-api.log",
        "file logs/intake-api.log.1.gz",
        f"file logs/{NUMBER}.csv: name",
        "file data/council.sqlite",
        "file data/council.sqlite: table council_case",
    }


def test_planted_residents_have_values_that_nobody_else_has() -> None:
    borough = Planted(8, MadeUpPostcodes(), frozenset(range(20)))
    planted = [value for number in range(20) for value in values(borough.resident(number))]
    assert len(planted) == len(set(planted)) == 20 * 64
    assert all(len(value) >= 10 for value in planted)
    others = Finder(planted)
    for number in range(20, 400):
        assert borough.resident(number) == Borough(8, MadeUpPostcodes()).resident(number)
        assert not others.among(str(borough.resident(number)).encode())
