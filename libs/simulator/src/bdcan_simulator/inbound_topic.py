"""Those who submit by Kafka: surgeries, pharmacies, partners. They write submissions and read the receipts.

A submission is sent until the brokers have it; its event id is made from its reference, so that sending it again is
the same event. The producer is made anew after any failure (aiokafka issue 1017), and the receipts' consumer when
nothing came for a while (issue 1154): reading from the beginning again changes nothing.
"""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError

from bdcan_contracts.catalogue import CATALOGUE, INBOUND_RECEIPTS, INBOUND_REFERRALS
from bdcan_contracts.envelope import EnvelopeError, decode, encode_body, encode_headers
from bdcan_contracts.models import (
    InboundReferralAccepted,
    InboundReferralClosed,
    InboundReferralProgressed,
    InboundReferralRefused,
    InboundReferralSubmitted,
)
from bdcan_simulator.borough import SURGERY, Door
from bdcan_simulator.endpoints import Endpoints
from bdcan_simulator.forms import as_event
from bdcan_simulator.ledger import BadInput, Ledger, Submission
from bdcan_simulator.pace import Pace

_BATCH = 500
_SEND_SECONDS = 45
_QUIET_SECONDS = 10
_SENT_TWICE = 3
_SUBMITTED = CATALOGUE.of(InboundReferralSubmitted)
_BAD: tuple[tuple[str, bytes], ...] = (
    (
        "an unknown need and an unknown channel",
        b'{"source":"%(source)s","reference":"%(reference)s","channel":"fax","needs":["pony"]}',
    ),
    ("no channel", b'{"source":"%(source)s","reference":"%(reference)s","needs":["errand"]}'),
    ("a body that is not JSON", b"food for number %(reference)s please"),
)


@dataclass(frozen=True, slots=True)
class Record:
    """One record for the inbound topic."""

    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]
    submission: Submission | None = None


@dataclass
class InboundTopic:
    """The partners' side of the two topics."""

    endpoints: Endpoints
    ledger: Ledger
    tried_again: int = 0
    _unanswered: dict[str, BadInput] = field(default_factory=dict)
    _sent_twice: set[str] = field(default_factory=set)
    _read_before: set[UUID] = field(default_factory=set)
    _references: dict[str, str] = field(default_factory=dict)
    """By the event's id, which a receipt quotes: it names a reference by its hash where that looks like somebody's number."""
    _sending: bool = True

    async def submit_all(self, pace: Pace) -> None:
        """Write all submissions of this door: each once, a few twice, a few wrong."""
        submissions = self.ledger.through(Door.TOPIC)
        records = [self._record(s, "first") for s in submissions]
        count = pace.portion(_BATCH, len(records))
        for start in range(0, len(records), count):
            await pace.turn(start, len(records))
            await self._send(records[start : start + count])
        again = submissions[:_SENT_TWICE]
        self._sent_twice = {s.reference for s in again}
        self.ledger.sent_twice[Door.TOPIC] += len(again)
        await self._send([*(self._record(s, "again") for s in again), *self._bad_records()])
        self._sending = False

    async def read_receipts(self, over: asyncio.Event) -> None:
        """Read receipts until every submission has its answer, every bad record too, or it is over."""
        await self._read_while(lambda: self.awaits_receipts and not over.is_set())

    async def follow(self, over: asyncio.Event) -> None:
        """Read receipts until it is over: answers first, and then how each referral goes on."""
        await self._read_while(lambda: not over.is_set())

    async def read_ends(self, referral_ids: Collection[str], seconds: float = 30.0) -> None:
        """Read on until each of these referrals has the receipt of its end; for so many seconds at most."""
        until = asyncio.get_running_loop().time() + seconds
        told = self.ledger.told
        await self._read_while(
            lambda: (
                any(told[one].last != "closed" for one in referral_ids)
                and asyncio.get_running_loop().time() < until
            )
        )

    async def _read_while(self, wanted: Callable[[], bool]) -> None:
        while wanted():
            consumer = self._consumer()
            try:
                await consumer.start()
                await self._read(consumer, wanted)
            except KafkaError:
                self.tried_again += 1
                await asyncio.sleep(random.uniform(0.3, 1.0))  # noqa: S311 # jitter
            finally:
                await _stop(consumer)

    async def _read(self, consumer: AIOKafkaConsumer, wanted: Callable[[], bool]) -> None:
        loop = asyncio.get_running_loop()
        last = loop.time()
        while wanted() and loop.time() - last < _QUIET_SECONDS:
            got = await consumer.getmany(timeout_ms=1000, max_records=500)
            for records in got.values():
                last = loop.time()
                for record in records:
                    self._take(record)

    @property
    def awaits_receipts(self) -> bool:
        """Whether a receipt is still to come: for a submission, for one sent again, for a bad record."""
        return (
            self._sending
            or bool(self._unanswered or self._sent_twice)
            or any(s.acknowledged and s.referral_id is None for s in self.ledger.through(Door.TOPIC))
        )

    def _take(self, record: Any) -> None:
        try:
            event = decode(CATALOGUE, record.topic, record.key, record.headers, record.value)
        except EnvelopeError:
            return
        match receipt := event.data:
            case InboundReferralProgressed() | InboundReferralClosed() if event.key not in self._read_before:
                self._read_before.add(event.key)
                corrects = isinstance(receipt, InboundReferralClosed) and receipt.correction
                if not corrects:
                    state = "closed" if isinstance(receipt, InboundReferralClosed) else receipt.state
                    self.ledger.told[str(receipt.referral_id)].hear(state)
            case InboundReferralAccepted():
                reference = self._reference(receipt)
                known = self.ledger.learn(receipt.source, reference, str(receipt.referral_id))
                recognised = receipt.duplicate or receipt.previous_referral_id is not None
                if known and recognised and reference in self._sent_twice:
                    self._sent_twice.discard(reference)
                    self.ledger.recognised[Door.TOPIC] += 1
            case InboundReferralRefused():
                entry = self._unanswered.pop(self._reference(receipt), None)
                if entry:
                    entry.answer = _said(receipt)
            case _:
                return

    def _reference(self, receipt: InboundReferralAccepted | InboundReferralRefused) -> str:
        about = receipt.record.id if receipt.record else None
        return self._references.get(about or "", receipt.reference)

    async def _send(self, records: list[Record]) -> None:
        while records:
            try:
                records = await asyncio.wait_for(self._try_to_send(records), _SEND_SECONDS)
            except (KafkaError, TimeoutError):
                self.tried_again += 1
                await asyncio.sleep(random.uniform(0.3, 1.0))  # noqa: S311 # jitter

    async def _try_to_send(self, records: list[Record]) -> list[Record]:
        """Send with a producer of its own; returns what the brokers have not acknowledged."""
        producer = AIOKafkaProducer(
            acks="all", enable_idempotence=True, linger_ms=5, request_timeout_ms=15_000, **self._connection()
        )
        left = list(records)
        try:
            await producer.start()
            topic = INBOUND_REFERRALS.name
            sent = [await producer.send(topic, r.value, key=r.key, headers=r.headers) for r in records]
            results = await asyncio.gather(*sent, return_exceptions=True)
            left = [
                r for r, result in zip(records, results, strict=True) if isinstance(result, BaseException)
            ]
        finally:
            await producer.stop()
        for record in records:
            if record.submission and record not in left:
                record.submission.acknowledged = True
        return left

    def _record(self, submission: Submission, which: str) -> Record:
        body = as_event(submission)
        subject = _SUBMITTED.subject_of(body)
        event_id = self._event_id(subject, which, submission.reference)
        return Record(
            subject.encode(),
            encode_body(body),
            self._headers(event_id, submission.source, subject),
            submission if which == "first" else None,
        )

    def _bad_records(self) -> list[Record]:
        records: list[Record] = []
        for number, (what, template) in enumerate(_BAD):
            source, reference = SURGERY.name, f"{self.ledger.run}-bad-{number}"
            entry = BadInput(Door.TOPIC, what, reference)
            self.ledger.bad.append(entry)
            self._unanswered[reference] = entry
            value = template % {b"source": source.encode(), b"reference": reference.encode()}
            subject = f"{source}:{reference}"
            headers = self._headers(self._event_id(subject, "bad", reference), source, subject)
            records.append(Record(subject.encode(), value, headers))
        return records

    def _event_id(self, subject: str, which: str, reference: str) -> UUID:
        event_id = uuid5(NAMESPACE_URL, f"{subject}/{which}")
        self._references[str(event_id)] = reference
        return event_id

    def _headers(self, event_id: UUID, source: str, subject: str) -> list[tuple[str, bytes]]:
        now = self.endpoints.clock.now()
        return encode_headers(_SUBMITTED, event_id, source, subject, now, None)

    def _consumer(self) -> AIOKafkaConsumer:
        return AIOKafkaConsumer(
            INBOUND_RECEIPTS.name,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            **self._connection(),
        )

    def _connection(self) -> dict[str, Any]:
        kafka = self.endpoints.kafka
        return {
            "bootstrap_servers": kafka.bootstrap,
            "security_protocol": kafka.protocol,
            "sasl_mechanism": kafka.mechanism,
            "sasl_plain_username": kafka.username,
            "sasl_plain_password": self.endpoints.kafka_password,
            "ssl_context": ssl.create_default_context() if kafka.protocol == "SASL_SSL" else None,
        }


async def _stop(consumer: AIOKafkaConsumer) -> None:
    """Stop a consumer. While the broker is away, aiokafka raises the cancellation of its own fetch task here.

    Unless it is us who are cancelled, that must not pass: a task group takes a cancelled task for one that is done.
    """
    try:
        await consumer.stop()
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise


def _said(receipt: InboundReferralRefused) -> str:
    said = [f"{p.field}: {p.code}" if p.field else p.code for p in receipt.problems]
    return "; ".join(said) or "refused"
