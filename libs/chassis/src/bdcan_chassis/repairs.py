"""Repairs of what an operator has found: a deadline that is missing, and events that a service must hear once more.

Both let the service decide. A deadline that fires, and an event that comes again, find the row as it is: the domain then
says what follows. So a repair that was not needed changes nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from uuid import UUID

from aiokafka import AIOKafkaConsumer, TopicPartition

from bdcan_chassis import dead_letters
from bdcan_chassis.audit import Act
from bdcan_chassis.dead_letters import NewDeadLetter
from bdcan_chassis.errors import ConfigurationError
from bdcan_chassis.kafka import connection_options, start
from bdcan_chassis.service import Service
from bdcan_chassis.subscription import Consumer
from bdcan_chassis.transaction import Transactions, Tx
from bdcan_contracts.envelope import EnvelopeError, Record, decode

REDELIVERED = "redelivered"
"""Reason of a dead letter that an operator made of an event, so that it is handled once more."""

_POLL_MS = 500
_BATCH = 5000


async def set_deadline(
    tx: Tx, service: Service, kind: str, subject: UUID, due_at: datetime, actor: str, reason: str
) -> bool:
    """Set a deadline that is missing. False: there is one. Raises ConfigurationError for a kind without a handler."""
    if kind not in service.deadlines:
        known = ", ".join(sorted(service.deadlines)) or "none"
        raise ConfigurationError(f"{service.name} has no deadline {kind!r}; it has {known}")
    if not await tx.connection.fetchval(_SET_DEADLINE, kind, subject, due_at):
        return False
    tx.audit(Act.DEADLINE_SET, actor, subject, reason, kind=kind)
    return True


async def redeliver(
    service: Service, transactions: Transactions, referral_id: UUID, actor: str, reason: str
) -> int:
    """Have a worker handle all events about a referral that the topics still hold; returns how many.

    They become dead letters for which a replay is asked, so they are handled in order, and none that comes meanwhile
    overtakes them. What outsiders write is no event about a referral, and has been answered.
    """
    consumers = [consumer for consumer in service.consumers if consumer.on_records is None]
    readers = [(consumer, set(consumer.bind(service.catalogue)), defaultdict(list)) for consumer in consumers]
    async for record in _records(service, consumers):
        try:
            event = decode(service.catalogue, record.topic, record.key, record.headers, record.value)
        except EnvelopeError:
            continue
        if getattr(event.data, "referral_id", None) != referral_id:
            continue
        for _, reads, found in readers:
            if (record.topic, event.type) in reads:
                found[record.topic, record.key].append(_letter(record, actor))
    count = 0
    for consumer, _, found in readers:
        for (topic, key), letters in found.items():
            async with transactions.begin() as tx:
                await dead_letters.keep(tx.connection, consumer.name, letters, ordered=consumer.ordered)
                places = [x.partition for x in letters], [x.offset for x in letters]
                letter_id = await tx.connection.fetchval(
                    _REOPEN, consumer.name, topic, key, *places, REDELIVERED
                )
                await dead_letters.request_replay(tx, letter_id, actor, reason)
                count += len(letters)
    return count


async def _records(service: Service, consumers: Iterable[Consumer]) -> AsyncIterator[Record]:
    """All records of the topics that these consumers read, up to where they end now."""
    topics = {topic for consumer in consumers for topic in consumer.topics}
    partitions = [
        TopicPartition(topic.name, number)
        for topic in service.catalogue.topics
        if topic.name in topics
        for number in range(topic.partitions)
    ]
    if not partitions:
        return
    consumer = AIOKafkaConsumer(
        enable_auto_commit=False, isolation_level="read_committed", **connection_options(service.settings)
    )
    try:
        await start(consumer)
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        while any([await consumer.position(place) < end for place, end in ends.items()]):
            for batch in (await consumer.getmany(timeout_ms=_POLL_MS, max_records=_BATCH)).values():
                for record in batch:
                    yield record
    finally:
        await consumer.stop()


def _letter(record: Record, actor: str) -> NewDeadLetter:
    return NewDeadLetter(
        record.topic,
        record.partition,
        record.offset,
        dead_letters.record_time(record.timestamp),
        record.key,
        record.headers,
        record.value,
        "parked",
        REDELIVERED,
        f"asked for by {actor}",
        taken=True,
    )


_SET_DEADLINE = """
WITH added AS (
    INSERT INTO chassis.deadline (kind, subject, due_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING true
) SELECT pg_notify('bdcan', 'deadlines') IS NOT NULL FROM added
"""

_REOPEN = """
UPDATE chassis.dead_letter AS d SET state = 'parked', reason = $6, taken = true, settled_at = NULL
FROM unnest($4::int[], $5::bigint[]) AS w (place, position)
WHERE d.consumer = $1 AND d.topic = $2 AND d.record_key IS NOT DISTINCT FROM $3
AND d.record_partition = w.place AND d.record_offset = w.position RETURNING d.id
"""
