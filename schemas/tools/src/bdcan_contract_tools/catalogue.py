"""Generates `bdcan_contracts/catalogue.py`: the topics and event types, as the envelope module describes them."""

from __future__ import annotations

import json

from bdcan_contract_tools.rules import personal_fields
from bdcan_contract_tools.sources import EventSource, Sources, TopicSource

_HEAD = '''# Generated from schemas/topics by `python -m bdcan_contract_tools generate`. Do not edit.
"""All topics and event types of BD CAN Plus.

`CATALOGUE` is what the codec takes. Each topic has a constant of its own. `PERSONAL_FIELDS` names every field that
holds personal data somewhere; it belongs in no log.
"""

from __future__ import annotations

from datetime import timedelta

from bdcan_contracts import models
from bdcan_contracts.envelope import Catalogue, Reader, EventType, Topic
'''

_DERIVED = {"phone_e164"}
"""Personal fields that no schema has: a service derives them from one that a schema marks, and keeps them."""


def render(sources: Sources) -> str:
    """The text of the module."""
    names = sorted(personal_fields(sources) | _DERIVED)
    return "\n".join(
        [
            _HEAD,
            *(_topic(topic) for topic in sources.topics),
            "CATALOGUE = Catalogue(",
            f"    topics=({_joined([topic.constant for topic in sources.topics])}),",
            "    event_types=(",
            *(_event_type(sources, event) for event in sources.events),
            "    ),",
            ")",
            '"""Every topic, and every event type with its model."""',
            "",
            f"PERSONAL_FIELDS: frozenset[str] = frozenset({json.dumps(names)})",
            '"""Names of the fields that any schema marks as personal data, and of what services derive from them."""',
            "",
        ]
    )


def _topic(topic: TopicSource) -> str:
    retention = f"timedelta(days={topic.retention_days})" if topic.retention_days else "None"
    consumers = [
        f"        Reader({_text(consumer.service)}, ({_joined([_text(t) for t in consumer.reads])})),"
        for consumer in topic.consumers
    ]
    return "\n".join(
        [
            f"{topic.constant} = Topic(",
            f"    name={_text(topic.name)},",
            f"    owner={_text(topic.owner)},",
            f"    purpose={_text(topic.purpose)},",
            f"    key={_text(topic.key)},",
            f"    traffic_class={_text(topic.traffic_class)},",
            f"    partitions={topic.partitions},",
            f"    retention={retention},",
            f"    compacted={topic.retention_days is None},",
            f"    event_types=({_joined([_text(t) for t in topic.types])}),",
            f"    writers=({_joined([_text(w) for w in topic.writers])}),",
            *(["    consumers=(", *consumers, "    ),"] if consumers else ["    consumers=(),"]),
            f"    personal_data={_text(topic.personal_data)},",
            *(["    per_sender=True,"] if topic.per_sender else []),
            ")",
            "",
        ]
    )


def _event_type(sources: Sources, event: EventSource) -> str:
    topics = _joined([topic.constant for topic in sources.topics_of(event.type)])
    return (
        f"        EventType(\n            {_text(event.type)},\n            models.{event.title},\n"
        f"            {_text(event.schema['$id'])},\n            ({topics}),\n        ),"
    )


def _joined(items: list[str]) -> str:
    return f"{items[0]}," if len(items) == 1 else ", ".join(items)


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)
