"""The heartbeat of Kafka: it asks who the brokers are, by a client that reads no topic."""

from __future__ import annotations

import asyncio

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

from bdcan_chassis.heartbeat import ANSWER_SECONDS
from bdcan_chassis.kafka import connection_options
from bdcan_chassis.logs import get_logger
from bdcan_chassis.settings import ServiceSettings

log = get_logger(__name__)


class Kafka:
    """The brokers. The client is made anew after each silence."""

    errors = (KafkaError, OSError)

    def __init__(self, settings: ServiceSettings, client_id: str) -> None:
        self._settings, self._client_id = settings, client_id
        self._client: AIOKafkaClient | None = None

    async def ask(self) -> None:
        """Ask who the brokers are. Raises KafkaError where none says."""
        if self._client is None:
            self._client = AIOKafkaClient(
                client_id=self._client_id,
                request_timeout_ms=int(ANSWER_SECONDS * 1000),
                **connection_options(self._settings),
            )
            await self._client.bootstrap()
        if not await self._client.force_metadata_update():
            raise KafkaError("no broker answers")

    async def leave(self) -> None:
        """Close the client; a broker that hangs must not hold it up."""
        client, self._client = self._client, None
        if client is not None:
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    await client.close()
            except (KafkaError, OSError, TimeoutError) as error:
                log.info("heartbeat.left_without_goodbye", exc_info=error)
