"""`schemas/bundled` is what others take: each file stands alone, names every type, and compiles where they are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import jsonschema_rs
import pytest
import re2
import yaml

from bdcan_contract_tools import generated, published
from bdcan_contract_tools.sources import EventSource, Sources, load

SOURCES = load()
FILES = sorted((SOURCES.root / published.FOLDER).glob("*.schema.json"))


def nodes(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from nodes(value)
    elif isinstance(node, list):
        for value in node:
            yield from nodes(value)


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def bundled(event: EventSource) -> dict[str, Any]:
    return read(SOURCES.root / published.FOLDER / f"{event.type}.schema.json")


def test_each_type_has_a_file_of_its_own():
    assert [path.name.removesuffix(".schema.json") for path in FILES] == [e.type for e in SOURCES.events]


def test_a_schema_of_no_type_is_found_and_deleted(copied: Path):
    stray = copied / published.FOLDER / "bdcan.intake.referral.forgotten.v1.schema.json"
    stray.write_text("{}")
    assert [found for found in generated.stale(load(copied)) if "forgotten" in found]

    list(generated.write(load(copied)))

    assert not stray.exists()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_refers_to_itself_alone_and_nothing_stands_beside_a_reference(path: Path):
    assert "urn:" not in path.read_text(encoding="utf-8")
    schema = read(path)
    for node in nodes(schema):
        if "$ref" in node:
            assert list(node) == ["$ref"]
            folder, _, name = node["$ref"].rpartition("/")
            assert folder == "#/$defs"
            assert name in schema["$defs"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_type_has_a_name_and_no_two_have_the_same(path: Path):
    schema = read(path)
    titles = [schema["title"]]
    for name, shape in schema.get("$defs", {}).items():
        assert shape["title"] == name
        titles.append(name)
    for node in nodes(schema):
        inner = [*node.get("properties", {}).values()] if isinstance(node.get("properties"), dict) else []
        for piece in inner:
            assert piece.get("type") != "object", "an object is a shared definition"
            assert "enum" not in piece, "an enum is a shared definition"
            if piece.get("type") == "array" and "$ref" not in piece["items"]:
                titles.append(piece["items"]["title"])
    assert len(set(titles)) == len(titles)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_list_has_a_default(path: Path):
    assert not [node for node in nodes(read(path)) if node.get("default") == []]


@pytest.mark.parametrize("event", SOURCES.events, ids=lambda e: e.type)
def test_another_validator_takes_every_example(event: EventSource):
    schema = bundled(event)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(
        schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )

    for path in SOURCES.examples(event.type):
        assert [error.message for error in validator.iter_errors(read(path))] == [], path.name


@pytest.mark.parametrize("event", SOURCES.events, ids=lambda e: e.type)
def test_the_published_form_refuses_what_the_source_refuses(event: EventSource):
    source = jsonschema_rs.Draft202012Validator(event.bundled, validate_formats=True)
    public = jsonschema_rs.Draft202012Validator(bundled(event), validate_formats=True)
    full = read(SOURCES.root / "examples" / event.type / "full.json")

    for name in full:
        for wrong in (None, [], [[]], {}, -1, 2.5, True, "", "~" * 3000, "A b", "a\x00b", 10**12):
            body = full | {name: wrong}
            assert public.is_valid(body) == source.is_valid(body), (name, wrong)
        body = {key: value for key, value in full.items() if key != name}
        assert public.is_valid(body) == source.is_valid(body), name


def patterns(sources: Sources) -> set[str]:
    asyncapi = yaml.safe_load((sources.root / "asyncapi.yaml").read_text(encoding="utf-8"))
    everywhere = [asyncapi, *map(read, FILES)]
    return {
        node["pattern"] for one in everywhere for node in nodes(one) if isinstance(node.get("pattern"), str)
    }


def test_every_pattern_means_the_same_in_re2_and_in_python():
    found = patterns(SOURCES)
    assert len(found) >= 4

    for pattern in found:
        theirs, ours = re2.compile(pattern), re.compile(pattern)
        for text in (
            "",
            "a",
            "food-parcel",
            "-a",
            "A",
            "a\x00b",
            "\x00",
            "E05014053",
            "Zoë \U0001f600",
            "a b",
        ):
            assert bool(theirs.search(text)) == bool(ours.search(text)), (pattern, text)
