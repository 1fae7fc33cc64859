"""Routing's processes against a real broker, as a runner starts them."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from pydantic import BaseModel

from bdcan_chassis.ids import new_id
from bdcan_contracts.catalogue import CATALOGUE
from bdcan_contracts.envelope import decode, encode_body, encode_headers, source_of
from bdcan_local.servers import KafkaBroker


class Process:
    """One `python -m bdcan_routing VERB`."""

    def __init__(self, verb: str, process: asyncio.subprocess.Process, port: int, log: Path) -> None:
        self.verb = verb
        self.process = process
        self.ops = f"http://127.0.0.1:{port}"
        self.log = log

    async def ready(self) -> bool:
        """Whether it says that it can do its work."""
        assert self.process.returncode is None, said(self.log)
        try:
            async with httpx.AsyncClient() as client:
                return (await client.get(f"{self.ops}/readyz")).status_code == 200
        except httpx.TransportError:
            return False

    async def kill(self) -> None:
        """As the machine would: no goodbye."""
        self.process.kill()
        await self.process.wait()


def environment(dsn: str, broker: KafkaBroker, password: str, keys: Path, data: Path) -> dict[str, str]:
    """What a runner would give routing's processes."""
    return {
        "PATH": os.environ["PATH"],
        "BDCAN_DATABASE_URL": dsn,
        "BDCAN_KAFKA_BOOTSTRAP": broker.bootstrap,
        "BDCAN_KAFKA_USERNAME": "bdcan-routing",
        "BDCAN_KAFKA_PASSWORD": password,
        "BDCAN_JWKS": str(keys),
        "BDCAN_OIDC_ISSUER": "https://issuer.example.org",
        "BDCAN_DATA_DIR": str(data),
        "BDCAN_LOG_LEVEL": "INFO",
    }


def said(log: Path) -> str:
    """The end of a process's log."""
    return log.read_text()[-3000:]


async def run(env: Mapping[str, str], *arguments: str) -> tuple[int, str]:
    """Run one verb to its end: exit code, and what it printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bdcan_routing",
        *arguments,
        env=dict(env),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 120)
    return process.returncode or 0, output.decode()


@asynccontextmanager
async def running(env: Mapping[str, str], verb: str, log: Path) -> AsyncIterator[Process]:
    """A process of its own, ready; ended by SIGTERM, which it must obey."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with log.open("ab") as out:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "bdcan_routing",
            verb,
            env=dict(env) | {"BDCAN_OPS_PORT": str(port)},
            stdout=out,
            stderr=out,
        )
    given = Process(verb, process, port, log)
    try:
        await until(given.ready, 60)
        yield given
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(process.wait(), 40) == 0, said(log)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def until(condition: Callable[[], Awaitable[bool]], seconds: float) -> None:
    """Wait for a condition; AssertionError when it has not come after that many seconds."""
    end = time.monotonic() + seconds
    while not await condition():
        assert time.monotonic() < end, "the condition did not come"
        await asyncio.sleep(0.1)


async def caught_up(broker: KafkaBroker, group: str, *topics: str) -> bool:
    """Whether the group has committed everything that is on the topics."""
    admin = AIOKafkaAdminClient(**broker.client_options())
    consumer = AIOKafkaConsumer(*topics, **broker.client_options())
    await admin.start()
    await consumer.start()
    try:
        committed = await admin.list_consumer_group_offsets(group)
        partitions = [TopicPartition(t, p) for t in topics for p in consumer.partitions_for_topic(t) or ()]
        ends = await consumer.end_offsets(partitions)
        return all(tp in committed and committed[tp].offset >= end for tp, end in ends.items() if end)
    finally:
        await consumer.stop()
        await admin.close()


async def write(broker: KafkaBroker, topic: str, events: list[BaseModel]) -> None:
    """Write events as their owner would."""
    producer = AIOKafkaProducer(**broker.client_options())
    await producer.start()
    try:
        for event in events:
            event_type = CATALOGUE.of(type(event))
            subject = event_type.subject_of(event)
            headers = encode_headers(
                event_type, new_id(), source_of(event_type.owner), subject, event_time(event), None
            )
            await producer.send(topic, encode_body(event), key=subject.encode(), headers=headers)
        await producer.flush()
    finally:
        await producer.stop()


def event_time(event: BaseModel) -> datetime:
    """The first time that stands in an event."""
    return next(value for name, value in event if name.endswith("_at"))


@asynccontextmanager
async def reading(broker: KafkaBroker, *topics: str) -> AsyncIterator[list[Any]]:
    """What arrives on the topics, as a list that grows."""
    consumer = AIOKafkaConsumer(*topics, auto_offset_reset="earliest", **broker.client_options())
    await consumer.start()
    found: list[Any] = []

    async def read() -> None:
        async for record in consumer:
            event = decode(CATALOGUE, record.topic, record.key, record.headers, record.value)
            found.append(event.data)

    task = asyncio.create_task(read())
    try:
        yield found
    finally:
        task.cancel()
        await asyncio.wait([task])
        await consumer.stop()
