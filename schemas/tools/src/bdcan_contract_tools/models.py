"""Generates `bdcan_contracts/models.py`: one frozen pydantic model per event and shared definition.

Written here rather than taken from datamodel-code-generator, which makes lists (not hashable) of arrays, drops
keywords it has no word for, and makes a field with a default optional. This one refuses a keyword that it cannot
carry over, so a schema never promises what the model does not hold.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from bdcan_contract_tools.sources import Schema, SourceError, Sources, definition_name, references

_HEAD = '''# Generated from schemas/events by `python -m bdcan_contract_tools generate`. Do not edit.
"""The bodies of all events, and what they share.

Models are frozen and hashable, know no field that the schema does not name (an unknown one is ignored), and are
strict: Python callers pass UUIDs, aware datetimes and enum members, JSON has them as strings. A code is any string of
its pattern; `vocabulary` lists the codes that this release knows. A field that may be absent is None, and a list is
empty; JSON `null` is read as absent.
"""

from datetime import date
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from bdcan_contracts.json_values import Absent, Whole

'''

_BASE = """
class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)
"""

_NOTES = {"description", "x-personal-data", "x-vocabulary", "x-absent", "default"}
_BOUNDS = {
    "minLength": "min_length",
    "maxLength": "max_length",
    "pattern": "pattern",
    "minimum": "ge",
    "maximum": "le",
    "minItems": "min_length",
    "maxItems": "max_length",
}
_KEYWORDS = {
    "string": {"minLength", "maxLength", "pattern"},
    "integer": {"minimum", "maximum"},
    "number": {"minimum", "maximum"},
    "boolean": set[str](),
    "array": {"items", "minItems", "maxItems"},
}
_SCALARS = {"string": "str", "integer": "int", "number": "float", "boolean": "bool"}
_FORMATS = {"uuid": "UUID", "date-time": "AwareDatetime", "date": "date"}


def render(sources: Sources) -> str:
    """The text of the module."""
    enums = {name: schema for name, schema in sources.common.items() if "enum" in schema}
    objects = {name: schema for name, schema in sources.common.items() if schema["type"] == "object"}
    parts = [_HEAD]
    parts += [_enum(name, schema) for name, schema in enums.items()]
    parts += [_alias(name, s) for name, s in sources.common.items() if name not in {*enums, *objects}]
    parts.append(_BASE)
    parts += [_model(name, objects[name]) for name in _in_order(objects)]
    parts += [_model(event.title, event.schema) for event in sources.events]
    return "\n".join(parts)


def _in_order(objects: Mapping[str, Schema]) -> Iterator[str]:
    done: set[str] = set()

    def visit(name: str) -> Iterator[str]:
        if name in objects and name not in done:
            done.add(name)
            for needed in references(objects[name]):
                yield from visit(needed)
            yield name

    for name in objects:
        yield from visit(name)


def _enum(name: str, schema: Schema) -> str:
    members = "\n".join(
        f"    {value.replace('-', '_').upper()} = {_quoted(value)}" for value in schema["enum"]
    )
    return f"\nclass {name}(StrEnum):\n{docstring(schema['description'])}\n\n{members}\n"


def _alias(name: str, schema: Schema) -> str:
    return f'\n{name} = {_annotation(name, schema)}\n"""{schema["description"]}"""\n'


def _model(name: str, schema: Schema) -> str:
    if schema.get("type") != "object" or schema.get("additionalProperties") is not True:
        raise SourceError(f"{name}: must be an object that allows additional properties")
    required = set(schema["required"])
    fields = "\n".join(
        _field(f"{name}.{field}", field, piece, required=field in required)
        for field, piece in schema["properties"].items()
    )
    return f"\nclass {name}(_Body):\n{docstring(schema['description'])}\n\n{fields}\n"


def _field(where: str, name: str, piece: Schema, *, required: bool) -> str:
    annotation = _annotation(where, piece)
    if "x-absent" in piece and (required or piece.get("type") != "array" or piece["x-absent"] != "unspoken"):
        raise SourceError(f"{where}: x-absent is for a list that may be absent, and says `unspoken`")
    if required:
        if "default" in piece:
            raise SourceError(f"{where}: a required field has no default")
        default = ""
    elif piece.get("x-absent") == "unspoken":  # an empty list would say that there is none
        annotation, default = f"{annotation} | None", " = None"
    elif piece.get("type") == "array":
        if "default" in piece:
            raise SourceError(f"{where}: a list that is absent is empty, and needs no default")
        annotation, default = _marked(annotation, "Absent(())"), " = ()"
    elif "default" in piece:
        annotation = _marked(annotation, f"Absent({piece['default']!r})")
        default = f" = {piece['default']!r}"
    else:
        annotation, default = f"{annotation} | None", " = None"
    return f"    {name}: {annotation}{default}\n{docstring(piece['description'])}"


def _marked(annotation: str, mark: str) -> str:
    inner = (
        annotation.removeprefix("Annotated[").removesuffix("]")
        if annotation.startswith("Annotated[")
        else annotation
    )
    return f"Annotated[{inner}, {mark}]"


def _annotation(where: str, piece: Schema) -> str:
    if "$ref" in piece:
        _only(where, piece, {"$ref"})
        return definition_name(piece["$ref"])
    kind = piece.get("type")
    if kind not in _KEYWORDS:
        raise SourceError(f"{where}: type is one of {sorted(_KEYWORDS)}, or a $ref")
    if "format" in piece:
        _only(where, piece, {"type", "format", "maxLength"})
        return _FORMATS[piece["format"]]
    _only(where, piece, {"type"} | _KEYWORDS[kind])
    if kind == "array":
        return _annotated(f"tuple[{_annotation(where, piece['items'])}, ...]", piece, extra=["strict=False"])
    if kind == "integer":
        return f"Annotated[int, Whole({piece['minimum']}, {piece['maximum']})]"
    return _annotated(_SCALARS[kind], piece)


def _annotated(annotation: str, piece: Schema, extra: list[str] | None = None) -> str:
    bounds = [f"{word}={_literal(piece[keyword])}" for keyword, word in _BOUNDS.items() if keyword in piece]
    bounds += extra or []
    return f"Annotated[{annotation}, Field({', '.join(bounds)})]" if bounds else annotation


def _only(where: str, piece: Schema, allowed: set[str]) -> None:
    if unknown := set(piece) - allowed - _NOTES:
        raise SourceError(f"{where}: no model can hold {sorted(unknown)} here; see models.py of the tools")


def _literal(value: Any) -> str:
    if not isinstance(value, str):
        return repr(value)
    if '"' in value:
        raise SourceError(f"a pattern may not hold a double quote: {value}")
    return f'r"{value}"'  # raw: a pattern's backslashes are the pattern's own


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def docstring(text: str) -> str:
    """The text as a docstring, indented by one level."""
    if '"""' in text or "\\" in text:
        raise SourceError(f"a description may not hold a backslash or three quotes: {text}")
    lines = textwrap.wrap(text, 102, break_long_words=False)
    if len(lines) == 1:
        return f'    """{lines[0]}"""'
    return "\n".join([f'    """{lines[0]}', *(f"    {line}" for line in lines[1:]), '    """'])
