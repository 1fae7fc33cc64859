"""Generates `asyncapi.yaml` (AsyncAPI 3.0): the events as any tool of that world reads them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from bdcan_contract_tools.sources import (
    REF_PREFIX,
    EventSource,
    Sources,
    TopicSource,
    definition_name,
)

_HEAD = "# Generated from schemas/ by `python -m bdcan_contract_tools generate`. Do not edit.\n"
_TEXT = {"type": "string"}
_HEADERS: dict[str, Any] = {
    "type": "object",
    "description": "CloudEvents 1.0, Kafka binary content mode.",
    "properties": {
        "content-type": {"const": "application/json"},
        "ce_specversion": {"const": "1.0"},
        "ce_id": {
            **_TEXT,
            "description": "Unique together with ce_source: readers drop what they have seen.",
        },
        "ce_type": {**_TEXT, "description": "The event type: the name of the message."},
        "ce_source": {**_TEXT, "description": "Who wrote the event: bdcan.<service>, or an upstream system."},
        "ce_subject": {**_TEXT, "description": "Id of what the event is about; equals the record key."},
        "ce_time": {
            **_TEXT,
            "format": "date-time",
            "description": "When it was written, with its offset from UTC.",
        },
        "ce_dataschema": {**_TEXT, "format": "uri", "description": "The id of the body's JSON Schema."},
        "traceparent": {**_TEXT, "description": "W3C Trace Context."},
    },
    "required": ["ce_specversion", "ce_id", "ce_type", "ce_source", "ce_subject", "ce_time"],
}
_MILLISECONDS_PER_DAY = 24 * 60 * 60 * 1000


def render(sources: Sources) -> str:
    """The text of the document."""
    document = {
        "asyncapi": "3.0.0",
        "info": {
            "title": "BD CAN Plus events",
            "version": "1.0.0",
            "description": "What the five services of BD CAN Plus tell each other, and upstream systems.",
            "license": {"name": "MIT"},
        },
        "defaultContentType": "application/json",
        "channels": {topic.name: _channel(topic) for topic in sources.topics},
        "operations": dict(pair for topic in sources.topics for pair in _operations(topic)),
        "components": {
            "messages": {event.type: _message(event) for event in sources.events},
            "schemas": {"CloudEventHeaders": _HEADERS}
            | {name: _schema(shape) for name, shape in sources.common.items()}
            | {event.title: _schema(event.schema) for event in sources.events},
        },
    }
    return _HEAD + yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


class _Dumper(yaml.SafeDumper):
    """Writes every node in full: an alias (`*id001`) helps no reader."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the base class names it
        return True


def _channel(topic: TopicSource) -> dict[str, Any]:
    settings: dict[str, Any] = {"cleanup.policy": ["delete" if topic.retention_days else "compact"]}
    if topic.retention_days:
        settings["retention.ms"] = topic.retention_days * _MILLISECONDS_PER_DAY
    return {
        "address": topic.name,
        "description": topic.purpose,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in topic.types},
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topic.partitions,
                "topicConfiguration": settings,
                "bindingVersion": "0.5.0",
            }
        },
        "x-owner": topic.owner,
        "x-traffic-class": topic.traffic_class,
        "x-key": topic.key,
        "x-personal-data": topic.personal_data,
    }


def _operations(topic: TopicSource) -> list[tuple[str, dict[str, Any]]]:
    """What BD CAN Plus as a whole does with a topic: services send and receive, upstream systems the reverse."""
    channel = f"#/channels/{topic.name}"
    operations: list[tuple[str, dict[str, Any]]] = [
        (
            f"{writer}.writes.{topic.name}",
            {
                "action": "receive" if writer == "upstream" else "send",
                "channel": {"$ref": channel},
                "summary": f"{writer} writes to {topic.name}",
                "messages": [{"$ref": f"{channel}/messages/{name}"} for name in topic.types],
            },
        )
        for writer in topic.writers
    ]
    operations += [
        (
            f"{consumer.service}.reads.{topic.name}",
            {
                "action": "send" if consumer.service == "upstream" else "receive",
                "channel": {"$ref": channel},
                "summary": f"{consumer.service} reads from {topic.name}",
                "messages": [{"$ref": f"{channel}/messages/{name}"} for name in consumer.reads],
            },
        )
        for consumer in topic.consumers
    ]
    return operations


def _message(event: EventSource) -> dict[str, Any]:
    return {
        "name": event.type,
        "title": event.title,
        "summary": event.schema["description"],
        "contentType": "application/json",
        "headers": {"$ref": "#/components/schemas/CloudEventHeaders"},
        "payload": {"$ref": f"#/components/schemas/{event.title}"},
        "bindings": {
            "kafka": {
                "key": {"type": "string", "description": "Equals ce_subject."},
                "bindingVersion": "0.5.0",
            }
        },
    }


def _schema(shape: Any) -> Any:
    """The same schema for a reader that takes a `$ref` to stand alone: what stood beside it moves around it."""
    if isinstance(shape, list):
        return [_schema(item) for item in shape]
    if not isinstance(shape, Mapping):
        return shape
    rest = {key: _schema(value) for key, value in shape.items() if key not in {"$ref", "$id", "$schema"}}
    ref = shape.get("$ref")
    if not isinstance(ref, str) or not ref.startswith(REF_PREFIX):
        return rest
    target = {"$ref": f"#/components/schemas/{definition_name(ref)}"}
    return {"allOf": [target], **rest} if rest else target
