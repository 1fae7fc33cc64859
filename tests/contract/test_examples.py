"""Schema, model and codec agree about each example."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import jsonschema_rs
import pytest

from bdcan_contract_tools.sources import Sources, load
from bdcan_contracts.catalogue import CATALOGUE
from bdcan_contracts.envelope import decode, encode_body, encode_headers

EXAMPLES = [
    pytest.param(event.type, path, id=f"{event.type}/{path.stem}")
    for event in load().events
    for path in load().examples(event.type)
]


@pytest.mark.parametrize(("type_name", "path"), EXAMPLES)
def test_example_survives_each_of_its_topics(type_name: str, path: Path):
    event_type = CATALOGUE.by_type[type_name]
    body = event_type.model.model_validate_json(path.read_bytes())
    subject, event_id = event_type.subject_of(body), uuid4()
    headers = encode_headers(event_type, event_id, "bdcan.test", subject, datetime.now(UTC), None)

    for topic in event_type.topics:
        event = decode(CATALOGUE, topic.name, subject.encode(), headers, encode_body(body))

        assert (event.type, event.subject, event.id, event.data) == (type_name, subject, str(event_id), body)
        assert hash(event.data) == hash(body)


@pytest.mark.parametrize(("type_name", "path"), EXAMPLES)
def test_example_written_by_its_model_is_valid_and_complete(sources: Sources, type_name: str, path: Path):
    given = json.loads(path.read_bytes())
    validator = jsonschema_rs.Draft202012Validator(sources.event(type_name).bundled, validate_formats=True)

    written = json.loads(
        encode_body(CATALOGUE.by_type[type_name].model.model_validate_json(path.read_bytes()))
    )

    validator.validate(given)
    validator.validate(written)
    assert {name: written[name] for name in given} == given | _with_defaults(given, written)


def _with_defaults(given: dict[str, object], written: dict[str, object]) -> dict[str, object]:
    """Objects gain their defaults when written: only that may differ."""
    return {name: written[name] for name, value in given.items() if name == "household" and value is not None}


@pytest.mark.parametrize("event_type", CATALOGUE.event_types, ids=lambda e: e.type)
def test_missing_required_field_is_refused_by_schema_and_model(sources: Sources, event_type):
    event = sources.event(event_type.type)
    full = json.loads((sources.root / "examples" / event.type / "full.json").read_text())
    validator = jsonschema_rs.Draft202012Validator(event.bundled, validate_formats=True)

    for name in event.schema["required"]:
        body = {key: value for key, value in full.items() if key != name}

        assert not validator.is_valid(body), name
        with pytest.raises(ValueError, match=name):
            event_type.model.model_validate_json(json.dumps(body))


@pytest.mark.parametrize("event_type", CATALOGUE.event_types, ids=lambda e: e.type)
def test_wrong_type_is_refused_by_schema_and_model(sources: Sources, event_type):
    event = sources.event(event_type.type)
    full = json.loads((sources.root / "examples" / event.type / "full.json").read_text())
    validator = jsonschema_rs.Draft202012Validator(event.bundled, validate_formats=True)

    for name in event.schema["properties"]:
        for wrong in ([[]], -1, "~" * 3000, "true" if isinstance(full[name], bool) else True):
            body = full | {name: wrong}

            assert not validator.is_valid(body), (name, wrong)
            with pytest.raises(ValueError, match=name):
                event_type.model.model_validate_json(json.dumps(body))
