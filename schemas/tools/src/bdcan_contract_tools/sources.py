"""Reads what people write under `schemas/`: event schemas, shared definitions, topics, examples, the vocabulary.

Everything else is made from what is read here. Raises SourceError for a file that does not have the expected form.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from bdcan_contract_tools import vocabulary
from bdcan_contract_tools.vocabulary import Vocabulary

COMMON_ID = "urn:bdcan:schema:common"
REF_PREFIX = f"{COMMON_ID}#/$defs/"
TRAFFIC_CLASSES = ("urgent", "normal", "bulk")
PERSONAL_DATA = ("none", "pseudonymous", "personal")
SCHEMAS = Path(__file__).parents[3]

Schema = Mapping[str, Any]


class SourceError(Exception):
    """A file under `schemas/` does not have the expected form."""


@dataclass(frozen=True)
class ConsumerSource:
    """A service that reads a topic: event type → the fields it reads."""

    service: str
    reads: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class TopicSource:
    """One file of `topics/`. `retention_days` is None for a compacted topic.

    `per_sender`: each upstream system has a topic of its own like this one.
    """

    name: str
    owner: str
    writers: tuple[str, ...]
    purpose: str
    key: str
    traffic_class: str
    partitions: int
    retention_days: int | None
    personal_data: str
    types: tuple[str, ...]
    consumers: tuple[ConsumerSource, ...]
    unread_because: str | None
    per_sender: bool

    @property
    def constant(self) -> str:
        """Name of the topic's constant in the generated catalogue: REFERRALS."""
        return self.name.split(".")[2].replace("-", "_").upper()


@dataclass(frozen=True)
class EventSource:
    """One file of `events/`, beside the shared definitions that it may refer to."""

    type: str
    schema: Schema
    common: Mapping[str, Schema]

    @property
    def title(self) -> str:
        """Name of the event's class in the generated models: ReferralReceived."""
        return self.schema["title"]

    @cached_property
    def bundled(self) -> dict[str, Any]:
        """The schema on its own two feet: every shared definition that it reaches, under `$defs`."""
        reached: dict[str, Schema] = {}
        queue = list(references(self.schema))
        while queue:
            name = queue.pop()
            if name not in reached:
                reached[name] = self.common[name]
                queue.extend(references(self.common[name]))
        own = _localised(dict(self.schema))
        if reached:
            own["$defs"] = {name: _localised(reached[name]) for name in sorted(reached)}
        return own


@dataclass(frozen=True)
class Sources:
    """All that people wrote under one `schemas/` folder."""

    root: Path
    common: Mapping[str, Schema]
    events: tuple[EventSource, ...]
    topics: tuple[TopicSource, ...]
    vocabulary: Vocabulary

    def event(self, type_name: str) -> EventSource:
        """The event of that type. Raises KeyError."""
        return {event.type: event for event in self.events}[type_name]

    def topics_of(self, type_name: str) -> tuple[TopicSource, ...]:
        """The topics that may carry a type, the usual one first."""
        return tuple(topic for topic in self.topics if type_name in topic.types)

    def examples(self, type_name: str) -> Iterator[Path]:
        """The example bodies of a type."""
        return iter(sorted((self.root / "examples" / type_name).glob("*.json")))


def load(root: Path = SCHEMAS) -> Sources:
    """Read everything under `root`."""
    common = _json(root / "events" / "common.schema.json")["$defs"]
    events = tuple(
        EventSource(path.name.removesuffix(".schema.json"), _json(path), common)
        for path in sorted((root / "events").glob("*.schema.json"))
        if path.name != "common.schema.json"
    )
    topics = sorted(
        (_topic(path) for path in (root / "topics").glob("*.yaml")),
        key=lambda t: (TRAFFIC_CLASSES.index(t.traffic_class), t.name),
    )
    return Sources(root, common, events, tuple(topics), vocabulary.load(root / "vocabulary"))


def references(node: object) -> Iterator[str]:
    """Names of the shared definitions that a piece of schema refers to."""
    if isinstance(node, Mapping):
        if isinstance(ref := node.get("$ref"), str):
            yield definition_name(ref)
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def definition_name(ref: str) -> str:
    """The shared definition that a `$ref` names. Raises SourceError for any other reference."""
    if not ref.startswith(REF_PREFIX):
        raise SourceError(f"a $ref may only name a shared definition ({REF_PREFIX}…), not {ref}")
    return ref.removeprefix(REF_PREFIX)


def _localised(node: Any) -> Any:
    if isinstance(node, Mapping):
        return {
            key: f"#/$defs/{definition_name(value)}" if key == "$ref" else _localised(value)
            for key, value in node.items()
        }
    return [_localised(value) for value in node] if isinstance(node, list) else node


def _json(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise SourceError(f"{path.name}: {error}") from error


def _topic(path: Path) -> TopicSource:
    found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    known = {
        "topic",
        "owner",
        "writers",
        "purpose",
        "key",
        "traffic_class",
        "partitions",
        "retention_days",
        "cleanup",
    }
    known |= {"personal_data", "types", "consumers", "unread_because", "per_sender"}
    if unknown := set(found) - known:
        raise SourceError(f"{path.name}: unknown entries {sorted(unknown)}")
    if ("retention_days" in found) == (found.get("cleanup") == "compact"):
        raise SourceError(f"{path.name}: either retention_days or `cleanup: compact`")
    if found["traffic_class"] not in TRAFFIC_CLASSES or found["personal_data"] not in PERSONAL_DATA:
        raise SourceError(
            f"{path.name}: traffic_class is one of {TRAFFIC_CLASSES}, personal_data one of {PERSONAL_DATA}"
        )
    return TopicSource(
        name=found["topic"],
        owner=found["owner"],
        writers=tuple(found.get("writers", [found["owner"]])),
        purpose=found["purpose"],
        key=found["key"],
        traffic_class=found["traffic_class"],
        partitions=found["partitions"],
        retention_days=found.get("retention_days"),
        personal_data=found["personal_data"],
        types=tuple(found["types"]),
        consumers=tuple(
            ConsumerSource(c["service"], {t: tuple(fields) for t, fields in c["reads"].items()})
            for c in found["consumers"]
        ),
        unread_because=found.get("unread_because"),
        per_sender=found.get("per_sender", False),
    )
