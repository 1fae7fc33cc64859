"""Proves that a contract only grew, against the last release.

A change keeps its version if an old reader reads every new event, and a new reader every old one. A writer sends only
what its schema names, a reader ignores what it does not know: so the writer's side is compared closed, the reader's
open. jsoncompat proves it or does not; what it cannot see (format, pattern, default) must not change at all, but for two
spellings of one thing: a character of a pattern by four hexadecimal digits or by two, and an absent list with or without
the default `[]`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jsoncompat import check_compat

from bdcan_contract_tools.sources import EventSource, Schema, Sources

_SILENT = {"$id", "$schema", "title", "description", "x-personal-data", "x-vocabulary", "x-absent"}
_UNSEEN = ("format", "pattern", "default")
_ESCAPE = re.compile(r"\\(?:[ux](?P<digits>(?<=u)[\da-fA-F]{4}|(?<=x)[\da-fA-F]{2})|.)", re.DOTALL)
"""A backslash and what it escapes: a doubled one is itself, and what follows it stands for itself."""


@dataclass(frozen=True)
class Unproven:
    """A change of one field that may break a reader. `breaks` names each reader and what it does with the field."""

    type: str
    field: str
    why: str
    breaks: tuple[str, ...]

    def __str__(self) -> str:
        readers = "; breaks " + ", ".join(self.breaks) if self.breaks else "; nobody reads it yet"
        return f"{self.type}: {self.field}: {self.why}{readers}. Make it additive, or add a v2 beside it"


def unproven(sources: Sources, released: Mapping[str, Schema]) -> Iterator[Unproven]:
    """Every change since `released` (type → bundled schema) that is not proven additive."""
    current = {event.type: event for event in sources.events}
    for type_name, old in released.items():
        event = current.get(type_name)
        if event is None:
            yield Unproven(type_name, "(all)", "a released type is gone", ())
            continue
        for field, why in _changes(old, event.bundled):
            yield Unproven(type_name, field, why, _readers(sources, event, field))


def _changes(old: Schema, new: Schema) -> Iterator[tuple[str, str]]:
    before, after = old["properties"], new["properties"]
    for field in sorted({*before, *after}):
        if field not in after:
            yield field, "a field is gone, and its name could come back with another meaning"
            continue
        if why := _why_unproven(_only(old, field), _only(new, field)):
            yield field, why
            continue
        if field in before and (keyword := _unseen_change(old, new, before[field], after[field])):
            yield field, f"its {keyword} changed, which cannot be proven harmless"


def _only(schema: Schema, field: str) -> dict[str, Any]:
    """The schema with one field, so that a breach can be pinned on it."""
    properties = {field: schema["properties"][field]} if field in schema["properties"] else {}
    required = [field] if field in schema["required"] else []
    return {**schema, "properties": properties, "required": required}


def _why_unproven(old: Schema, new: Schema) -> str | None:
    if not check_compat(_text(old), _text(_closed(new)), "serializer"):
        return "an old reader may meet a new event that it cannot read"
    if not check_compat(_text(_closed(old)), _text(new), "deserializer"):
        return "a new reader may meet an old event that it cannot read"
    return None


def _text(schema: Schema) -> str:
    return json.dumps(_stripped(schema))


def _stripped(node: Any) -> Any:
    """Without what says nothing about values; `$id` also misleads jsoncompat. Names of properties always stay."""
    if isinstance(node, list):
        return [_stripped(item) for item in node]
    if not isinstance(node, Mapping):
        return node
    return {
        key: {name: _stripped(piece) for name, piece in value.items()}
        if key in {"properties", "$defs"}
        else _stripped(value)
        for key, value in node.items()
        if key not in _SILENT
    }


def _closed(node: Any) -> Any:
    if isinstance(node, list):
        return [_closed(item) for item in node]
    if not isinstance(node, Mapping):
        return node
    closed = {key: _closed(value) for key, value in node.items()}
    if closed.get("type") == "object":
        closed["additionalProperties"] = False
    return closed


def _unseen_change(old: Schema, new: Schema, before: Schema, after: Schema) -> str | None:
    """The first keyword that jsoncompat is blind to and that differs in a field, followed through references."""
    before, after = _resolved(old, before), _resolved(new, after)
    for keyword in _UNSEEN:
        if _said(before, keyword) != _said(after, keyword):
            return keyword
    pairs = [
        (piece, after["properties"][name])
        for name, piece in before.get("properties", {}).items()
        if name in after.get("properties", {})
    ]
    if "items" in before and "items" in after:
        pairs.append((before["items"], after["items"]))
    if gone := set(before.get("properties", {})) - set(after.get("properties", {})):
        return f"inner field {min(gone)}"
    return next((found for a, b in pairs if (found := _unseen_change(old, new, a, b))), None)


def _said(piece: Schema, keyword: str) -> Any:
    """What the keyword says, whichever way it is written."""
    value = piece.get(keyword)
    if keyword == "pattern" and isinstance(value, str):
        return _ESCAPE.sub(_spelled, value)
    if keyword == "default" and value == [] and piece.get("type") == "array":
        return None  # a model's list is empty where it is absent
    return value


def _spelled(escape: re.Match[str]) -> str:
    digits = escape["digits"]
    return f"\\u{int(digits, 16):04x}" if digits else escape[0]


def _resolved(schema: Schema, piece: Schema) -> Schema:
    ref = piece.get("$ref")
    return {**schema["$defs"][ref.rpartition("/")[2]], **piece} if ref else piece


def _readers(sources: Sources, event: EventSource, field: str) -> tuple[str, ...]:
    found: dict[str, bool] = {}
    for topic in sources.topics_of(event.type):
        for consumer in topic.consumers:
            if event.type in consumer.reads:
                found[consumer.service] = (
                    found.get(consumer.service, False) or field in consumer.reads[event.type]
                )
    return tuple(
        f"{service} ({'reads it' if reads else 'does not use it, but checks it'})"
        for service, reads in sorted(found.items())
    )
