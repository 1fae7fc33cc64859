"""Each example of a reader keeps what our events say: once, in whatever order, and from where it stopped."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer

from bdcan_contracts.catalogue import ASSIGNMENTS, CATALOGUE
from bdcan_contracts.envelope import encode_headers
from bdcan_contracts.models import ReferralAssigned, ReferralReassigned
from bdcan_local.kafka import ADMIN, client_options
from bdcan_local.processes import System

UV = str(Path(sys.executable).with_name("uv"))
CONTRACTS = Path(__file__).parents[2] / "schemas"
RUN = {
    "faust": (".venv/bin/python", "assignments.py", "worker", "-l", "info"),
    "faststream": (".venv/bin/faststream", "run", "assignments:app"),
}
SECONDS = 90


@pytest.fixture(params=RUN)
def framework(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def reader(onboard: Callable[..., dict[str, Any]], framework: str) -> Mapping[str, str]:
    """What a system that reads is given, as the environment of its program."""
    kafka = onboard("consumer", "add", f"hubs-by-{framework}", "--topic", ASSIGNMENTS.name)["kafka"]
    return {
        "BDCAN_BOOTSTRAP": kafka["bootstrap servers"],
        "BDCAN_PROTOCOL": kafka["security protocol"],
        "BDCAN_USER": kafka["user"],
        "BDCAN_PASSWORD_FILE": kafka["password"]["file"],
        "BDCAN_GROUP": kafka["consumer group"].removeprefix("any that begins with ") + "hubs",
        "BDCAN_TOPIC": ASSIGNMENTS.name,
    }


@pytest.fixture
async def tell(system: System) -> AsyncIterator[Callable[..., Any]]:
    """Write an event as routing does, whose id begins with a name; further arguments change the record."""
    admin = client_options(system.kafka.bootstrap, ADMIN, system.kafka.password)
    async with AIOKafkaProducer(**admin, compression_type="zstd") as producer:

        async def told(name: str, said: ReferralAssigned | ReferralReassigned, **changed: bytes) -> None:
            kind, subject = CATALOGUE.of(type(said)), str(said.referral_id)
            headers = encode_headers(kind, uuid4(), "bdcan.routing", subject, datetime.now(UTC), None)
            changed["ce_id"] = f"{name} {subject}".encode()
            headers = [(header, changed.get(header, value)) for header, value in headers]
            body = changed.get("body", said.model_dump_json(exclude_none=True).encode())
            await producer.send_and_wait(ASSIGNMENTS.name, body, key=subject.encode(), headers=headers)

        yield told


@pytest.mark.timeout(600)
async def test_reader_keeps_each_event_once_and_goes_on_where_it_stopped(
    framework: str,
    reader: Mapping[str, str],
    tell: Callable[..., Any],
    built: Callable[..., Path],
    by_tls: Mapping[str, str],
    tmp_path: Path,
) -> None:
    place = built(f"consuming/{framework}", (UV, "sync", "--frozen", "--quiet"), (CONTRACTS / "python",))
    database = tmp_path / "assignments.sqlite"
    environment = {**os.environ, **reader, "BDCAN_DATABASE": str(database)}
    first, second = (example(ReferralAssigned, hub_id="hub-1") for _ in range(2))
    await tell("unreadable", first, body=b"{}")
    await tell("unknown", first, ce_type=b"bdcan.routing.referral.foretold.v1")
    for _ in range(2):
        await tell("twice", first)
    await tell("second", second)

    async with running(place, RUN[framework], environment) as process:
        await kept(database, process, {str(first.referral_id): "hub-1", str(second.referral_id): "hub-1"})

    moved = example(ReferralReassigned, referral_id=first.referral_id, version=2, hub_id="hub-2")
    await tell("moved", moved)
    await tell("late", example(ReferralAssigned, referral_id=first.referral_id, hub_id="hub-1"))
    last = example(ReferralAssigned, referral_id=first.referral_id, version=3, hub_id="hub-3")
    async with running(place, RUN[framework], {**environment, **by_tls}) as process:
        await tell("last", last)
        await kept(database, process, {str(first.referral_id): "hub-3", str(second.referral_id): "hub-1"})
    seen = {name for (name,) in fetch(database, "SELECT id FROM seen")}
    assert {"twice", "moved", "late", "last"} <= {name.partition(" ")[0] for name in seen}
    assert not [name for name in seen if name.startswith(("unreadable", "unknown"))]


def example(model: type[Any], **changed: object) -> Any:
    kind = CATALOGUE.of(model).type
    body = json.loads((CONTRACTS / "examples" / kind / "full.json").read_text())
    said = {**body, "referral_id": str(uuid4()), "version": 1, **changed}
    return model.model_validate_json(json.dumps(said, default=str))


@asynccontextmanager
async def running(
    place: Path, command: tuple[str, ...], environment: Mapping[str, str]
) -> AsyncIterator[asyncio.subprocess.Process]:
    """The reader, which ends by itself when it is asked to."""
    process = await asyncio.create_subprocess_exec(*command, cwd=place, env=environment)
    try:
        yield process
        process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(process.wait(), SECONDS)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def kept(database: Path, process: asyncio.subprocess.Process, wanted: Mapping[str, str]) -> None:
    """Wait until the reader has kept this; the topic has events of other tests, too."""
    end = time.monotonic() + SECONDS
    while not wanted.items() <= (found := dict(fetch(database, _KEPT))).items():
        assert process.returncode is None, "the reader ended"
        assert time.monotonic() < end, found
        await asyncio.sleep(0.1)


def fetch(database: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(database)) as connection:
        try:
            return connection.execute(query).fetchall()
        except sqlite3.OperationalError:
            return []  # the reader has not made its tables


_KEPT = "SELECT referral_id, hub_id FROM assignment"
