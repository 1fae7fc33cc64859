"""Generates `asyncapi.yaml` (AsyncAPI 3.0): the events as any tool of that world reads them.

Each operation is told from the side of whoever its name begins with: `upstream.writes…` sends, `intake.reads…` receives.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from bdcan_contract_tools import published
from bdcan_contract_tools.sources import EventSource, Sources, TopicSource

_HEAD = "# Generated from schemas/ by `python -m bdcan_contract_tools generate`. Do not edit.\n"
_DESCRIPTION = """\
What the five services of BD CAN Plus tell each other, and what upstream systems tell them and hear from them.

Every record is a CloudEvent 1.0. An upstream system sends in binary or in structured mode, and each of its records gets one
receipt on its receipts topic. All else is in binary mode. `docs/events.md` has the same as a page to read, and
`schemas/bundled` has each body's JSON Schema in a file of its own.
"""
_UPSTREAM = "upstream"
_SCHEMAS = "#/components/schemas/"
_MILLISECONDS_PER_DAY = 24 * 60 * 60 * 1000

_TEXT = {"type": "string"}
_HEADERS: dict[str, Any] = {
    "title": "CloudEventHeaders",
    "type": "object",
    "description": "CloudEvents 1.0, Kafka binary content mode.",
    "properties": {
        "content-type": {**_TEXT, "const": "application/json"},
        "ce_specversion": {**_TEXT, "const": "1.0"},
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
        "traceparent": {
            **_TEXT,
            "description": "W3C Trace Context: the trace of the referral. A reader may go on with it, or ignore it.",
        },
    },
    "required": ["ce_specversion", "ce_id", "ce_type", "ce_source", "ce_subject", "ce_time"],
}
_SENDERS_HEADERS: dict[str, Any] = {
    **_HEADERS,
    "title": "UpstreamHeaders",
    "description": (
        "CloudEvents 1.0 of an upstream system, in binary mode. In structured mode the content type is"
        " application/cloudevents+json, the body holds the attributes, and no other header is needed."
    ),
    "properties": {
        **_HEADERS["properties"],
        "content-type": {**_TEXT, "description": "application/json; a charset may follow."},
        "ce_id": {
            **_TEXT,
            "description": "The sender's own id of this event. The same id with the same content gets the same receipt.",
        },
        "ce_subject": {**_TEXT, "description": "May be left out. Otherwise it is source:reference."},
        "ce_dryrun": {
            **_TEXT,
            "enum": ["true", "false"],
            "description": "true: the receipt says what would be, and nothing is stored.",
        },
    },
    "required": ["ce_specversion", "ce_id", "ce_type", "ce_source"],
}

_SCRAM = {
    "type": "scramSha512",
    "description": "SASL/SCRAM-SHA-512. Whoever runs the platform gives out the user and the password.",
}
_SECURITY = [{"$ref": "#/components/securitySchemes/scram"}]
_SERVERS: dict[str, Any] = {
    "production": {
        "host": "{host}:{port}",
        "protocol": "kafka-secure",
        "description": "A council's cluster, by TLS. `bdcan upstream add` prints the address.",
        "variables": {
            "host": {"description": "The name of a broker.", "examples": ["kafka.example.org"]},
            "port": {"description": "Its port for clients.", "default": "9093"},
        },
        "security": _SECURITY,
    },
    "local": {
        "host": "127.0.0.1:{port}",
        "protocol": "kafka",
        "description": "The platform of `make up`, without TLS.",
        "variables": {"port": {"description": "`bdcan status` shows it.", "default": "9092"}},
        "security": _SECURITY,
    },
    "compose": {
        "host": "kafka:9092",
        "protocol": "kafka",
        "description": "The platform of docker compose, without TLS, for programs in its network.",
        "security": _SECURITY,
    },
}
_SENDER = {
    "description": (
        "The upstream system's name, as `bdcan upstream add` gave it. The demo's upstream system has topics without"
        " this part and the dot before it."
    ),
    "examples": ["riverside-surgery"],
}
_TIME = "2020-03-23T09:30:00Z"


def render(sources: Sources) -> str:
    """The text of the document."""
    document = {
        "asyncapi": "3.0.0",
        "info": {
            "title": "BD CAN Plus events",
            "version": "1.0.0",
            "description": _DESCRIPTION,
            "license": {"name": "MIT"},
        },
        "defaultContentType": "application/json",
        "servers": _SERVERS,
        "channels": {topic.name: _channel(topic) for topic in sources.topics},
        "operations": dict(pair for topic in sources.topics for pair in _operations(sources, topic)),
        "components": {
            "messages": {event.type: _message(sources, event) for event in sources.events},
            "schemas": {
                "CloudEventHeaders": _HEADERS,
                "UpstreamHeaders": _SENDERS_HEADERS,
                **published.components(sources, _SCHEMAS),
            },
            "securitySchemes": {"scram": _SCRAM},
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
    address = (
        {"address": f"{topic.name}.{{sender}}", "parameters": {"sender": _SENDER}}
        if topic.per_sender
        else {"address": topic.name}
    )
    return {
        **address,
        "title": topic.name,
        "description": topic.purpose,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in topic.types},
        "bindings": {
            "kafka": {
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


def _operations(sources: Sources, topic: TopicSource) -> list[tuple[str, dict[str, Any]]]:
    """Who sends to a topic, and who receives from it."""
    channel = f"#/channels/{topic.name}"
    operations: list[tuple[str, dict[str, Any]]] = [
        (
            f"{writer}.writes.{topic.name}",
            {
                "action": "send",
                "channel": {"$ref": channel},
                "summary": f"{writer} writes to {topic.name}",
                "messages": [{"$ref": f"{channel}/messages/{name}"} for name in topic.types],
                **(_answered(sources) if writer == _UPSTREAM else {}),
            },
        )
        for writer in topic.writers
    ]
    operations += [
        (
            f"{consumer.service}.reads.{topic.name}",
            {
                "action": "receive",
                "channel": {"$ref": channel},
                "summary": f"{consumer.service} reads from {topic.name}",
                "messages": [{"$ref": f"{channel}/messages/{name}"} for name in consumer.reads],
                **({"bindings": {"kafka": _GROUP}} if consumer.service == _UPSTREAM else {}),
            },
        )
        for consumer in topic.consumers
    ]
    return operations


_GROUP = {
    "groupId": {
        "type": "string",
        "pattern": r"^upstream-[a-z0-9-]+\..+$",
        "description": "Any name that begins with the Kafka user's and a dot.",
        "examples": ["upstream-riverside-surgery.receipts"],
    },
    "bindingVersion": "0.5.0",
}


def _answered(sources: Sources) -> dict[str, Any]:
    """Each record of an upstream system gets a receipt."""
    [receipts] = [t for t in sources.topics if t.per_sender and _UPSTREAM not in t.writers]
    return {"reply": {"channel": {"$ref": f"#/channels/{receipts.name}"}}}


def _message(sources: Sources, event: EventSource) -> dict[str, Any]:
    topic = sources.topics_of(event.type)[0]
    by_sender = _UPSTREAM in topic.writers
    key = {"type": "string", "description": f"{topic.key} of the body; equals ce_subject."}
    if by_sender:
        key["description"] = (
            f"{topic.key} is best. The key decides which records stay in order, and nothing else."
        )
    return {
        "name": event.type,
        "title": event.title,
        "summary": event.schema["description"],
        "contentType": "application/json",
        "headers": {"$ref": f"{_SCHEMAS}{'UpstreamHeaders' if by_sender else 'CloudEventHeaders'}"},
        "payload": {"$ref": f"{_SCHEMAS}{event.title}"},
        "examples": [_example(topic, event, path) for path in sources.examples(event.type)],
        "bindings": {"kafka": {"key": key, "bindingVersion": "0.5.0"}},
    }


def _example(topic: TopicSource, event: EventSource, path: Path) -> dict[str, Any]:
    body = json.loads(path.read_text(encoding="utf-8"))
    by_sender = _UPSTREAM in topic.writers
    return {
        "name": path.stem,
        "headers": {
            "content-type": "application/json",
            "ce_specversion": "1.0",
            "ce_id": "417" if by_sender else "01710a3e-5c00-7000-8000-000000000001",
            "ce_type": event.type,
            "ce_source": body["source"] if by_sender else f"bdcan.{topic.owner}",
            "ce_subject": topic.key.format_map(body),
            "ce_time": _TIME,
        },
        "payload": body,
    }
