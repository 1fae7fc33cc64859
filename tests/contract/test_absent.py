"""A sender's serializer may write `null` for a field that it leaves out, and `2.0` for 2: every model reads both."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
from pydantic import ValidationError

from bdcan_contract_tools.sources import EventSource, Schema, load
from bdcan_contracts.catalogue import CATALOGUE

SOURCES = load()
EVENTS = SOURCES.events
Path = tuple[str | int, ...]


def full(event: EventSource) -> dict[str, Any]:
    """The example that holds every field."""
    return json.loads((SOURCES.root / "examples" / event.type / "full.json").read_text(encoding="utf-8"))


def places(root: Schema, piece: Schema, value: Any, path: Path = ()) -> Iterator[tuple[Path, Schema, bool]]:
    """Each field of a body, at any depth: where it is, its schema, and whether it must be there."""
    if "$ref" in piece:
        piece = root["$defs"][piece["$ref"].rpartition("/")[2]]
    if isinstance(value, dict):
        for name, inner in piece["properties"].items():
            if name in value:
                yield (*path, name), inner, name in piece["required"]
                yield from places(root, inner, value[name], (*path, name))
    elif isinstance(value, list):
        for place, one in enumerate(value):
            yield (*path, place), piece["items"], True
            yield from places(root, piece["items"], one, (*path, place))


def changed(body: dict[str, Any], path: Path, *value: Any) -> dict[str, Any]:
    """A copy with another value at a place; without a value, the field is left out."""
    copied = copy.deepcopy(body)
    *above, last = path
    inner: Any = copied
    for part in above:
        inner = inner[part]
    if value:
        [inner[last]] = value
    else:
        del inner[last]
    return copied


def read(event: EventSource, body: dict[str, Any]) -> Any:
    return CATALOGUE.by_type[event.type].model.model_validate_json(json.dumps(body))


@pytest.mark.parametrize("event", EVENTS, ids=lambda e: e.type)
def test_null_is_read_as_absent_at_any_depth(event: EventSource):
    body = full(event)

    for path, _, needed in places(event.bundled, event.bundled, body):
        if needed:
            with pytest.raises(ValidationError):
                read(event, changed(body, path, None))
        else:
            assert read(event, changed(body, path, None)) == read(event, changed(body, path)), path


@pytest.mark.parametrize("event", EVENTS, ids=lambda e: e.type)
def test_a_whole_number_is_an_integer_however_it_is_written(event: EventSource):
    body = full(event)
    validator = jsonschema_rs.Draft202012Validator(event.bundled)

    for path, piece, _ in places(event.bundled, event.bundled, body):
        if piece.get("type") != "integer":
            continue
        value = body
        for part in path:
            value = value[part]  # type: ignore[index, call-overload]
        for other in (float(value), value + 0.5, "7", True, 1e300, float("inf"), float("nan"), -0.5):  # type: ignore[arg-type, operator]
            sent = changed(body, path, other)
            if isinstance(other, float) and other == value:
                assert validator.is_valid(sent)
                model = read(event, sent)
                assert model == read(event, body), path
                assert model.model_dump_json() == read(event, body).model_dump_json(), path
            else:
                with pytest.raises(ValidationError) as refused:
                    read(event, sent)
                assert {error["loc"] for error in refused.value.errors()} == {path}


@pytest.mark.parametrize("event", EVENTS, ids=lambda e: e.type)
def test_a_list_that_is_absent_is_absent_in_the_schema_and_empty_or_unspoken_in_the_model(event: EventSource):
    body = full(event)

    for path, piece, needed in places(event.bundled, event.bundled, body):
        assert piece.get("default") != [], path
        if piece.get("type") == "array" and not needed:
            model = read(event, changed(body, path))
            for part in path:
                model = model[part] if isinstance(part, int) else getattr(model, part)
            # an empty list of these would say that there is none
            assert model == (None if piece.get("x-absent") == "unspoken" else ()), path
