"""Systems come and go while another one is under load, on real processes: nothing of it is lost, doubled or late."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from bdcan_contracts.models import InboundReferralSubmitted
from bdcan_local import processes, runner
from bdcan_local.kafka import ADMIN, client_options
from bdcan_local.onboarding import Onboarding
from bdcan_local.processes import System, Table
from bdcan_local.root import Root
from bdcan_local.settings import read_settings
from bdcan_local.supervisor import Unit

SECONDS = 60.0
LATE_SECONDS = 15.0
"""On two busy cores. Under no load a receipt takes some tens of milliseconds."""
PER_SECOND = 25


def of_intake(units: list[Unit]) -> list[Unit]:
    return [unit for unit in units if unit.name.startswith("intake")]


def migrations(system: System) -> list[list[Unit]]:
    return [of_intake(stage) for stage in processes.one_shot_units(system)]


def services(system: System) -> list[Unit]:
    return of_intake(processes.service_units(system))


@dataclass
class Sender:
    """An upstream system, with what it was handed over. It counts its receipts; as the administrator once it is revoked."""

    name: str
    system: System
    sent: dict[str, float] = field(default_factory=dict)
    got: dict[str, list[float]] = field(default_factory=dict)
    codes: set[str] = field(default_factory=set)

    @property
    def options(self) -> dict[str, Any]:
        user = f"upstream-{self.name}"
        return client_options(self.system.kafka.bootstrap, user, self.system.secrets.get("kafka", user))

    @property
    def upstream(self) -> Any:
        return self.system.secrets.upstreams().named(self.name)

    async def submit(self, producer: AIOKafkaProducer, reference: str) -> None:
        body = {
            "source": self.name,
            "reference": reference,
            "channel": "gp",
            "person": {"name": "Amina Example", "phone": "07700 900123", "postcode": "RM10 8XX"},
            "needs": ["shopping"],
        }
        headers = {
            "ce_specversion": "1.0",
            "ce_id": uuid4().hex,
            "ce_type": "bdcan.intake.inbound-referral.submitted.v1",
            "ce_source": f"/{self.name}",
            "ce_subject": f"{self.name}:{reference}",
            "ce_time": datetime.now(UTC).isoformat(),
            "content-type": "application/json",
        }
        InboundReferralSubmitted.model_validate(body)
        self.sent[reference] = time.monotonic()
        await producer.send(
            self.upstream.inbound_topic,
            json.dumps(body).encode(),
            key=f"{self.name}:{reference}".encode(),
            headers=[(name, value.encode()) for name, value in headers.items()],
        )

    async def submit_all(self, references: list[str]) -> None:
        async with AIOKafkaProducer(**self.options, acks="all", enable_idempotence=True) as producer:
            for reference in references:
                await self.submit(producer, reference)

    async def keep_submitting(self, until: asyncio.Event) -> None:
        async with AIOKafkaProducer(**self.options, acks="all", enable_idempotence=True) as producer:
            number = 0
            while not until.is_set():
                number += 1
                await self.submit(producer, f"load-{number:05}")
                with suppress(TimeoutError):
                    await asyncio.wait_for(until.wait(), 1 / PER_SECOND)

    async def read_receipts(self, options: dict[str, Any]) -> None:
        group = None if options["sasl_plain_username"] == ADMIN else f"upstream-{self.name}.receipts"
        async with AIOKafkaConsumer(
            self.upstream.receipts_topic, **options, group_id=group, auto_offset_reset="earliest"
        ) as consumer:
            async for record in consumer:
                kind = dict(record.headers)["ce_type"].decode()
                if kind.rsplit(".", 2)[1] not in {"accepted", "refused"}:
                    continue  # how it goes on
                receipt = json.loads(record.value or b"{}")
                self.got.setdefault(receipt["reference"], []).append(time.monotonic())
                self.codes |= {problem["code"] for problem in receipt.get("problems", ())}

    async def has_all(self) -> None:
        await eventually(lambda: self.sent.keys() <= self.got.keys())


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(SECONDS):
        while not condition():  # noqa: ASYNC110 # another process makes it true
            await asyncio.sleep(0.05)


async def onboarded(name: str, system: System, act: Callable[..., Any]) -> Sender:
    await asyncio.to_thread(act, name, kafka=True, http=True)
    return Sender(name, system)


async def with_receipts(sender: Sender, options: dict[str, Any], work: Callable[[], Awaitable[None]]) -> None:
    reading = asyncio.create_task(sender.read_receipts(options))
    try:
        await work()
        await sender.has_all()
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


@pytest.mark.timeout(600)
async def test_systems_come_and_go_while_another_is_under_load(tmp_path: Path) -> None:
    plan = runner.Plan(usual_ports=False, table=Table(migrations, services))
    async with runner.running(Root(tmp_path), read_settings(), plan, print) as running:
        system = running.system
        admin = client_options(system.kafka.bootstrap, ADMIN, system.kafka.password)
        onboarding = Onboarding(system.secrets, "ada", admin)
        first = await onboarded("river-surgery", system, onboarding.add)
        over = asyncio.Event()

        async def come_and_go() -> None:
            loading = asyncio.create_task(first.keep_submitting(over))
            await eventually(lambda: bool(first.got))
            for name in ("hill-surgery", "market-pharmacy"):
                other = await onboarded(name, system, onboarding.add)
                references = [f"R-{number}" for number in range(20)]
                await with_receipts(other, other.options, lambda o=other, r=references: o.submit_all(r))
                assert [len(times) for times in other.got.values()] == [1] * 20
                assert other.codes == set()
            leaving = await onboarded("old-charity", system, onboarding.add)
            await leaving.submit_all([f"R-{number}" for number in range(100)])
            await asyncio.to_thread(onboarding.revoke, leaving.name)
            await with_receipts(leaving, admin, leaving.has_all)
            assert [len(times) for times in leaving.got.values()] == [1] * 100
            assert leaving.codes <= {"sender-revoked"}
            over.set()
            await loading

        await with_receipts(first, first.options, come_and_go)
        assert len(first.sent) > PER_SECOND
        assert {len(times) for times in first.got.values()} == {1}
        assert first.codes == set()
        assert max(first.got[one][0] - at for one, at in first.sent.items()) < LATE_SECONDS
