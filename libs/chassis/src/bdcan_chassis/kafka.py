"""Consumers and producers with the settings that the guarantees need. Each setting that matters says why."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from bdcan_chassis import unpacking
from bdcan_chassis.settings import ServiceSettings

START_SECONDS = 30.0


async def start(client: AIOKafkaConsumer | AIOKafkaProducer) -> None:
    """Connect. Raises TimeoutError: a broker that has just begun may name no broker, and aiokafka then waits for ever."""
    async with asyncio.timeout(START_SECONDS):
        await client.start()


def connection_options(settings: ServiceSettings) -> dict[str, Any]:
    """How to reach the brokers and log in."""
    context = (
        ssl.create_default_context(cafile=settings.kafka_ca_file)
        if settings.kafka_protocol == "SASL_SSL"
        else None
    )
    return {
        "bootstrap_servers": settings.kafka_bootstrap,
        # A worker has some twenty tasks that retry while the broker is away. aiokafka's default of ten times a second would
        # take the processor from the broker that starts.
        "retry_backoff_ms": 500,
        "security_protocol": settings.kafka_protocol,
        "sasl_mechanism": settings.kafka_mechanism,
        "sasl_plain_username": settings.kafka_username,
        "sasl_plain_password": settings.kafka_password.get_secret_value(),
        "ssl_context": context,
    }


def make_consumer(
    settings: ServiceSettings, group: str, client_id: str, *, changing_topics: bool = False
) -> AIOKafkaConsumer:
    """A consumer that commits only when told to. With `changing_topics` it soon sees new topics and partitions."""
    unpacking.install()
    return AIOKafkaConsumer(
        group_id=group,
        client_id=client_id,
        enable_auto_commit=False,  # offsets follow the database, never a timer
        auto_offset_reset="earliest",  # a group without offsets reads all again; the inbox ignores what was handled
        session_timeout_ms=int(settings.kafka_session.total_seconds() * 1000),
        heartbeat_interval_ms=int(settings.kafka_session.total_seconds() * 100),
        max_poll_interval_ms=900_000,  # a consumer whose batch waits for the database keeps its partitions
        max_partition_fetch_bytes=2_097_152,
        isolation_level="read_committed",
        metadata_max_age_ms=8_000 if changing_topics else 300_000,
        **connection_options(settings),
    )


def make_producer(settings: ServiceSettings, client_id: str) -> AIOKafkaProducer:
    """A producer that acknowledges a record only when every in-sync replica has it."""
    return AIOKafkaProducer(
        client_id=client_id,
        acks="all",
        enable_idempotence=True,
        linger_ms=0,  # the relay sends whole batches
        # aiokafka packs lz4 and gzip at their slowest levels; topics that outsiders read are packed again by the broker
        compression_type="zstd",
        max_batch_size=524_288,
        request_timeout_ms=30_000,
        **connection_options(settings),
    )
