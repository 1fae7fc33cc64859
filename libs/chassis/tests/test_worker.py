"""A worker as a real process on real Kafka and Postgres: consume, relay, stop, die, freeze."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from ledger import SQL, Added, ledger_catalogue

from bdcan_chassis.ids import new_id
from bdcan_chassis.migrate import migrate
from bdcan_contracts.envelope import Catalogue, decode, encode_body, encode_headers

HERE = Path(__file__).parent


async def eventually(check: Callable[[], Any], seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while True:
            try:
                if await check():
                    return
            except (OSError, httpx.HTTPError, asyncpg.PostgresError, asyncpg.InterfaceError):
                pass
            await asyncio.sleep(0.05)


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@dataclass
class Stage:
    """Kafka, a database and workers on them."""

    broker: Any
    dsn: str
    tag: str
    catalogue: Catalogue
    pool: asyncpg.Pool
    workers: list[asyncio.subprocess.Process] = field(default_factory=list)

    async def worker(self, **env: str) -> tuple[asyncio.subprocess.Process, str]:
        port = free_port()
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(HERE / "ledger_process.py"),
            "worker",
            env=os.environ
            | {
                "BDCAN_DATABASE_URL": self.dsn,
                "BDCAN_KAFKA_BOOTSTRAP": self.broker.bootstrap,
                "BDCAN_KAFKA_USERNAME": self.broker.username,
                "BDCAN_KAFKA_PASSWORD": self.broker.password,
                "BDCAN_JWKS": "unused",
                "BDCAN_OIDC_ISSUER": "unused",
                "BDCAN_OPS_PORT": str(port),
                "BDCAN_BATCH_RECORDS": "50",
                "BDCAN_KAFKA_SESSION": "PT6S",
                "LEDGER_TAG": self.tag,
            }
            | env,
            stdout=asyncio.subprocess.DEVNULL,
        )
        self.workers.append(process)
        return process, f"http://127.0.0.1:{port}"

    def client(self, kind: Any, *topics: str, **options: Any) -> Any:
        return kind(
            *topics,
            bootstrap_servers=self.broker.bootstrap,
            security_protocol="SASL_PLAINTEXT",
            sasl_mechanism="SCRAM-SHA-512",
            sasl_plain_username=self.broker.username,
            sasl_plain_password=self.broker.password,
            **options,
        )

    async def send(self, accounts: Sequence[UUID], numbers: Sequence[int]) -> None:
        producer: AIOKafkaProducer = self.client(AIOKafkaProducer, acks="all", enable_idempotence=True)
        await producer.start()
        try:
            event_type = self.catalogue.of(Added)
            from datetime import UTC, datetime

            for number in numbers:
                for account in accounts:
                    data = Added(account_id=account, number=number)
                    headers = encode_headers(
                        event_type, new_id(), "bdcan.feeder", str(account), datetime.now(UTC), None
                    )
                    await producer.send(
                        event_type.topics[0].name,
                        encode_body(data),
                        key=str(account).encode(),
                        headers=headers,
                    )
            await producer.flush()
        finally:
            await producer.stop()

    async def written(self) -> dict[UUID, list[int]]:
        rows = await self.pool.fetch("SELECT id, numbers FROM account")
        return {r["id"]: list(r["numbers"]) for r in rows}

    async def entries(self, expected: int) -> dict[UUID, list[int]]:
        """What reached the outgoing topic, de-duplicated by event id as a consumer would."""
        topic = self.catalogue.topics[1].name
        consumer: AIOKafkaConsumer = self.client(AIOKafkaConsumer, topic, auto_offset_reset="earliest")
        await consumer.start()
        seen: set[UUID] = set()
        listed: dict[UUID, list[int]] = {}
        try:
            async with asyncio.timeout(60):
                while len(seen) < expected:
                    for batch in (await consumer.getmany(timeout_ms=500)).values():
                        for r in batch:
                            event = decode(self.catalogue, r.topic, r.key, r.headers, r.value)
                            if event.key not in seen:
                                seen.add(event.key)
                                listed.setdefault(event.data.account_id, []).append(event.data.number)
        finally:
            await consumer.stop()
        return listed


@pytest.fixture
async def stage(postgres_server, kafka_broker) -> AsyncIterator[Stage]:
    dsn = await postgres_server.database()
    await migrate(dsn, ["bdcan_chassis"])
    tag = secrets.token_hex(4)
    catalogue = ledger_catalogue(tag)
    await kafka_broker.create_topics({t.name: t.partitions for t in catalogue.topics})
    pool = await asyncpg.create_pool(dsn, min_size=1, max_size=3)
    await pool.execute(SQL)
    running = Stage(kafka_broker, dsn, tag, catalogue, pool)
    try:
        yield running
    finally:
        for worker in running.workers:
            if worker.returncode is None:
                worker.kill()
            await worker.wait()
        pool.terminate()


async def test_worker_handles_and_relays_until_sigterm(
    stage: Stage,
) -> None:
    worker, url = await stage.worker()
    accounts = [uuid4() for _ in range(5)]
    await stage.send(accounts, range(20))

    async def done() -> bool:
        return await stage.written() == {a: list(range(20)) for a in accounts}

    await eventually(done)
    assert await stage.entries(100) == {a: list(range(20)) for a in accounts}
    async with httpx.AsyncClient() as http:
        assert (await http.get(f"{url}/readyz")).json() == {"ready": True, "wrong": {}}
        text = (await http.get(f"{url}/metrics")).text
    assert 'bdcan_consumer_records_total{consumer="numbers",outcome="handled"} 100.0' in text
    worker.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(worker.wait(), 30) == 0


async def test_sigterm_in_mid_batch_loses_and_doubles_nothing(
    stage: Stage,
) -> None:
    accounts = [uuid4() for _ in range(10)]
    await stage.send(accounts, range(40))
    first, _ = await stage.worker(LEDGER_SLOW="0.3")

    async def begun() -> bool:
        return bool(await stage.written())

    await eventually(begun)
    first.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(first.wait(), 40) == 0
    await stage.worker()

    async def done() -> bool:
        return await stage.written() == {a: list(range(40)) for a in accounts}

    await eventually(done)
    assert await stage.entries(400) == {a: list(range(40)) for a in accounts}


@pytest.mark.timeout(300)
async def test_killed_and_frozen_workers_keep_each_number_once_in_order(
    stage: Stage,
) -> None:
    accounts = [uuid4() for _ in range(10)]
    await stage.send(accounts, range(60))
    victim, _ = await stage.worker(LEDGER_SLOW="0.2")
    zombie, _ = await stage.worker(LEDGER_SLOW="0.2")

    async def begun() -> bool:
        return bool(await stage.written())

    await eventually(begun)
    victim.kill()
    zombie.send_signal(signal.SIGSTOP)
    await stage.worker()

    async def done() -> bool:
        return await stage.written() == {a: list(range(60)) for a in accounts}

    await eventually(done, 150)
    zombie.send_signal(signal.SIGCONT)
    await stage.send(accounts, range(60, 70))

    async def all_done() -> bool:
        return await stage.written() == {a: list(range(70)) for a in accounts}

    await eventually(all_done, 100)
    assert await stage.entries(700) == {a: list(range(70)) for a in accounts}
