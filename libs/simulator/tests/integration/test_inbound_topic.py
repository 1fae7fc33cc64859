"""Submissions by Kafka while the broker is unreachable: each becomes one event, and its receipt is read."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from bdcan_chassis.clock import SystemClock
from bdcan_contracts.catalogue import CATALOGUE, INBOUND_RECEIPTS, INBOUND_REFERRALS
from bdcan_contracts.envelope import (
    EnvelopeError,
    Problem,
    decode,
    encode_body,
    encode_headers,
    source_of,
)
from bdcan_contracts.models import (
    FieldProblem,
    InboundReferralAccepted,
    InboundReferralRefused,
    QuotedRecord,
)
from bdcan_contracts.vocabulary import NEEDS
from bdcan_simulator.borough import Borough, Door
from bdcan_simulator.endpoints import Endpoints, KafkaEndpoint
from bdcan_simulator.inbound_topic import InboundTopic
from bdcan_simulator.ledger import Ledger
from bdcan_simulator.pace import Pace
from bdcan_simulator.postcodes import MadeUpPostcodes


@pytest.fixture
async def broker(kafka_broker):
    await kafka_broker.create_topics({INBOUND_REFERRALS.name: 3, INBOUND_RECEIPTS.name: 3})
    return kafka_broker


@pytest.fixture
def connection(kafka_broker):
    return {
        "bootstrap_servers": kafka_broker.bootstrap,
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": kafka_broker.username,
        "sasl_plain_password": kafka_broker.password,
    }


@pytest.fixture
def endpoints(kafka_broker) -> Endpoints:
    kafka = KafkaEndpoint(
        bootstrap=kafka_broker.bootstrap,
        protocol="SASL_PLAINTEXT",
        mechanism="SCRAM-SHA-512",
        username=kafka_broker.username,
        password_file=Path("unused"),
    )
    return Endpoints(kafka, kafka_broker.password, {}, "", "", "", "", SystemClock())


def _know_all(codes: Sequence[str]) -> None:
    """Refuse words that this borough does not have, as intake does. Raises EnvelopeError."""
    unknown = tuple(
        Problem(f"needs.{place}", "unknown-code", "is not known")
        for place, code in enumerate(codes)
        if code not in NEEDS
    )
    if unknown:
        raise EnvelopeError("unknown codes", unknown)


async def answer_everything(
    connection, run: str, seen: dict[str, set[str]], over: asyncio.Event, *, closed: bool = False
) -> None:
    """Intake's part: a receipt for each submission that can be read, and for each whose sender can be told."""
    consumer = AIOKafkaConsumer(INBOUND_REFERRALS.name, auto_offset_reset="earliest", **connection)
    producer = AIOKafkaProducer(**connection)
    await consumer.start()
    await producer.start()
    try:
        while not over.is_set():
            for records in (await consumer.getmany(timeout_ms=200)).values():
                for record in records:
                    source, _, reference = (record.key or b"").decode().partition(":")
                    if not reference.startswith(run):
                        continue
                    now = datetime.now(UTC)
                    # as intake does where a reference looks like somebody's number
                    shown = f"sha256:{reference}" if reference.endswith(("0", "2")) else reference
                    about = QuotedRecord(
                        id=dict(record.headers)["ce_id"].decode(),
                        topic=record.topic,
                        partition=record.partition,
                        offset=record.offset,
                    )
                    try:
                        event = decode(
                            CATALOGUE, INBOUND_REFERRALS.name, record.key, record.headers, record.value
                        )
                        _know_all(event.data.needs)
                    except EnvelopeError as error:
                        problems = tuple(
                            FieldProblem(field=p.field, code=p.code, message=p.message[:300])
                            for p in error.problems
                        )
                        receipt = InboundReferralRefused(
                            source=source, reference=shown, problems=problems, refused_at=now, record=about
                        )
                    else:
                        again = reference in seen
                        seen[reference].add(event.id)
                        receipt = InboundReferralAccepted(
                            source=source,
                            reference=shown,
                            record=about,
                            referral_id=uuid4(),
                            duplicate=again and not closed,
                            previous_referral_id=uuid4() if again and closed else None,
                            received_at=now,
                        )
                    kind = CATALOGUE.of(type(receipt))
                    subject = kind.subject_of(receipt)
                    headers = encode_headers(kind, uuid4(), source_of("intake"), subject, now, None)
                    await producer.send_and_wait(
                        INBOUND_RECEIPTS.name, encode_body(receipt), subject.encode(), headers=headers
                    )
    finally:
        await consumer.stop()
        await producer.stop()


async def _unless_it_fails(intake: asyncio.Task[None], *works: Awaitable[None]) -> None:
    """Wait for the works; where intake's part fails, say so instead of waiting for ever."""
    done = asyncio.gather(*works)
    await asyncio.wait({intake, done}, return_when=asyncio.FIRST_COMPLETED)
    if intake.done():
        done.cancel()
        intake.result()
    await done


@pytest.mark.parametrize("closed", [False, True], ids=["open", "closed before the second time"])
async def test_every_submission_gets_a_receipt(broker, connection, endpoints, closed):
    # given
    ledger = Ledger(run=f"a{uuid4().hex[:6]}")
    ledger.enter(Borough(3, MadeUpPostcodes()).residents(60))
    inbound, over, seen = InboundTopic(endpoints, ledger), asyncio.Event(), defaultdict(set)
    intake = asyncio.create_task(answer_everything(connection, ledger.run, seen, over, closed=closed))
    # when
    async with asyncio.timeout(60):
        await _unless_it_fails(intake, inbound.submit_all(Pace()), inbound.read_receipts(asyncio.Event()))
    over.set()
    await intake
    # then
    sent = ledger.through(Door.TOPIC)
    assert len(sent) > 10
    assert all(s.acknowledged and s.referral_id for s in sent)
    assert {s.reference for s in sent} == set(seen)
    assert ledger.recognised[Door.TOPIC] == ledger.sent_twice[Door.TOPIC] == 3
    assert len(ledger.bad) == 3
    assert all(bad.answer is not None for bad in ledger.bad)
    assert any("needs.0" in bad.answer for bad in ledger.bad if bad.answer)


async def test_submission_is_one_event_even_when_the_broker_goes_away(
    broker, connection, endpoints, monkeypatch, eventually
):
    # given
    monkeypatch.setattr("bdcan_simulator.inbound_topic._BATCH", 10)
    monkeypatch.setattr("bdcan_simulator.inbound_topic._QUIET_SECONDS", 3)
    ledger = Ledger(run=f"b{uuid4().hex[:6]}")
    ledger.enter(Borough(4, MadeUpPostcodes()).residents(200))
    inbound, stop = InboundTopic(endpoints, ledger), asyncio.Event()
    sent = ledger.through(Door.TOPIC)
    # when: it stops after the first batch, and comes back when somebody noticed
    submitting = asyncio.create_task(inbound.submit_all(Pace()))
    reading = asyncio.create_task(inbound.read_receipts(stop))
    await eventually(lambda: ledger.acknowledged >= 10, 30)
    await broker.stop()
    await eventually(lambda: inbound.tried_again, 60)
    await broker.start()
    over, seen = asyncio.Event(), defaultdict(set)
    intake = asyncio.create_task(answer_everything(connection, ledger.run, seen, over))
    async with asyncio.timeout(90):
        await _unless_it_fails(intake, submitting, reading)
    over.set()
    await intake
    # then
    assert ledger.acknowledged == len(sent) > 20
    assert {s.reference for s in sent} == set(seen)
    again = {s.reference for s in sent[:3]}
    assert all(len(ids) == (2 if reference in again else 1) for reference, ids in seen.items())
    assert all(s.referral_id for s in sent)
