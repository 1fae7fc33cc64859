"""How far each service has read the topics. What was written and is not read yet is on its way, and no fault."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from bdcan_contracts.catalogue import CATALOGUE
from bdcan_reconcile.reading import UnreadableError
from bdcan_reconcile.rows import SERVICES

Ends = dict[TopicPartition, int]

_TOPICS = tuple(
    topic
    for topic in CATALOGUE.topics
    if not topic.per_sender
    and any(
        "referral_id" in event.model.model_fields for event in CATALOGUE.event_types if topic in event.topics
    )
)
"""The topics whose events are about referrals. What comes in from outside is not yet one."""


class Positions:
    """Asks the brokers."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._admin = AIOKafkaAdminClient(**options)
        self._consumer = AIOKafkaConsumer(**options, enable_auto_commit=False)

    async def __aenter__(self) -> Self:
        try:
            await self._admin.start()
            await self._consumer.start()
        except (KafkaError, OSError, TimeoutError) as error:
            await self.__aexit__()
            raise UnreadableError(f"Kafka does not answer ({type(error).__name__})") from error
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._consumer.stop()
        await self._admin.close()

    @staticmethod
    def readers() -> dict[str, set[str]]:
        """The topics about referrals that each service reads."""
        found: defaultdict[str, set[str]] = defaultdict(set)
        for topic in _TOPICS:
            for reader in topic.consumers:
                if reader.service in SERVICES:
                    found[reader.service].add(topic.name)
        return dict(found)

    async def ends(self) -> Ends:
        """Where each partition that a service reads ends now. What comes in from outside is no part of it."""
        partitions = [
            TopicPartition(topic.name, number)
            for topic in _TOPICS
            if topic.consumers
            for number in range(topic.partitions)
        ]
        return await self._asked(self._consumer.end_offsets(partitions))

    async def behind(self, ends: Ends) -> dict[str, dict[str, int]]:
        """How many records before these ends each service has not taken yet, by topic. Empty: all have been taken."""
        starts = await self._asked(self._consumer.beginning_offsets([tp for tp, end in ends.items() if end]))
        taken = await self.taken()
        found: defaultdict[str, dict[str, int]] = defaultdict(dict)
        for service, topics in self.readers().items():
            for tp, end in ends.items():
                start: int = starts.get(tp, 0)
                left = end - taken.get((service, tp), start)
                if tp.topic in topics and left > 0:
                    found[service][tp.topic] = found[service].get(tp.topic, 0) + left
        return dict(found)

    async def taken(self) -> dict[tuple[str, TopicPartition], int]:
        """Up to where each service has taken each partition: the least that one of its groups has committed."""
        found: dict[tuple[str, TopicPartition], int] = {}
        for group, service in await self._groups():
            offsets = await self._asked(self._admin.list_consumer_group_offsets(group))
            for tp, committed in offsets.items():
                if committed.offset >= 0:
                    found[service, tp] = min(committed.offset, found.get((service, tp), committed.offset))
        return found

    async def by_group(self) -> list[tuple[str, str, TopicPartition, int]]:
        """(service, consumer, partition, committed offset) of every consumer of the services."""
        return [
            (service, group.rpartition(".")[2], tp, committed.offset)
            for group, service in await self._groups()
            for tp, committed in (await self._asked(self._admin.list_consumer_group_offsets(group))).items()
        ]

    async def _groups(self) -> list[tuple[str, str]]:
        """The groups of the services' consumers, `bdcan.<service>.<consumer>`, each with its service."""
        listed = await self._asked(self._admin.list_consumer_groups())
        found = []
        for group in sorted(str(listing[0]) for listing in listed):
            bdcan, _, rest = group.partition(".")
            service, _, consumer = rest.partition(".")
            if bdcan == "bdcan" and service in SERVICES and consumer and not consumer.startswith("pulse"):
                found.append((group, service))
        return found

    async def _asked(self, question: Any) -> Any:
        try:
            return await question
        except (KafkaError, OSError, TimeoutError) as error:
            raise UnreadableError(f"Kafka does not answer ({type(error).__name__})") from error
