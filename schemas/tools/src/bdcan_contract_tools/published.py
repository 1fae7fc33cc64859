"""The JSON Schemas as others take them: each alone in its file, without `urn:`, and with a name for every type.

A generator of code takes a `$ref` to stand alone and names a type by its `title`. So nothing stands beside a `$ref` here:
what a field says about itself moves to the description of its object, and a code becomes the list that it is from.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from bdcan_contract_tools.sources import EventSource, Schema, Sources, definition_name

FOLDER = "bundled"
"""Where they lie under `schemas/`."""

_CODE = "Code"


def file_name(type_name: str) -> str:
    """The name of a type's file."""
    return f"{type_name}.schema.json"


def files(sources: Sources) -> Iterator[tuple[str, str]]:
    """Name and text of each file."""
    parts = components(sources, "#/$defs/")
    for event in sources.events:
        yield file_name(event.type), json.dumps(_bundled(event, parts), indent=2, ensure_ascii=False) + "\n"


def _bundled(event: EventSource, parts: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of one event type, with all that it refers to under `$defs`."""
    own = {
        "$schema": event.schema["$schema"],
        "$comment": f"Generated from schemas/events: the body of {event.type}. Do not edit.",
        **parts[event.title],
    }
    reached: dict[str, Any] = {}
    queue = [own]
    while queue:
        for name in _named(queue.pop()):
            if name not in reached:
                reached[name] = parts[name]
                queue.append(parts[name])
    return own | {"$defs": {name: reached[name] for name in sorted(reached)}} if reached else own


def components(sources: Sources, prefix: str) -> dict[str, Any]:
    """Every shape by its name: events, what they share, and the lists of codes. A reference is `prefix` and a name."""
    code = {key: value for key, value in sources.common[_CODE].items() if key != "description"}
    lists = {
        words.name: {
            "title": words.name,
            **code,
            "description": f"{words.description} A code: docs/vocabulary.md lists the known ones, and more may come.",
        }
        for words in sources.vocabulary.lists.values()
    }
    shared = {name: _titled(name, shape, prefix) for name, shape in sources.common.items() if name != _CODE}
    events = {event.title: _titled(event.title, event.schema, prefix) for event in sources.events}
    return shared | lists | events


def _titled(title: str, shape: Schema, prefix: str) -> dict[str, Any]:
    made: dict[str, Any] = {"title": title}
    made |= {
        key: value for key, value in shape.items() if key not in {"$id", "$schema", "title", "properties"}
    }
    if "properties" in shape:
        made["properties"] = {
            name: _property(f"{title}{_pascal(name)}", piece, prefix)
            for name, piece in shape["properties"].items()
        }
        told = [
            f"{name}: {piece['description']}"
            for name, piece in shape["properties"].items()
            if "$ref" in piece
        ]
        made["description"] = "\n".join([shape["description"], *told])
    return made


def _property(title: str, piece: Schema, prefix: str) -> dict[str, Any]:
    if "$ref" in piece:
        return _reference(piece, piece, prefix)
    made = dict(piece)
    if "items" in piece:
        items = piece["items"]
        made["items"] = (
            _reference(items, piece, prefix) if "$ref" in items else {"title": f"{title}Item", **items}
        )
    return made


def _reference(piece: Schema, field: Schema, prefix: str) -> dict[str, Any]:
    name = definition_name(piece["$ref"])
    return {"$ref": prefix + (field["x-vocabulary"] if name == _CODE else name)}


def _named(node: object) -> Iterator[str]:
    if isinstance(node, Mapping):
        if isinstance(ref := node.get("$ref"), str):
            yield ref.rpartition("/")[2]
        for value in node.values():
            yield from _named(value)


def _pascal(name: str) -> str:
    return "".join(word.capitalize() for word in re.split(r"[-_]", name))
