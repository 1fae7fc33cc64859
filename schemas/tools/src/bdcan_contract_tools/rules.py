"""The rules that everything under `schemas/` keeps. Each rule yields one sentence per breach, naming the file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from bdcan_contract_tools import vocabulary
from bdcan_contract_tools.sources import PERSONAL_DATA, REF_PREFIX, Schema, Sources

_NAME = r"[a-z]+(?:-[a-z]+)*"
_TOPIC = re.compile(rf"bdcan\.(?P<owner>{_NAME})\.{_NAME}\.v[1-9]\d*")
_TYPE = re.compile(rf"bdcan\.(?P<owner>{_NAME})\.(?P<name>{_NAME}\.{_NAME})\.v[1-9]\d*")
_PUBLIC_DOOR = "bdcan.intake.inbound-referrals.v1"
"""The one topic that may carry personal data."""


def breaches(sources: Sources) -> Iterator[str]:
    """Every breach of every rule but staleness, examples and compatibility, which have modules of their own."""
    found = [*_names(sources), *_orphans(sources), *_descriptions_and_limits(sources), *_codes(sources)]
    yield from found
    if not found:  # what follows takes names, types and marks for granted
        yield from _keys(sources)
        yield from _reads(sources)
        yield from _personal_data(sources)


def personal_fields(sources: Sources) -> set[str]:
    """Names of all properties that are marked personal in any schema."""
    shapes = [*sources.common.values(), *(event.schema for event in sources.events)]
    return {
        name
        for shape in shapes
        for name, piece in shape.get("properties", {}).items()
        if piece.get("x-personal-data") == "personal"
    }


def _names(sources: Sources) -> Iterator[str]:
    titles: dict[str, str] = dict.fromkeys(sources.common, "common")
    for event in sources.events:
        match = _TYPE.fullmatch(event.type)
        if not match:
            yield f"{event.type}: a type is bdcan.<owner>.<aggregate>.<past-tense>.v<N>"
            continue
        if event.schema.get("$id") != f"urn:bdcan:schema:{event.type}":
            yield f"{event.type}: $id is not urn:bdcan:schema:{event.type}"
        title = "".join(word.capitalize() for word in re.split(r"[-.]", match["name"]))
        version = event.type.rpartition(".v")[2]
        if event.title != title + (f"V{version}" if version != "1" else ""):
            yield f"{event.type}: the title does not follow from the type (expected {title})"
        if event.title in titles:
            yield f"{event.type}: title {event.title} is taken by {titles[event.title]}"
        titles[event.title] = event.type
    constants: dict[str, str] = {}
    for topic in sources.topics:
        match = _TOPIC.fullmatch(topic.name)
        if not match or match["owner"] != topic.owner:
            yield f"{topic.name}: a topic is bdcan.<owner>.<aggregates>.v<N>, and its owner is in its name"
        if constants.setdefault(topic.constant, topic.name) != topic.name:
            yield f"{topic.name}: its constant {topic.constant} is taken by {constants[topic.constant]}"
        for type_name in topic.types:
            type_match = _TYPE.fullmatch(type_name)
            if not type_match or type_match["owner"] != topic.owner:
                yield f"{topic.name}: {type_name} has another owner"


def _orphans(sources: Sources) -> Iterator[str]:
    types = {event.type for event in sources.events}
    carried = {type_name for topic in sources.topics for type_name in topic.types}
    yield from (f"{name}: has a schema but no topic" for name in sorted(types - carried))
    yield from (f"{name}: is on a topic but has no schema" for name in sorted(carried - types))
    folders = {path.name for path in (sources.root / "examples").glob("*")}
    yield from (f"examples/{name}: no such event type" for name in sorted(folders - types))
    reached = {name for event in sources.events for name in event.bundled.get("$defs", {})}
    for name in sorted(set(sources.common) - reached):
        yield f"common: nothing refers to {name}"
    files = {path.stem for path in (sources.root / "topics").glob("*.yaml")}
    yield from (
        f"topics/{name}.yaml: holds another topic"
        for name in sorted(files ^ {t.name for t in sources.topics})
    )


def _descriptions_and_limits(sources: Sources) -> Iterator[str]:
    shapes: list[tuple[str, Schema]] = list(sources.common.items())
    shapes += [(event.type, event.schema) for event in sources.events]
    for where, shape in shapes:
        if not shape.get("description"):
            yield f"{where}: has no description"
        for name, piece in shape.get("properties", {}).items():
            if not piece.get("description"):
                yield f"{where}: {name} has no description"
            if piece.get("x-personal-data") not in PERSONAL_DATA:
                yield f"{where}: {name} does not say x-personal-data ({', '.join(PERSONAL_DATA)})"
            yield from (f"{where}: {name} {lack}" for lack in _limits(piece))


def _codes(sources: Sources) -> Iterator[str]:
    """A code is open: no schema lists the words of a vocabulary, and each field says whose words it takes."""
    yield from vocabulary.breaches(sources.vocabulary, sources.common["Lane"]["enum"])
    shapes = [*sources.common.items(), *((event.type, event.schema) for event in sources.events)]
    for where, shape in shapes:
        for name, piece in shape.get("properties", {}).items():
            inner = piece.get("items", piece)
            is_code = inner.get("$ref") == f"{REF_PREFIX}Code"
            if is_code != (piece.get("x-vocabulary") in sources.vocabulary.lists):
                yield f"{where}: {name} names a list of vocabulary/ as x-vocabulary if it is a Code, and only then"
            if (
                "$ref" in piece
                and piece.get("x-vocabulary") == vocabulary.NEEDS
                and "Lane" not in str(shape["properties"].get("lane"))
            ):
                yield f"{where}: {name} is the code of a need, so the event carries its lane beside it"


def _limits(piece: Schema) -> Iterator[str]:
    match piece.get("type"):
        case "string" if "maxLength" not in piece:
            yield "is a string without maxLength"
        case "integer" | "number" if "minimum" not in piece or "maximum" not in piece:
            yield "is a number without minimum and maximum"
        case "array":
            if "maxItems" not in piece:
                yield "is an array without maxItems"
            yield from _limits(piece["items"])


def _keys(sources: Sources) -> Iterator[str]:
    for topic in sources.topics:
        fields = set(re.findall(r"{(\w+)}", topic.key))
        if not fields:
            yield f"{topic.name}: the key names no field"
        for event in (e for e in sources.events if e.type in topic.types):
            if lacking := fields - set(event.schema["required"]):
                yield f"{topic.name}: {event.type} does not require {sorted(lacking)}, which the key is made of"
            if any(other.key != topic.key for other in sources.topics_of(event.type)):
                yield f"{event.type}: its topics have different keys"


def _reads(sources: Sources) -> Iterator[str]:
    for topic in sources.topics:
        if bool(topic.consumers) == bool(topic.unread_because):
            yield f"{topic.name}: either consumers, or unread_because"
        for consumer in topic.consumers:
            for type_name, fields in consumer.reads.items():
                if type_name not in topic.types:
                    yield f"{topic.name}: {consumer.service} reads {type_name}, which is not carried here"
                    continue
                unknown = set(fields) - set(sources.event(type_name).schema["properties"])
                if unknown or not fields:
                    yield f"{topic.name}: {consumer.service} reads unknown fields of {type_name}: {sorted(unknown)}"


def _personal_data(sources: Sources) -> Iterator[str]:
    for topic in sources.topics:
        classes = {
            piece["x-personal-data"]
            for event in sources.events
            if event.type in topic.types
            for piece in _properties(event.bundled)
            if piece.get("x-personal-data") in PERSONAL_DATA
        }
        worst = max(classes, key=PERSONAL_DATA.index, default="none")
        if worst == "personal" and topic.name != _PUBLIC_DOOR:
            yield f"{topic.name}: carries personal data, which only {_PUBLIC_DOOR} may"
        if worst != topic.personal_data:
            yield f"{topic.name}: says personal_data {topic.personal_data}, its events hold {worst}"


def _properties(bundled: Mapping[str, Any]) -> Iterator[Schema]:
    for shape in (bundled, *bundled.get("$defs", {}).values()):
        yield from shape.get("properties", {}).values()
